/** What services install: one mesh per `createMesh`, made of the drivers, `compile` and `core`, for HTTP and gRPC, in and out. */

export { type AppFilterOptions, appFilter, type MeshFilter } from './app-filter.ts';

import { Mesh } from './mesh.ts';

export {
  type AskedRequest,
  type Decision,
  type DecisionRecord,
  type Exchange,
  type Explanation,
  type LocalReply,
  localReply,
  type ResponseHead,
  type RouterTraits,
  type Verdict,
} from '@ripstop/core';
export { isAppServer, peerOf } from '@ripstop/server';
export type { FastifyLike, MeshApp } from './app.ts';
export type { ConfigOrigin } from './config-source.ts';
export type { DecisionOptions } from './decisions.ts';
export { type MeshEnvironment, systemEnvironment } from './environment.ts';
export { MeshError } from './errors.ts';
export type { ExplainQuestion } from './explain.ts';
export { type Guarded, type GuardOptions, guard } from './guard.ts';
export { type CloseOptions, type CreateMeshOptions, createMesh, decisionOf, type ListenOptions, Mesh, type MeshHealth } from './mesh.ts';
export type { GrpcListenOptions, MeshGrpc, MeshServing } from './mesh-grpc.ts';
export { OfflineMesh, type OfflineResource, type OfflineWorkload } from './offline.ts';
export { routerTraits } from './router-traits.ts';
export type { Runtime } from './runtime.ts';
export type { MeshOptions } from './settings.ts';

let shared: Mesh | undefined;

/** The process's own mesh, configured by environment; made at first use. */
export function mesh(): Mesh {
  shared ??= new Mesh();
  return shared;
}
