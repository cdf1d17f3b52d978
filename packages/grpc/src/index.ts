export { createGrpcChannelOptions, type GrpcChannelOptions } from './channel-options.ts';
export type { GrpcParts } from './grpc-parts.ts';
export { meshCredentials } from './mesh-credentials.ts';
export { type MeshTarget, meshTarget, parseMeshTarget } from './mesh-target.ts';
