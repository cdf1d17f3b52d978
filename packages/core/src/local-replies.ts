import { type LocalReply, localReply } from './local-reply.ts';
import type { ResetReason } from './outcome.ts';
import { ResponseFlag } from './response-flags.ts';

const RESET_BODY = 'upstream connect error or disconnect/reset before headers. ';
const OVERLOADED = [['x-envoy-overloaded', 'true']] as const;

const NO_ROUTE = localReply({ status: 404, flags: ResponseFlag.NoRouteFound, details: 'route_not_found' });
const NO_HEALTHY_UPSTREAM = localReply({
  status: 503,
  flags: ResponseFlag.NoHealthyUpstream,
  details: 'no_healthy_upstream',
  body: 'no healthy upstream',
});
const OVERFLOW = localReply({
  status: 503,
  flags: ResponseFlag.UpstreamOverflow,
  details: 'upstream_reset_before_response_started{overflow}',
  body: `${RESET_BODY}reset reason: overflow`,
  headers: OVERLOADED,
});

/** No virtual host or no route. */
export function noRouteReply(): LocalReply {
  return NO_ROUTE;
}

export function noHealthyUpstreamReply(): LocalReply {
  return NO_HEALTHY_UPSTREAM;
}

/** max_requests, max_pending_requests or max_connections is reached. `attempts` = how many were made, this one included. */
export function overflowReply(attempts = 1): LocalReply {
  if (attempts <= 1) return OVERFLOW;
  return { ...OVERFLOW, body: `${RESET_BODY}retried and the latest reset reason: overflow` };
}

const DROP_OVERLOAD = localReply({
  status: 503,
  flags: ResponseFlag.DropOverload,
  details: 'drop_overload',
  body: 'drop overload',
  headers: [['x-envoy-drop-overload', 'true']],
});
const UNCONDITIONAL_DROP_OVERLOAD = localReply({
  status: 503,
  flags: ResponseFlag.UnconditionalDropOverload,
  details: 'unconditional_drop_overload',
  body: 'unconditional drop overload',
  headers: [['x-envoy-unconditional-drop-overload', 'true']],
});

/** EDS says that a share of the requests is to be dropped (drop_overloads). */
export function dropOverloadReply(percent: number): LocalReply {
  return percent >= 100 ? UNCONDITIONAL_DROP_OVERLOAD : DROP_OVERLOAD;
}

export function clusterNotFoundReply(status: number): LocalReply {
  return localReply({ status, flags: ResponseFlag.NoClusterFound, details: 'cluster_not_found' });
}

interface ResetText {
  readonly status: number;
  readonly flag: number;
  /** As in the body. */
  readonly reason: string;
  /** Of timeouts. */
  readonly body?: string;
  /** As in the details. */
  readonly detail: string;
}

const RESETS: Readonly<Record<ResetReason, ResetText>> = {
  'connect-failure': {
    status: 503,
    flag: ResponseFlag.UpstreamConnectionFailure,
    reason: 'remote connection failure',
    detail: 'remote_connection_failure',
  },
  'connect-timeout': {
    status: 503,
    flag: ResponseFlag.UpstreamConnectionFailure,
    reason: 'connection timeout',
    detail: 'connection_timeout',
  },
  'tls-failure': {
    status: 503,
    flag: ResponseFlag.UpstreamConnectionFailure,
    reason: 'remote connection failure',
    detail: 'remote_connection_failure',
  },
  'connection-termination': {
    status: 503,
    flag: ResponseFlag.UpstreamConnectionTermination,
    reason: 'connection termination',
    detail: 'connection_termination',
  },
  'remote-reset': { status: 503, flag: ResponseFlag.UpstreamRemoteReset, reason: 'remote reset', detail: 'remote_reset' },
  'refused-stream': {
    status: 503,
    flag: ResponseFlag.UpstreamRemoteReset,
    reason: 'remote refused stream reset',
    detail: 'remote_refused_stream_reset',
  },
  'protocol-error': { status: 502, flag: ResponseFlag.UpstreamProtocolError, reason: 'protocol error', detail: 'protocol_error' },
  overflow: { status: 503, flag: ResponseFlag.UpstreamOverflow, reason: 'overflow', detail: 'overflow' },
  'local-reset': { status: 503, flag: ResponseFlag.LocalReset, reason: 'local reset', detail: 'local_reset' },
  'per-try-timeout': { status: 504, flag: ResponseFlag.UpstreamRequestTimeout, reason: '', detail: 'upstream_per_try_timeout' },
  'per-try-idle-timeout': { status: 504, flag: ResponseFlag.UpstreamRequestTimeout, reason: '', detail: 'upstream_per_try_idle_timeout' },
  'max-stream-duration': {
    status: 504,
    flag: ResponseFlag.UpstreamMaxStreamDurationReached,
    reason: '',
    body: 'upstream max stream duration reached',
    detail: 'upstream_max_stream_duration_reached',
  },
  'global-timeout': { status: 504, flag: ResponseFlag.UpstreamRequestTimeout, reason: '', detail: 'response_timeout' },
};

