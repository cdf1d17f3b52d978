import type { ForwardAction } from '@ripstop/core';
import type { RouteAction } from '@ripstop/xds-api';
import { milliseconds } from '../values.ts';

/** `otherwiseMs`: the connection manager's max_stream_duration. A route with max_stream_duration has no other timeout (Envoy's "new timeouts"); max_grpc_timeout counts without it only. */
export function timesOf(
  action: RouteAction,
  otherwiseMs: number = 0,
): Pick<ForwardAction, 'timeoutMs' | 'maxStreamDurationMs' | 'grpcTimeout'> {
  const { maxStreamDuration: stream, maxGrpcTimeout, grpcTimeoutOffset } = action;
  if (stream === undefined) {
    const offsetMs = milliseconds(grpcTimeoutOffset, 0);
    return {
      timeoutMs: milliseconds(action.timeout, 15_000),
      maxStreamDurationMs: otherwiseMs,
      grpcTimeout: maxGrpcTimeout === undefined ? undefined : { governs: 'route', maxMs: milliseconds(maxGrpcTimeout, 0), offsetMs },
    };
  }
  const { grpcTimeoutHeaderMax: max, grpcTimeoutHeaderOffset: offset } = stream;
  return {
    timeoutMs: 0,
    maxStreamDurationMs: milliseconds(stream.maxStreamDuration, otherwiseMs),
    grpcTimeout: { governs: 'stream', maxMs: max === undefined ? undefined : milliseconds(max, 0), offsetMs: milliseconds(offset, 0) },
  };
}
