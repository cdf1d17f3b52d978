import type { ExchangeProtocol } from './exchange.ts';

/** Envoy's response flags as bits of one number; several may be set. */
export const ResponseFlag = {
  FailedLocalHealthCheck: 0x1,
  NoHealthyUpstream: 0x2,
  UpstreamRequestTimeout: 0x4,
  LocalReset: 0x8,
  UpstreamRemoteReset: 0x10,
  UpstreamConnectionFailure: 0x20,
  UpstreamConnectionTermination: 0x40,
  UpstreamOverflow: 0x80,
  NoRouteFound: 0x100,
  DelayInjected: 0x200,
  FaultInjected: 0x400,
  RateLimited: 0x800,
  UnauthorizedExternalService: 0x1000,
  RateLimitServiceError: 0x2000,
  DownstreamConnectionTermination: 0x4000,
  UpstreamRetryLimitExceeded: 0x8000,
  StreamIdleTimeout: 0x10000,
  InvalidEnvoyRequestHeaders: 0x20000,
  DownstreamProtocolError: 0x40000,
  UpstreamMaxStreamDurationReached: 0x80000,
  NoClusterFound: 0x100000,
  OverloadManager: 0x200000,
  UpstreamProtocolError: 0x400000,
  DropOverload: 0x800000,
  UnconditionalDropOverload: 0x1000000,
  DurationTimeout: 0x2000000,
  NoFilterConfigFound: 0x4000000,
  DnsResolutionFailed: 0x8000000,
} as const;

/** A set of {@link ResponseFlag} bits. */
export type ResponseFlags = number;

/** Envoy prints them in the order in which they came: filters, the decision to retry, what became of the upstream, the caller. */
const SHORT: readonly (readonly [number, string])[] = [
  [ResponseFlag.FailedLocalHealthCheck, 'LH'],
  [ResponseFlag.DelayInjected, 'DI'],
  [ResponseFlag.FaultInjected, 'FI'],
  [ResponseFlag.RateLimited, 'RL'],
  [ResponseFlag.UnauthorizedExternalService, 'UAEX'],
  [ResponseFlag.RateLimitServiceError, 'RLSE'],
  [ResponseFlag.NoFilterConfigFound, 'NFCF'],
  [ResponseFlag.DnsResolutionFailed, 'DF'],
  [ResponseFlag.InvalidEnvoyRequestHeaders, 'IH'],
  [ResponseFlag.NoRouteFound, 'NR'],
  [ResponseFlag.NoClusterFound, 'NC'],
  [ResponseFlag.DropOverload, 'DO'],
  [ResponseFlag.UnconditionalDropOverload, 'UDO'],
  [ResponseFlag.UpstreamRetryLimitExceeded, 'URX'],
  // Beside what became of an attempt: the circuit breaker for retries let it not be made again.
  [ResponseFlag.UpstreamOverflow, 'UO'],
  [ResponseFlag.NoHealthyUpstream, 'UH'],
  [ResponseFlag.UpstreamRequestTimeout, 'UT'],
  [ResponseFlag.LocalReset, 'LR'],
  [ResponseFlag.UpstreamRemoteReset, 'UR'],
  [ResponseFlag.UpstreamConnectionFailure, 'UF'],
  [ResponseFlag.UpstreamConnectionTermination, 'UC'],
  [ResponseFlag.UpstreamProtocolError, 'UPE'],
  [ResponseFlag.UpstreamMaxStreamDurationReached, 'UMSDR'],
  [ResponseFlag.StreamIdleTimeout, 'SI'],
  [ResponseFlag.DurationTimeout, 'DT'],
  [ResponseFlag.OverloadManager, 'OM'],
  [ResponseFlag.DownstreamProtocolError, 'DPE'],
  [ResponseFlag.DownstreamConnectionTermination, 'DC'],
];

/** Of a connection that carries bytes: first an attempt fails, then there is none left. */
const SHORT_TCP = [...SHORT].sort(
  ([a], [b]) => Number(a === ResponseFlag.UpstreamRetryLimitExceeded) - Number(b === ResponseFlag.UpstreamRetryLimitExceeded),
);

/** `-` for none, else the short codes joined by commas, as Envoy's %RESPONSE_FLAGS%. */
export function formatResponseFlags(flags: ResponseFlags, protocol?: ExchangeProtocol): string {
  if (flags === 0) return '-';
  return inOrder(flags, protocol)
    .map(([, code]) => code)
    .join(',');
}

const LONG: ReadonlyMap<number, string> = new Map(Object.entries(ResponseFlag).map(([name, bit]) => [bit, name]));

/** As Envoy's %RESPONSE_FLAGS_LONG%, in the order of %RESPONSE_FLAGS%. */
export function formatLongResponseFlags(flags: ResponseFlags, protocol?: ExchangeProtocol): string {
  if (flags === 0) return '-';
  return inOrder(flags, protocol)
    .map(([bit]) => LONG.get(bit))
    .join(',');
}

function inOrder(flags: ResponseFlags, protocol: ExchangeProtocol | undefined): readonly (readonly [number, string])[] {
  return (protocol === 'tcp' ? SHORT_TCP : SHORT).filter(([bit]) => (flags & bit) !== 0);
}
