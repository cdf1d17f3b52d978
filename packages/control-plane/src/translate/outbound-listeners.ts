import { HttpInspector, LISTENER_TYPE_URL, Listener, packAny, TrafficDirection } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { isHttp, isTls } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import { unroutedAccessLogs } from './access-logs.ts';
import { connectionManager } from './connection-manager.ts';
import { outboundFilters } from './filter-order.ts';
import { socketAddress } from './inbound-listener.ts';
import { BLACK_HOLE_CLUSTER, outboundCluster, PASSTHROUGH_CLUSTER } from './names.ts';
import type { XdsResource } from './resource.ts';
import { tcpProxy } from './tcp-proxy.ts';
import { type FieldsOf, ZERO } from './values.ts';

type ListenerFields = FieldsOf<typeof Listener>;
type FilterChainFields = NonNullable<ListenerFields['filterChains']>[number];

const CONNECT_TIMEOUT = { seconds: 15, nanos: 0 };

/** LDS of a sidecar towards the mesh: one listener per HTTP port number, one per address of other services. */
export function outboundListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  const listeners: ListenerFields[] = [];
  const httpPorts = new Set<number>();
  const tlsChains = new Map<number, FilterChainFields[]>();
  for (const service of push.scopeFor(node).services) {
    for (const port of service.ports) {
      if (isHttp(port.protocol)) httpPorts.add(port.port);
      else {
        const cluster = outboundCluster(service.hostname, port.port);
        if (service.addresses.length === 0 && isTls(port.protocol)) {
          tlsChains.set(port.port, [...(tlsChains.get(port.port) ?? []), sniChain(push, service.hostname, cluster)]);
        }
        for (const address of addressesOf(service, port, node, push)) {
          listeners.push(
            port.protocol === 'Auto'
              ? sniffed(node, push, service.hostname, address, port.port, cluster)
              : tcp(push, address, port.port, cluster),
          );
        }
      }
    }
  }
  for (const port of httpPorts) listeners.push(http(node, push, port));
  for (const [port, chains] of tlsChains) if (!httpPorts.has(port)) listeners.push(tls(node, push, port, chains));
  listeners.push(virtualOutbound(node, push));
  return listeners.map((fields) => ({ typeUrl: LISTENER_TYPE_URL, name: fields.name!, message: Listener.fromPartial(fields) }));
}

/** Where a service that is not HTTP is called: at its own addresses; a headless one at its endpoints', ready or not, but not at ours. */
function addressesOf(service: MeshService, port: MeshServicePort, node: ProxyNode, push: PushContext): readonly string[] {
  if (!service.headless) return service.addresses.filter((address) => !address.includes('/'));
  const others = push.endpoints(service, port).filter(({ address }) => !node.ipAddresses.includes(address));
  return [...new Set(others.map(({ address }) => address))].sort();
}

/** Every HTTP service of a port shares one listener; routes tell them apart. What is not HTTP passes through. */
function http(node: ProxyNode, push: PushContext, port: number): ListenerFields {
  const name = `0.0.0.0_${port}`;
  return {
    ...base(name, '0.0.0.0', port),
    listenerFilters: [httpInspector()],
    filterChains: [httpChain(node, push, name, String(port))],
    defaultFilterChain: passthroughChain(node, push),
  };
}

/** A port without a known protocol has an address of its own, and is HTTP or TCP by its first bytes. */
function sniffed(node: ProxyNode, push: PushContext, host: string, address: string, port: number, cluster: string): ListenerFields {
  const name = `${address}_${port}`;
  return {
    ...base(name, address, port),
    listenerFilters: [httpInspector()],
    filterChains: [httpChain(node, push, name, `${host}:${port}`)],
    defaultFilterChain: { filters: [tcpProxy(cluster, push.mesh)], transportSocketConnectTimeout: CONNECT_TIMEOUT },
  };
}

function tcp(push: PushContext, address: string, port: number, cluster: string): ListenerFields {
  return {
    ...base(`${address}_${port}`, address, port),
    filterChains: [{ filters: [tcpProxy(cluster, push.mesh)], transportSocketConnectTimeout: CONNECT_TIMEOUT }],
  };
}

/** Services without an address of their own are told apart by the server name of the TLS handshake. */
function tls(node: ProxyNode, push: PushContext, port: number, filterChains: FilterChainFields[]): ListenerFields {
  return { ...base(`0.0.0.0_${port}`, '0.0.0.0', port), filterChains, defaultFilterChain: passthroughChain(node, push) };
}

function sniChain(push: PushContext, host: string, cluster: string): FilterChainFields {
  return {
    filterChainMatch: { serverNames: [host] },
    filters: [tcpProxy(cluster, push.mesh)],
    transportSocketConnectTimeout: CONNECT_TIMEOUT,
  };
}

function passthroughChain(node: ProxyNode, push: PushContext): FilterChainFields {
  const cluster = push.scopeFor(node).allowAny ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER;
  return { name: 'PassthroughFilterChain', filterChainMatch: {}, filters: [tcpProxy(cluster, push.mesh)] };
}

function httpChain(node: ProxyNode, push: PushContext, name: string, routeConfigName: string): FilterChainFields {
  const value = connectionManager({
    statPrefix: `outbound_${name};`,
    node,
    mesh: push.mesh,
    httpFilters: outboundFilters(),
    routes: rds(routeConfigName),
    position: 'outbound',
  });
  return {
    filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.1', 'h2c'] },
    filters: [{ name: 'envoy.filters.network.http_connection_manager', configType: { $case: 'typedConfig', value } }],
    transportSocketConnectTimeout: CONNECT_TIMEOUT,
  };
}

/** Routes by name over the same stream. */
export function rds(routeConfigName: string): Parameters<typeof connectionManager>[0]['routes'] {
  return {
    $case: 'rds',
    value: {
      routeConfigName,
      configSource: { configSourceSpecifier: { $case: 'ads', value: {} }, initialFetchTimeout: ZERO, resourceApiVersion: 2 },
    },
  };
}

/** The capture port of a sidecar with iptables; in process it says what happens to names nobody owns. */
function virtualOutbound(node: ProxyNode, push: PushContext): ListenerFields {
  const { allowAny } = push.scopeFor(node);
  return {
    name: 'virtualOutbound',
    address: socketAddress('0.0.0.0', 15_001),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    accessLog: unroutedAccessLogs(push.mesh),
    maxConnectionsToAcceptPerSocketEvent: 1,
    filterChains: [
      {
        name: 'virtualOutbound-blackhole',
        filterChainMatch: { destinationPort: 15_001 },
        filters: [tcpProxy(BLACK_HOLE_CLUSTER, push.mesh, { logged: false })],
      },
      { name: 'virtualOutbound-catchall-tcp', filters: [tcpProxy(allowAny ? PASSTHROUGH_CLUSTER : BLACK_HOLE_CLUSTER, push.mesh)] },
    ],
  };
}

function base(name: string, address: string, port: number): ListenerFields {
  return {
    name,
    address: socketAddress(address, port),
    trafficDirection: TrafficDirection.OUTBOUND,
    bindToPort: false,
    continueOnListenerFiltersTimeout: true,
    listenerFiltersTimeout: ZERO,
  };
}

function httpInspector(): NonNullable<ListenerFields['listenerFilters']>[number] {
  return {
    name: 'envoy.filters.listener.http_inspector',
    configType: { $case: 'typedConfig', value: packAny(HttpInspector, HttpInspector.fromPartial({})) },
  };
}
