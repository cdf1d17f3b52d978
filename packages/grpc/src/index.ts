/** Clients and servers of grpc-js in the mesh: calls walk the same way through `core` as HTTP requests do; grpc-js keeps the wire. */

export { type BindOptions, bindMeshServer, type MeshServerBinding } from './bind-mesh-server.ts';
export { createGrpcChannelOptions, type GrpcChannelOptions } from './channel-options.ts';
export type { GrpcParts } from './grpc-parts.ts';
export { meshCredentials } from './mesh-credentials.ts';
export { type MeshTarget, meshTarget, parseMeshTarget } from './mesh-target.ts';
export { meshServerCredentials } from './server-credentials.ts';
export { meshServerInterceptor, type WorkloadPort } from './server-interceptor.ts';
export { GrpcUpstreamCalls } from './upstream-calls.ts';
