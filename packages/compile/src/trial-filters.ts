import {
  Buffer as BufferMessage,
  Compressor,
  Cors,
  ExtAuthz,
  Gzip,
  HTTPFault,
  HttpFilter,
  HttpHeaderMutation,
  HttpRateLimit,
  HttpRbac,
  LocalRateLimit,
  OnDemand,
  packAny,
  StatefulSession,
} from '@ripstop/xds-api';

const TRIAL_SERVICE = { targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: 'trial' } } } as const;
const TRIAL_EXT_AUTHZ = ExtAuthz.fromPartial({ services: { $case: 'grpcService', value: TRIAL_SERVICE } });
const TRIAL_RATE_LIMIT = HttpRateLimit.fromPartial({ domain: 'trial', rateLimitService: { grpcService: TRIAL_SERVICE } });

const TRIAL_COMPRESSOR = Compressor.fromPartial({ compressorLibrary: { name: 'trial', typedConfig: packAny(Gzip, Gzip.fromPartial({})) } });

/** One filter of each kind, so that per-route configuration is tried when it arrives, not when it is joined. */
export const TRIAL_FILTERS: readonly HttpFilter[] = [
  ['fault', packAny(HTTPFault, HTTPFault.fromPartial({}))] as const,
  ['cors', packAny(Cors, Cors.fromPartial({}))] as const,
  ['rbac', packAny(HttpRbac, HttpRbac.fromPartial({}))] as const,
  ['ext_authz', packAny(ExtAuthz, TRIAL_EXT_AUTHZ)] as const,
  ['local_ratelimit', packAny(LocalRateLimit, LocalRateLimit.fromPartial({ statPrefix: 'trial' }))] as const,
  ['ratelimit', packAny(HttpRateLimit, TRIAL_RATE_LIMIT)] as const,
  ['header_mutation', packAny(HttpHeaderMutation, HttpHeaderMutation.fromPartial({}))] as const,
  ['compressor', packAny(Compressor, TRIAL_COMPRESSOR)] as const,
  ['buffer', packAny(BufferMessage, BufferMessage.fromPartial({ maxRequestBytes: 1 }))] as const,
  ['on_demand', packAny(OnDemand, OnDemand.fromPartial({}))] as const,
  ['stateful_session', packAny(StatefulSession, StatefulSession.fromPartial({}))] as const,
].map(([name, value]) => HttpFilter.fromPartial({ name: `envoy.filters.http.${name}`, configType: { $case: 'typedConfig', value } }));
