import { createRefusal, type FilterFactory } from '@ripstop/core';
import { DynamicForwardProxyFilterConfig, GrpcStatsFilterConfig, JwtAuthentication, typeUrlOf } from '@ripstop/xds-api';
import { type AnyFilterFactory, erase } from './decoded-filter.ts';

/** Filters that change nothing for an in-process client or server; left out knowingly. */
const NO_EFFECT: readonly string[] = [
  typeUrlOf(GrpcStatsFilterConfig.$type),
  typeUrlOf('istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig'), // its effect is in the TLS connector (ALPN lists per protocol)
  typeUrlOf('io.istio.http.peer_metadata.Config'),
  typeUrlOf('stats.PluginConfig'), // istio.stats: our telemetry makes these metrics (see telemetry/metrics.ts)
  typeUrlOf('envoy.extensions.filters.http.set_filter_state.v3.Config'),
  typeUrlOf('envoy.extensions.filters.http.grpc_web.v3.GrpcWeb'), // translates for browsers; an in-process client speaks gRPC itself
  typeUrlOf(DynamicForwardProxyFilterConfig.$type), // dialling the request's own host is what its cluster does here
];

/** Security filters that this version cannot enforce: their routes refuse every request, with the filter's name in the details. */
const UNENFORCEABLE: readonly string[] = [typeUrlOf(JwtAuthentication.$type)];

function noEffect(typeUrl: string): FilterFactory<null> {
  return { typeUrl, directions: ['inbound', 'outbound'], decode: () => null, create: () => undefined };
}

function refusing(typeUrl: string): FilterFactory<null> {
  const name = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
  return { typeUrl, directions: ['inbound', 'outbound'], decode: () => null, create: () => createRefusal(name) };
}

export const skippedFilters: readonly AnyFilterFactory[] = [
  ...NO_EFFECT.map((url) => erase(noEffect(url))),
  ...UNENFORCEABLE.map((url) => erase(refusing(url))),
];
