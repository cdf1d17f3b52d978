import {
  DownstreamTlsContext,
  type FilterChain,
  fromProtoJson,
  HttpConnectionManager,
  HttpFilter,
  Listener,
  packAny,
  Router,
} from '@ripstop/xds-api';
import { fileLog, type ListenerAddress } from '../listener.ts';
import { filterOf } from './filters.ts';
import type { ServerScenario } from './scenario.ts';

/** How a side comes by the workload's certificate: as protobuf JSON of a CommonTlsContext. */
export type Credentials = object;

/** Names that proxies of a mesh offer. */
const ALPN = ['h2', 'http/1.1'];

/** A scenario as a listener of the way in. `name`: also what filters keep things by. */
export function serverListener(scenario: ServerScenario, at: ListenerAddress & { readonly name: string }, tls: Credentials): Listener {
  const { mode } = scenario;
  const chains = [
    ...(mode === 'DISABLE' ? [] : [chainOf(scenario, at, tls)]),
    ...(mode === 'STRICT' ? [] : [chainOf(scenario, at, undefined)]),
  ];
  return Listener.fromPartial({
    name: at.name,
    address: { address: { $case: 'socketAddress', value: { address: at.address, portSpecifier: { $case: 'portValue', value: at.port } } } },
    trafficDirection: 1,
    filterChains: chains,
    listenerFilters: INSPECTORS,
  });
}

const INSPECTORS = fromProtoJson(Listener, {
  listener_filters: [
    {
      name: 'envoy.filters.listener.tls_inspector',
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector' },
    },
  ],
}).listenerFilters;

function chainOf(
  { manager, filters, routes, mode }: ServerScenario,
  { name, port, accessLog }: ListenerAddress & { readonly name: string },
  tls: Credentials | undefined,
): FilterChain {
  const named = [...filters.map(({ name: filter, message }) => filterOf(filter, message)), ROUTER];
  const http = HttpConnectionManager.fromPartial({
    statPrefix: 'inbound_0.0.0.0_8080;',
    streamIdleTimeout: { seconds: 0, nanos: 0 },
    ...manager,
    routeSpecifier: { $case: 'routeConfig', value: { ...routes, name } },
    httpFilters: named.map(({ name: filter, config }) =>
      HttpFilter.fromPartial({ name: filter, configType: { $case: 'typedConfig', value: config } }),
    ),
    accessLog: accessLog === undefined ? [] : [fileLog(accessLog)],
  } as Parameters<typeof HttpConnectionManager.fromPartial>[0]);
  return {
    ...EMPTY_CHAIN,
    name: tls === undefined ? 'plaintext' : 'mtls',
    filterChainMatch: matchOf(port, mode === 'DISABLE' ? '' : tls === undefined ? 'raw_buffer' : 'tls'),
    transportSocket: tls === undefined ? undefined : transportSocket(tls),
    filters: [
      {
        name: 'envoy.filters.network.http_connection_manager',
        configType: { $case: 'typedConfig', value: packAny(HttpConnectionManager, http) },
      },
    ],
  };
}

const ROUTER = { name: 'envoy.filters.http.router', config: packAny(Router, Router.fromPartial({})) };
const EMPTY_CHAIN = Listener.fromPartial({ filterChains: [{}] }).filterChains[0]!;

function matchOf(destinationPort: number, transportProtocol: string): FilterChain['filterChainMatch'] {
  return Listener.fromPartial({ filterChains: [{ filterChainMatch: { destinationPort, transportProtocol } }] }).filterChains[0]!
    .filterChainMatch;
}

function transportSocket(common: Credentials): FilterChain['transportSocket'] {
  const context = fromProtoJson(DownstreamTlsContext, {
    require_client_certificate: true,
    common_tls_context: { alpn_protocols: ALPN, ...common },
  });
  return { name: 'tls', configType: { $case: 'typedConfig', value: packAny(DownstreamTlsContext, context) } };
}
