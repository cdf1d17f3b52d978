import type grpc from '@grpc/grpc-js';
import type { GrpcParts } from './grpc-parts.ts';
import { InboundGuard } from './inbound-guard.ts';

export interface WorkloadPort {
  /** The port that Services and policies name, whatever port is bound. */
  readonly workloadPort: number;
}

/**
 * Authorization, faults and telemetry for a server that binds itself: `new grpc.Server({ interceptors: [meshServerInterceptor(…)] })`.
 * It sees calls of registered methods only. `bindMeshServer` and `meshServerCredentials` include it: don't give it twice.
 */
export function meshServerInterceptor(parts: GrpcParts, { workloadPort }: WorkloadPort): grpc.ServerInterceptor {
  return new InboundGuard(parts, workloadPort).interceptor;
}
