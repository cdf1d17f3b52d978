import { HttpInspector, type Listener, packAny, TrafficDirection } from '@ripstop/xds-api';
import { wildcardsOf } from '../model/address-families.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { OutboundScope } from '../push/outbound-scope.ts';
import { catchAllHost } from './catch-all.ts';
import { connectionManager } from './connection-manager.ts';
import { ALLOW_ANY_DYNAMIC_DNS, ANY_HOST, dynamicDnsHttpFilter } from './dynamic-dns.ts';
import { type HttpFilterFields, outboundFilters } from './filter-order.ts';
import { socketAddress } from './inbound-listener.ts';
import { BLACK_HOLE_CLUSTER, unknownHostsCluster } from './names.ts';
import type { Outbound } from './outbound-side.ts';
import { routeConfiguration } from './route-configuration.ts';
import { type NetworkFilterFields, tcpProxy } from './tcp-proxy.ts';
import type { FieldsOf } from './values.ts';

type ListenerFields = FieldsOf<typeof Listener>;
type FilterChainFields = NonNullable<ListenerFields['filterChains']>[number];

/** The capture port of a sidecar with iptables; in process it says what happens to names nobody owns. */
export function virtualOutbound(side: Outbound): ListenerFields {
  const { node, push, unrouted } = side;
  const { looksUpHosts } = push.scopeFor(node);
  return {
    name: 'virtualOutbound',
    address: socketAddress(wildcardsOf(node)[0], 15_001),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    accessLog: [...unrouted],
    maxConnectionsToAcceptPerSocketEvent: 1,
    ...(looksUpHosts ? { listenerFilters: [httpInspector()] } : {}),
    filterChains: [
      {
        name: 'virtualOutbound-blackhole',
        filterChainMatch: { destinationPort: 15_001 },
        filters: [tcpProxy(BLACK_HOLE_CLUSTER, [])],
      },
      ...(looksUpHosts ? [unknownHostsHttp(side)] : []),
      {
        name: 'virtualOutbound-catchall-tcp',
        filters: [unknownHosts(side)],
      },
    ],
  };
}

/** Plaintext HTTP to an address that nobody owns: its host is looked up (Istio: buildAllowAnyDynamicDNSHTTPFilterChain). */
function unknownHostsHttp({ node, push, telemetry, extensions }: Outbound): FilterChainFields {
  const proxy = push.proxySettings(node);
  const scope = push.scopeFor(node);
  const value = connectionManager({
    statPrefix: `outbound_virtualOutbound_${ALLOW_ANY_DYNAMIC_DNS};`,
    mesh: push.mesh,
    proxy,
    telemetry,
    httpFilters: outboundFilters({ plugins: extensions.http(0), beforeRouter: lookups(node, scope) }),
    routes: { $case: 'routeConfig', value: routeConfiguration(ALLOW_ANY_DYNAMIC_DNS, [catchAllHost(scope)], proxy) },
    position: 'outbound',
  });
  return {
    name: 'virtualOutbound-catchall-tcp-http',
    filterChainMatch: { applicationProtocols: ['http/1.1', 'h2c'] },
    filters: [{ name: 'envoy.filters.network.http_connection_manager', configType: { $case: 'typedConfig', value } }],
  };
}

export function unknownHosts({ node, push, telemetry }: Outbound): NetworkFilterFields {
  const { idleTimeout } = push.proxySettings(node);
  return tcpProxy(unknownHostsCluster(push.scopeFor(node)), telemetry.accessLogs, { limits: { idleTimeout } });
}

/** Every port's routes lead on to hosts that nobody owns. */
export function lookups(node: ProxyNode, { looksUpHosts }: OutboundScope): HttpFilterFields[] {
  return looksUpHosts ? [dynamicDnsHttpFilter(node, ANY_HOST)] : [];
}

export function httpInspector(): NonNullable<ListenerFields['listenerFilters']>[number] {
  return {
    name: 'envoy.filters.listener.http_inspector',
    configType: { $case: 'typedConfig', value: packAny(HttpInspector, HttpInspector.fromPartial({})) },
  };
}