/** The host that a request names does not resolve (dynamic forward proxy). `why`: as Envoy's resolver says it. */
export function unresolvedReply(why: string): LocalReply {
  return localReply({
    status: 503,
    flags: ResponseFlag.DnsResolutionFailed,
    details: `dns_resolution_failure{${why.replaceAll(' ', '_')}}`,
    body: 'DNS resolution failure',
  });
}

/** What the app gets when an attempt ended without response headers and is not retried. `attempts` = how many were made. */
export function resetReply(reason: ResetReason, attempts: number, transportFailure: string): LocalReply {
  if (reason === 'overflow') return overflowReply(attempts);
  const text = RESETS[reason];
  if (text.reason === '')
    return localReply({ status: text.status, flags: text.flag, details: text.detail, body: text.body ?? 'upstream request timeout' });
  const retried = attempts > 1 ? 'retried and the latest reset reason' : 'reset reason';
  const why = transportFailure === '' ? '' : `|${transportFailure.replaceAll(' ', '_')}`;
  return localReply({
    status: text.status,
    flags: text.flag,
    details: `upstream_reset_before_response_started{${text.detail}${why}}`,
    body: `${RESET_BODY}${retried}: ${text.reason}`,
  });
}

/** The response flag of a reset, for resets after response headers. */
export function resetFlag(reason: ResetReason): number {
  return RESETS[reason].flag;
}

/** The reason of a reset as %RESPONSE_CODE_DETAILS% spells it. */
export function resetDetail(reason: ResetReason): string {
  return RESETS[reason].detail;
}

/** route idle_timeout or stream_idle_timeout. */
export function streamIdleReply(requestComplete: boolean): LocalReply {
  return localReply({
    status: requestComplete ? 504 : 408,
    flags: ResponseFlag.StreamIdleTimeout,
    details: 'stream_idle_timeout',
    body: 'stream timeout',
    // The rest of the request is not waited for.
    headers: requestComplete ? [] : [['connection', 'close']],
  });
}

const CLOSES = [['connection', 'close']] as const;
const REQUEST_TIMEOUT = localReply({ status: 408, details: 'request_overall_timeout', body: 'request timeout', headers: CLOSES });
const HEAD_TIMEOUT = localReply({ status: 408, details: 'request_header_timeout', body: 'request header timeout', headers: CLOSES });

/** request_timeout of the connection manager: the request did not come to its end. */
export function requestTimeoutReply(): LocalReply {
  return REQUEST_TIMEOUT;
}

/** request_headers_timeout of the connection manager. */
export function requestHeadersTimeoutReply(): LocalReply {
  return HEAD_TIMEOUT;
}

/** max_stream_duration of the route. */
export function maxDurationReply(): LocalReply {
  return localReply({ status: 504, details: 'max_duration_timeout', body: 'downstream duration timeout', grpcStatus: 4 });
}
