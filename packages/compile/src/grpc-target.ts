import type { GrpcService } from '@ripstop/xds-api';
import { milliseconds } from './values.ts';

/** A gRPC service at a cluster of the snapshot. */
export interface GrpcTarget {
  readonly cluster: string;
  readonly authority: string;
  readonly timeoutMs: number;
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

/** `field` names the message in errors; without a timeout of its own it has `defaultTimeoutMs`. */
export function compileGrpcTarget(message: GrpcService | undefined, field: string, defaultTimeoutMs: number): GrpcTarget {
  const target = message?.targetSpecifier;
  if (target?.$case !== 'envoyGrpc') throw new Error(`${field}: only envoy_grpc with a cluster of the mesh is supported`);
  const { clusterName, authority, retryPolicy } = target.value;
  if (clusterName === '') throw new Error(`${field}.envoy_grpc.cluster_name is empty`);
  if (retryPolicy !== undefined) throw new Error(`${field}.envoy_grpc.retry_policy is not supported: the call is made once`);
  return {
    cluster: clusterName,
    authority: authority === '' ? clusterName : authority,
    timeoutMs: milliseconds(message?.timeout, defaultTimeoutMs),
    metadata: (message?.initialMetadata ?? []).map(({ key, value }) => [key.toLowerCase(), value]),
  };
}
