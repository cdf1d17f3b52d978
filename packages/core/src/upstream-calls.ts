import type { Exchange } from './exchange.ts';

interface UpstreamCall {
  /** The request that it is made for: its snapshot knows the cluster. */
  readonly x: Exchange;
  readonly cluster: string;
  readonly authority: string;
  readonly path: string;
  /** 0 = never. */
  readonly timeoutMs: number;
}

export interface UpstreamHttpCall extends UpstreamCall {
  readonly method: string;
  /** Lower-case name, value, name, value …, without host. */
  readonly headers: readonly string[];
  readonly body: Uint8Array | undefined;
}

export interface UpstreamGrpcCall extends UpstreamCall {
  readonly message: Uint8Array;
  /** Initial metadata: name, value. */
  readonly metadata: readonly (readonly [name: string, value: string])[];
}

export interface UpstreamAnswer {
  readonly status: number;
  /** Lower-case names, a line each. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Why there is no answer: no such cluster, no endpoint, a reset, a timeout, a status of gRPC. */
export interface NoAnswer {
  readonly failure: string;
}

/**
 * Calls that filters make themselves: to authorizers and rate limit services, at a cluster of the snapshot, by its balancer and over its
 * transport. They are tried once and told to no telemetry. Promises never reject.
 */
export interface UpstreamCalls {
  http(call: UpstreamHttpCall): Promise<UpstreamAnswer | NoAnswer>;
  /** One message there, one back. */
  grpc(call: UpstreamGrpcCall): Promise<{ readonly message: Uint8Array } | NoAnswer>;
}
