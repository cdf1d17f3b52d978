import { HttpInspector, LISTENER_TYPE_URL, Listener, packAny, TrafficDirection, TypedStruct, typeUrlOf } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { isHttp, isTls } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import { labelsKey, viewOf } from '../push/shared.ts';
import { unroutedAccessLogs } from './access-logs.ts';
import { connectionManager } from './connection-manager.ts';
import { dynamicDnsHttpFilter, dynamicDnsSniFilter } from './dynamic-dns.ts';
import { type HttpFilterFields, outboundFilters } from './filter-order.ts';
import { socketAddress } from './inbound-listener.ts';
import { type ListenerTelemetry, listenerTelemetry } from './listener-telemetry.ts';
import { BLACK_HOLE_CLUSTER, outboundCluster, unknownHostsCluster } from './names.ts';
import { packed, type XdsResource } from './resource.ts';
import { type NetworkFilterFields, tcpProxy } from './tcp-proxy.ts';
import { type FieldsOf, ZERO } from './values.ts';

type ListenerFields = FieldsOf<typeof Listener>;
type FilterChainFields = NonNullable<ListenerFields['filterChains']>[number];

const CONNECT_TIMEOUT = { seconds: 15, nanos: 0 };

/** Whose listeners are made, and what all of them have in common. */
interface Outbound {
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly telemetry: ListenerTelemetry;
}

/** LDS of a sidecar towards the mesh: one listener per HTTP port number, one per address of other services. */
export function outboundListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  const scope = push.scopeFor(node);
  return push.shared.get(scope, `LDS ${viewOf(node)}`, listenersKey(node, scope.services), () => madeListeners(node, push).map(packed));
}

/** Everything of the node that its listeners say: replicas of a workload share them, but for what is at their own addresses. */
function listenersKey(node: ProxyNode, services: readonly MeshService[]): string {
  const { workloadName, clusterId, meshId, ipAddresses, metadata } = node;
  const { NAME: _, INSTANCE_IPS: __, RIPSTOP_PORTS: ___, RIPSTOP_ADMIN: ____, LABELS: _____, ...rest } = metadata;
  const addresses = services.some(({ headless }) => headless) ? ipAddresses : [];
  return JSON.stringify([labelsKey(node), workloadName, clusterId, meshId, addresses, rest]);
}

function madeListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  const side: Outbound = { node, push, telemetry: listenerTelemetry(node, push, 'outbound') };
  const listeners: ListenerFields[] = [];
  const httpPorts = new Map<number, MeshService[]>();
  const shared = new Map<number, FilterChainFields[]>();
  for (const service of push.scopeFor(node).services) {
    for (const port of service.ports) {
      if (isHttp(port.protocol)) append(httpPorts, port.port, [service]);
      else {
        append(shared, port.port, sharedChains(side, service, port));
        for (const address of addressesOf(service, port, node, push)) {
          listeners.push(port.protocol === 'Auto' ? sniffed(side, service, address, port.port) : tcp(side, service, address, port));
        }
      }
    }
  }
  for (const [port, services] of httpPorts) listeners.push(http(side, port, services));
  for (const [port, chains] of shared) if (!httpPorts.has(port) && chains.length > 0) listeners.push(sharedListener(side, port, chains));
  listeners.push(virtualOutbound(side));
  return listeners.map((fields) => ({ typeUrl: LISTENER_TYPE_URL, name: fields.name!, message: Listener.fromPartial(fields) }));
}

function append<T>(lists: Map<number, T[]>, key: number, items: readonly T[]): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [...items]);
  else list.push(...items);
}

/** Chains of a port's common listener: by TLS server name for a service without an address, by address range. */
function sharedChains(side: Outbound, service: MeshService, port: MeshServicePort): FilterChainFields[] {
  if (service.addresses.length === 0) {
    return isTls(port.protocol) ? [streamChain(side, service, port, { serverNames: [service.hostname] })] : [];
  }
  return service.addresses
    .filter((address) => address.includes('/'))
    .map((range) => {
      const [addressPrefix = '', length] = range.split('/');
      return streamChain(side, service, port, { prefixRanges: [{ addressPrefix, prefixLen: Number(length) }] });
    });
}

/** Where a service that is not HTTP is called: at its own addresses; a headless one at its endpoints', ready or not, but not at ours. */
function addressesOf(service: MeshService, port: MeshServicePort, node: ProxyNode, push: PushContext): readonly string[] {
  if (!service.headless) return service.addresses.filter((address) => !address.includes('/'));
  const others = push.endpoints(service, port).filter(({ address }) => !node.ipAddresses.includes(address));
  return [...new Set(others.map(({ address }) => address))].sort();
}

