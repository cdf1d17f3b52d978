import {
  type Any,
  Cors,
  GrpcStatsFilterConfig,
  HTTPFault,
  type HttpFilter,
  HttpRbac,
  JwtAuthentication,
  packAny,
  Router,
  TypedStruct,
  typeUrlOf,
} from '@ripstop/xds-api';
import type { SecurityFilters } from './security-filters.ts';
import { NO_EXTENSIONS, type PhasedFilters, together } from './traffic-extensions.ts';
import type { FieldsOf } from './values.ts';

export type HttpFilterFields = FieldsOf<typeof HttpFilter>;

/**
 * The HTTP filters of a server or a gateway, in the order in which they see a request:
 *
 * 1. rbac (refusals)  what cannot be enforced is refused before anything else judges
 * 2. rbac (shadow)    notes which CUSTOM policies match, and decides nothing
 * 3. ext_authz        asks when one did: an external denial ends the request before any ALLOW is looked at
 * 4. plugins AUTHN    of WasmPlugins and TrafficExtensions, for Envoys: they may say who calls before anybody asks
 * 5. jwt_authn        before rbac, which reads the request principal and the claims that it verifies
 * 6. plugins AUTHZ    after everybody is known, before policies
 * 7. rbac LOG         AUDIT marks, before a verdict ends the request
 * 8. rbac DENY        any match ends it: no ALLOW can open what a DENY closes
 * 9. rbac ALLOW       with ALLOW policies present, one must match
 * 10. other plugins   see what authorization let through: STATS, then those without a phase
 * 11. grpc_stats      counts the same
 * 12. fault           after authorization: an injected 503 must not tell a stranger that a path exists
 * 13. cors            answers preflights of who may come in
 * 14. router          hands over to the app, or to the gateway's upstream
 */
export function inboundFilters(
  { refusals, custom, jwt, rbac }: SecurityFilters,
  { authn, authz, after }: PhasedFilters = NO_EXTENSIONS,
): HttpFilterFields[] {
  return [
    ...refusals.map(rbacFilter),
    ...custom,
    ...authn,
    ...(jwt === undefined ? [] : [filter('envoy.filters.http.jwt_authn', packAny(JwtAuthentication, jwt))]),
    ...authz,
    ...rbac.map(rbacFilter),
    ...after,
    ...tail(),
  ];
}

function rbacFilter(config: HttpRbac): HttpFilterFields {
  return filter('envoy.filters.http.rbac', packAny(HttpRbac, config));
}

/** What an outbound port needs beside the filters of every port. */
export interface OutboundExtras {
  /** The port is named grpc-web: browsers' gRPC is translated. */
  readonly grpcWeb?: boolean;
  readonly plugins?: PhasedFilters;
  /** Lookups of hosts that are only known when a request names them. */
  readonly beforeRouter?: readonly HttpFilterFields[];
}

/**
 * The HTTP filters of a client: plugins, grpc_web (before what sees gRPC), grpc_stats, fault (before routing's outcome is known to
 * anybody), cors, dynamic_forward_proxy (last: it looks up the host that is left), router. istiod's `istio.alpn`,
 * `istio.metadata_exchange` and `istio.stats` exist in Istio's own proxy only: our SDK does their work by itself and a stock Envoy would
 * refuse the listener, so they are left out (docs/reference/differences.md).
 */
export function outboundFilters({ grpcWeb = false, plugins = NO_EXTENSIONS, beforeRouter = [] }: OutboundExtras = {}): HttpFilterFields[] {
  const filters = tail();
  return [...together(plugins), ...(grpcWeb ? [GRPC_WEB] : []), ...filters.slice(0, -1), ...beforeRouter, filters.at(-1)!];
}

/** Without settings; its message is not among the generated ones. */
const GRPC_WEB: HttpFilterFields = filter(
  'envoy.filters.http.grpc_web',
  packAny(TypedStruct, { typeUrl: typeUrlOf('envoy.extensions.filters.http.grpc_web.v3.GrpcWeb'), value: {} }),
);

/** grpc_web among the filters of a server: after policies, which see the request as it came, and before grpc_stats. */
export function beforeStats(filters: readonly HttpFilterFields[]): HttpFilterFields[] {
  const at = filters.findIndex(({ name }) => name === 'envoy.filters.http.grpc_stats');
  return [...filters.slice(0, at), GRPC_WEB, ...filters.slice(at)];
}

function tail(): HttpFilterFields[] {
  const stats = GrpcStatsFilterConfig.fromPartial({
    emitFilterState: true,
    perMethodStatSpecifier: { $case: 'statsForAllMethods', value: false },
  });
  return [
    filter('envoy.filters.http.grpc_stats', packAny(GrpcStatsFilterConfig, stats)),
    filter('envoy.filters.http.fault', packAny(HTTPFault, HTTPFault.fromPartial({}))),
    filter('envoy.filters.http.cors', packAny(Cors, Cors.fromPartial({}))),
    filter('envoy.filters.http.router', packAny(Router, Router.fromPartial({}))),
  ];
}

function filter(name: string, value: Any): HttpFilterFields {
  return { name, configType: { $case: 'typedConfig', value } };
}
