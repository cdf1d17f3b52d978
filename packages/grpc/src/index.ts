/** Clients and servers of grpc-js in the mesh: calls walk the same way through `core` as HTTP requests do; grpc-js keeps the wire. */

export { type AppAddress, takeOverBinding } from './app-binding.ts';
export { type BindOptions, bindMeshServer, type MeshServerBinding } from './bind-mesh-server.ts';
export { createGrpcChannelOptions, type GrpcChannelOptions } from './channel-options.ts';
export type { GrpcParts } from './grpc-parts.ts';
export { meshCredentials } from './mesh-credentials.ts';
export { type MeshTarget, meshTarget, parseMeshTarget } from './mesh-target.ts';
export { GrpcUpstreamCalls } from './upstream-calls.ts';