/** Every HTTP service of a port shares one listener; routes tell them apart. What is not HTTP passes through. */
function http(side: Outbound, port: number, services: readonly MeshService[]): ListenerFields {
  const name = `0.0.0.0_${port}`;
  const filters = outboundFilters({
    grpcWeb: services.some(({ ports }) => ports.some((entry) => entry.port === port && entry.protocol === 'GRPCWeb')),
    beforeRouter: services.filter(({ resolution }) => resolution === 'DYNAMIC_DNS').map(({ hostname }) => dynamicDnsHttpFilter(hostname)),
  });
  return {
    ...base(name, '0.0.0.0', port),
    listenerFilters: [httpInspector()],
    filterChains: [httpChain(side, name, String(port), filters)],
    defaultFilterChain: passthroughChain(side),
  };
}

/** A port without a known protocol has an address of its own, and is HTTP or TCP by its first bytes. */
function sniffed(side: Outbound, { hostname }: MeshService, address: string, port: number): ListenerFields {
  const name = `${address}_${port}`;
  return {
    ...base(name, address, port),
    listenerFilters: [httpInspector()],
    filterChains: [httpChain(side, name, `${hostname}:${port}`, outboundFilters())],
    defaultFilterChain: {
      filters: [tcpProxy(outboundCluster(hostname, port), side.telemetry.accessLogs)],
      transportSocketConnectTimeout: CONNECT_TIMEOUT,
    },
  };
}

function tcp(side: Outbound, service: MeshService, address: string, port: MeshServicePort): ListenerFields {
  return { ...base(`${address}_${port.port}`, address, port.port), filterChains: [streamChain(side, service, port)] };
}

function sharedListener(side: Outbound, port: number, filterChains: FilterChainFields[]): ListenerFields {
  return { ...base(`0.0.0.0_${port}`, '0.0.0.0', port), filterChains, defaultFilterChain: passthroughChain(side) };
}

/** A chain of bytes to one service. */
function streamChain(
  side: Outbound,
  { hostname, resolution }: MeshService,
  { port, protocol }: MeshServicePort,
  filterChainMatch?: NonNullable<FilterChainFields['filterChainMatch']>,
): FilterChainFields {
  const cluster = outboundCluster(hostname, port);
  return {
    ...(filterChainMatch === undefined ? {} : { filterChainMatch }),
    filters: [
      ...(resolution === 'DYNAMIC_DNS' ? [dynamicDnsSniFilter(hostname, port)] : []),
      ...(protocol === 'Mongo' ? [mongoProxy(cluster)] : []),
      tcpProxy(cluster, side.telemetry.accessLogs),
    ],
    transportSocketConnectTimeout: CONNECT_TIMEOUT,
  };
}

/** Counts what passes; its message is not among the generated ones. */
function mongoProxy(statPrefix: string): NetworkFilterFields {
  const value = { typeUrl: typeUrlOf('envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy'), value: { stat_prefix: statPrefix } };
  return { name: 'envoy.filters.network.mongo_proxy', configType: { $case: 'typedConfig', value: packAny(TypedStruct, value) } };
}

function passthroughChain({ node, push, telemetry }: Outbound): FilterChainFields {
  const cluster = unknownHostsCluster(push.scopeFor(node));
  return { name: 'PassthroughFilterChain', filterChainMatch: {}, filters: [tcpProxy(cluster, telemetry.accessLogs)] };
}

function httpChain(
  { push, telemetry }: Outbound,
  name: string,
  routeConfigName: string,
  httpFilters: HttpFilterFields[],
): FilterChainFields {
  const value = connectionManager({
    statPrefix: `outbound_${name};`,
    mesh: push.mesh,
    telemetry,
    httpFilters,
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
function virtualOutbound({ node, push, telemetry }: Outbound): ListenerFields {
  return {
    name: 'virtualOutbound',
    address: socketAddress('0.0.0.0', 15_001),
    trafficDirection: TrafficDirection.OUTBOUND,
    useOriginalDst: true,
    accessLog: unroutedAccessLogs(node, push, 'outbound'),
    maxConnectionsToAcceptPerSocketEvent: 1,
    filterChains: [
      {
        name: 'virtualOutbound-blackhole',
        filterChainMatch: { destinationPort: 15_001 },
        filters: [tcpProxy(BLACK_HOLE_CLUSTER, [])],
      },
      {
        name: 'virtualOutbound-catchall-tcp',
        filters: [tcpProxy(unknownHostsCluster(push.scopeFor(node)), telemetry.accessLogs)],
      },
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
