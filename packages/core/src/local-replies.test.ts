import { describe, expect, it } from 'vitest';
import {
  clusterNotFoundReply,
  dropOverloadReply,
  maxDurationReply,
  noHealthyUpstreamReply,
  noRouteReply,
  overflowReply,
  resetReply,
  streamIdleReply,
} from './local-replies.ts';
import { grpcStatusOfHttp, type LocalReply } from './local-reply.ts';
import { formatResponseFlags } from './response-flags.ts';

const RESET = 'upstream connect error or disconnect/reset before headers. reset reason: ';
const RETRIED = 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: ';
const before = (reason: string): string => `upstream_reset_before_response_started{${reason}}`;

describe('local replies are Envoy’s', () => {
  it.each<[cause: string, reply: LocalReply, status: number, body: string, flags: string, details: string, grpc: number]>([
    ['no route', noRouteReply(), 404, '', 'NR', 'route_not_found', 12],
    ['no cluster', clusterNotFoundReply(503), 503, '', 'NC', 'cluster_not_found', 14],
    ['no host', noHealthyUpstreamReply(), 503, 'no healthy upstream', 'UH', 'no_healthy_upstream', 14],
    [
      'refused',
      resetReply('connect-failure', 1, 'delayed_connect_error:_Connection_refused'),
      503,
      `${RESET}remote connection failure`,
      'UF',
      before('remote_connection_failure|delayed_connect_error:_Connection_refused'),
      14,
    ],
    ['connect timeout', resetReply('connect-timeout', 1, ''), 503, `${RESET}connection timeout`, 'UF', before('connection_timeout'), 14],
    [
      'TLS',
      resetReply('tls-failure', 1, 'TLS error: x'),
      503,
      `${RESET}remote connection failure`,
      'UF',
      before('remote_connection_failure|TLS_error:_x'),
      14,
    ],
    [
      'closed',
      resetReply('connection-termination', 1, ''),
      503,
      `${RESET}connection termination`,
      'UC',
      before('connection_termination'),
      14,
    ],
    ['reset', resetReply('remote-reset', 1, ''), 503, `${RESET}remote reset`, 'UR', before('remote_reset'), 14],
    [
      'refused stream',
      resetReply('refused-stream', 1, ''),
      503,
      `${RESET}remote refused stream reset`,
      'UR',
      before('remote_refused_stream_reset'),
      14,
    ],
    ['garbage', resetReply('protocol-error', 1, ''), 502, `${RESET}protocol error`, 'UPE', before('protocol_error'), 14],
    ['breaker', overflowReply(), 503, `${RESET}overflow`, 'UO', before('overflow'), 14],
    ['breaker, after a retry', resetReply('overflow', 2, ''), 503, `${RETRIED}overflow`, 'UO', before('overflow'), 14],
    [
      'closed, after a retry',
      resetReply('connection-termination', 3, ''),
      503,
      `${RETRIED}connection termination`,
      'UC',
      before('connection_termination'),
      14,
    ],
    ['route timeout', resetReply('global-timeout', 1, ''), 504, 'upstream request timeout', 'UT', 'response_timeout', 14],
    ['per-try timeout', resetReply('per-try-timeout', 2, ''), 504, 'upstream request timeout', 'UT', 'upstream_per_try_timeout', 14],
    [
      'per-try idle timeout',
      resetReply('per-try-idle-timeout', 1, ''),
      504,
      'upstream request timeout',
      'UT',
      'upstream_per_try_idle_timeout',
      14,
    ],
    ['idle, request complete', streamIdleReply(true), 504, 'stream timeout', 'SI', 'stream_idle_timeout', 14],
    ['idle, request incomplete', streamIdleReply(false), 408, 'stream timeout', 'SI', 'stream_idle_timeout', 2],
    ['max duration', maxDurationReply(), 504, 'downstream duration timeout', '-', 'max_duration_timeout', 4],
    ['drop', dropOverloadReply(30), 503, 'drop overload', 'DO', 'drop_overload', 14],
    ['drop all', dropOverloadReply(100), 503, 'unconditional drop overload', 'UDO', 'unconditional_drop_overload', 14],
  ])('%s', (_cause, reply, status, body, flags, details, grpc) => {
    expect([reply.status, reply.body, formatResponseFlags(reply.flags), reply.details]).toEqual([status, body, flags, details]);
    expect(reply.grpcStatus ?? grpcStatusOfHttp(reply.status)).toBe(grpc);
  });

  it('carry their headers', () => {
    expect(overflowReply().headers).toEqual([['x-envoy-overloaded', 'true']]);
    expect(overflowReply(2).headers).toEqual([['x-envoy-overloaded', 'true']]);
    expect(streamIdleReply(false).headers).toEqual([['connection', 'close']]);
    expect(streamIdleReply(true).headers).toEqual([]);
  });

  it.each<[http: number, grpc: number]>([
    [400, 13],
    [401, 16],
    [403, 7],
    [404, 12],
    [429, 14],
    [502, 14],
    [503, 14],
    [504, 14],
    [200, 2],
    [418, 2],
    [500, 2],
  ])('HTTP %i is gRPC status %i', (http, grpc) => {
    expect(grpcStatusOfHttp(http)).toBe(grpc);
  });
});
