import type { Exchange } from '../exchange.ts';
import type { ForwardAction } from './route.ts';

/** How a gRPC call's own `grpc-timeout` bounds it. */
export interface GrpcTimeoutRule {
  /** `route`: it takes the place of the route's timeout (max_grpc_timeout). `stream`: of the stream's longest duration. */
  readonly governs: 'route' | 'stream';
  /** 0 = no cap; undefined = it counts for nothing (no grpc_timeout_header_max), and is only told to the upstream. */
  readonly maxMs: number | undefined;
  /** Taken off a timeout that is longer. */
  readonly offsetMs: number;
}

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };
const FORM = /^(\d{1,8})([HMSmun])$/;
const LARGEST = 99_999_999;
/** There is no such header; 0 is a timeout. */
const NONE = -1;

/** The caller's own timeout, NONE without one. Kept on the exchange: the header says something else once it goes upstream. */
function askedMs(x: Exchange): number {
  x.grpcTimeoutMs ??= parseGrpcTimeout(x.request.header('grpc-timeout')) ?? NONE;
  return x.grpcTimeoutMs;
}

/** Milliseconds, rounded up as Envoy does; undefined without a valid header. */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  const found = text === undefined ? null : FORM.exec(text);
  return found === null ? undefined : Math.ceil(Number(found[1]) * UNITS[found[2]!]!);
}

/** In the smallest unit that has room for it. */
export function formatGrpcTimeout(ms: number): string {
  if (ms <= LARGEST) return `${Math.floor(ms)}m`;
  if (ms / 1000 <= LARGEST) return `${Math.floor(ms / 1000)}S`;
  return `${Math.min(LARGEST, Math.floor(ms / 60_000))}M`;
}

/** The whole request's timeout, 0 = none. Only gRPC calls ask for more than a field. */
export function routeTimeoutOf(x: Exchange, { timeoutMs, grpcTimeout }: ForwardAction): number {
  if (grpcTimeout?.governs !== 'route' || x.protocol !== 'grpc') return timeoutMs;
  const { maxMs = 0 } = grpcTimeout;
  const wanted = shortened(Math.max(0, askedMs(x)), grpcTimeout);
  return maxMs > 0 && (wanted === 0 || wanted > maxMs) ? maxMs : wanted;
}

/** The stream's longest duration, 0 = none; see GrpcTimeoutRule. The header is what counts, whatever the content type says. */
export function streamLimitOf(
  x: Exchange,
  { maxStreamDurationMs, grpcTimeout }: Pick<ForwardAction, 'maxStreamDurationMs' | 'grpcTimeout'>,
): number {
  if (grpcTimeout?.governs !== 'stream') return maxStreamDurationMs;
  const wanted = askedMs(x);
  const { maxMs } = grpcTimeout;
  if (wanted === NONE || maxMs === undefined) return maxStreamDurationMs;
  return shortened(maxMs > 0 ? Math.min(wanted, maxMs) : wanted, grpcTimeout);
}

function shortened(ms: number, { offsetMs }: GrpcTimeoutRule): number {
  return offsetMs > 0 && offsetMs < ms ? ms - offsetMs : ms;
}
