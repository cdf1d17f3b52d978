import { type Any, LISTENER_TYPE_URL, Listener, packAny, TlsInspector, TrafficDirection } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { EgressListener, OutboundScope } from '../push/outbound-scope.ts';
import { isHttp } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import { labelsKey, viewOf } from '../push/shared.ts';
import { unroutedAccessLogs } from './access-logs.ts';
import { connectionManager } from './connection-manager.ts';
import { dynamicDnsHttpFilter } from './dynamic-dns.ts';
import { outboundFilters } from './filter-order.ts';
import { socketAddress } from './inbound-listener.ts';
import { listenerTelemetry } from './listener-telemetry.ts';
import { type Binding, type ListenerChain, ListenerEntries, type ListenerEntry } from './outbound-entries.ts';
import { boundTo, everywhere, placesOf } from './outbound-places.ts';
import type { Outbound, PortInput } from './outbound-side.ts';
import { streamChains } from './outbound-streams.ts';
import { packed, type XdsResource } from './resource.ts';
import { NodeExtensions } from './traffic-extensions.ts';
import { duration, type FieldsOf, ZERO } from './values.ts';
import { httpInspector, lookups, unknownHosts, virtualOutbound } from './virtual-outbound.ts';

type ListenerFields = FieldsOf<typeof Listener>;
type FilterChainFields = NonNullable<ListenerFields['filterChains']>[number];

const UNIX = 'unix://';
const CONNECT_TIMEOUT = { seconds: 15, nanos: 0 };

/**
 * LDS of a sidecar towards the mesh: one listener per HTTP port number, one per address of other services. Egress listeners with a port
 * come first; where one has made a listener, the catch-all one adds nothing.
 */
export function outboundListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  const side = sideOf(node, push);
  return push.shared.get(push.scopeFor(node), listenersView(node), side.key, () => madeListeners(side).map(packed));
}

/** Makes what takes longest of the listeners, one after the other. */
export function* partsOfListeners(node: ProxyNode, push: PushContext): Generator<void> {
  const side = sideOf(node, push);
  const ports = new Set<number>();
  for (const [at, egress] of push.scopeFor(node).listeners.entries()) {
    if (egress.proxy !== '') continue;
    for (const service of egress.services)
      for (const port of listenedPorts(egress, service)) {
        if (!isHttp(port.protocol) || ports.has(port.port)) continue;
        ports.add(port.port);
        addPort(new ListenerEntries(), { side, egress, at, service, port });
        yield;
      }
  }
}

function sideOf(node: ProxyNode, push: PushContext): Outbound {
  const scope = push.scopeFor(node);
  const telemetry = listenerTelemetry(node, push, 'outbound');
  const unrouted = unroutedAccessLogs(node, push, 'outbound');
  const extensions = new NodeExtensions(node, push, 'outbound');
  const { headers, idleTimeout, connections } = push.proxySettings(node);
  const key = listenersKey(node, scope, push, [telemetry, unrouted, headers, idleTimeout, connections, extensions.key]);
  return { node, push, telemetry, extensions, unrouted, key };
}

/** Who may have the same listeners. */
export function listenersView(node: ProxyNode): string {
  return `LDS ${viewOf(node)}`;
}

/** Everything of the node that its listeners say, beside where it is: mostly the clients of a namespace share them. */
function listenersKey(
  node: ProxyNode,
  { hasHeadless, streamsAskForLabels }: OutboundScope,
  { destinationRules }: PushContext,
  telemetry: readonly unknown[],
): string {
  const labels = streamsAskForLabels || destinationRules.selectClients ? labelsKey(node) : '';
  return JSON.stringify([labels, hasHeadless ? node.ipAddresses : [], telemetry]);
}

function madeListeners(side: Outbound): XdsResource[] {
  const { node, push } = side;
  const entries = new ListenerEntries();
  const { listeners: egresses } = push.scopeFor(node);
  const unruled = egresses.every(({ port, proxy }) => port !== undefined || proxy !== '');
  for (const [at, egress] of egresses.entries()) {
    const services = egress.services.filter(({ resolution }) => resolution !== 'ALIAS');
    if (egress.proxy !== '' && !node.ripstop) {
      addProxy(entries, { side, egress, at }, services);
      continue;
    }
    // A process of ours is its own proxy: it calls by name whom the listener leads to, unless another listener says whom it may call.
    if (egress.proxy !== '' && !unruled) continue;
    if (egress.port === undefined) entries.lock();
    for (const service of services)
      for (const port of listenedPorts(egress, service)) addPort(entries, { side, egress, at, service, port });
  }
  const listeners = [...entries.all.map((entry) => listener(side, entry)), virtualOutbound(side)];
  return listeners.map((fields) => ({ typeUrl: LISTENER_TYPE_URL, name: fields.name!, message: Listener.fromPartial(fields) }));
}

/** Ports of a service that the listener is for; what it carries, it may say itself. */
function listenedPorts({ port, protocol, proxy }: EgressListener, { ports }: MeshService): readonly MeshServicePort[] {
  if (port === undefined || proxy !== '') return ports;
  return ports.filter((entry) => entry.port === port).map((entry) => (protocol === undefined ? entry : { ...entry, protocol }));
}

/** One chain, whose routes lead to every host in scope. Istio sends bytes of a Unix socket to a cluster that is not there. */
function addProxy(entries: ListenerEntries, input: Omit<PortInput, 'service' | 'port'>, services: readonly MeshService[]): void {
  const { port: number = 0, protocol = 'HTTP', proxy } = input.egress;
  // Of HTTP_PROXY each service's listener takes the place of the one before.
  const service = services.at(protocol === 'HTTP_PROXY' ? -1 : 0);
  if (service === undefined || !isHttp(protocol)) return;
  const port: MeshServicePort = { ...service.ports[0]!, port: number, protocol };
  const whole = { ...input, service, port };
  const place = boundTo(whole) ?? everywhere(input.side.node);
  const opens = place.opens || proxy.startsWith(UNIX);
  entries.add({ ...place, opens }, number, protocol, (name) => [httpChain(whole, name, proxy, false)]);
}

function addPort(entries: ListenerEntries, input: PortInput): void {
  const { side, service, port, at } = input;
  const { protocol } = port;
  if (isHttp(protocol)) {
    const place = boundTo(input) ?? everywhere(side.node);
    const sniffs = place.anywhere && protocol !== 'HTTP_PROXY';
    entries.add(place, port.port, protocol, (name) => [httpChain(input, name, String(port.port), sniffs)]);
    return;
  }
  for (const { ranges, ...place } of placesOf(input)) {
    entries.add(place, port.port, protocol, (name) => {
      const rules = side.push.scopeFor(side.node).egress[at]!.virtualServices;
      const streams = streamChains({
        ...side,
        accessLogs: side.telemetry.accessLogs,
        service,
        port,
        anywhere: place.anywhere,
        ranges,
        rules,
      });
      if (protocol !== 'Auto') return streams;
      const routes = place.anywhere ? String(port.port) : `${service.hostname}:${port.port}`;
      return [...streams, httpChain(input, name, routes, true)];
    });
  }
}

/** Every HTTP service of a port shares one chain; routes tell them apart. What the first one needs beside the usual, all get. */
function httpChain(input: PortInput, name: string, routeConfigName: string, sniffsHttp: boolean): ListenerChain {
  const { side, service, port } = input;
  const { node, push } = side;
  const grpcWeb = port.protocol === 'GRPCWeb';
  const looksUp = service.resolution === 'DYNAMIC_DNS' ? service.hostname : '';
  const manager = `${side.key} ${JSON.stringify([name, routeConfigName, port.port, grpcWeb, looksUp])}`;
  const make = (): Any => httpManager(input, name, routeConfigName);
  const value = push.shared.get(push.scopeFor(node), listenersView(node), manager, make);
  return {
    serverNames: [],
    ranges: [],
    sniffsHttp,
    filters: [{ name: 'envoy.filters.network.http_connection_manager', configType: { $case: 'typedConfig', value } }],
  };
}

function httpManager({ side, service, port }: PortInput, name: string, routeConfigName: string): Any {
  const { node, push, telemetry, extensions } = side;
  const httpFilters = outboundFilters({
    grpcWeb: port.protocol === 'GRPCWeb',
    plugins: extensions.http(port.port),
    beforeRouter: [
      ...(service.resolution === 'DYNAMIC_DNS' ? [dynamicDnsHttpFilter(node, service.hostname)] : []),
      ...lookups(node, push.scopeFor(node)),
    ],
  });
  return connectionManager({
    statPrefix: `outbound_${name};`,
    mesh: push.mesh,
    proxy: push.proxySettings(node),
    telemetry,
    httpFilters,
    routes: rds(routeConfigName),
    position: 'outbound',
  });
}

function listener(side: Outbound, { at, port, chains }: ListenerEntry): ListenerFields {
  const filterChains: FilterChainFields[] = [];
  let rest: FilterChainFields | undefined;
  for (const chain of chains) {
    const match = matchOf(chain);
    const fields = {
      filters: [...side.extensions.inFront(port), ...chain.filters],
      transportSocketConnectTimeout: CONNECT_TIMEOUT,
      ...(chain.metadata === undefined ? {} : { metadata: chain.metadata }),
    };
    if (match === undefined) rest = fields;
    else filterChains.push({ ...fields, filterChainMatch: match });
  }
  const inspectors = [
    ...(chains.some(needsServerName) ? [tlsInspector()] : []),
    ...(chains.some(({ sniffsHttp }) => sniffsHttp === true) ? [httpInspector()] : []),
  ];
  const alone = filterChains.length === 0 && rest !== undefined;
  return {
    ...base(at, port),
    // What is not sniffed is not waited for.
    listenerFiltersTimeout: chains.some(({ sniffsHttp }) => sniffsHttp === true)
      ? duration(side.push.mesh.protocolDetectionTimeout)!
      : ZERO,
    ...(inspectors.length === 0 ? {} : { listenerFilters: inspectors }),
    filterChains: alone ? [rest!] : filterChains,
    ...(alone ? {} : { defaultFilterChain: rest ?? passthroughChain(side) }),
  };
}

function needsServerName({ serverNames, filters }: ListenerChain): boolean {
  return serverNames.length > 0 || filters.some(({ name }) => name?.endsWith('sni_dynamic_forward_proxy') === true);
}

/** Undefined takes everything. */
function matchOf({
  serverNames,
  ranges,
  sniffsHttp = false,
}: ListenerChain): NonNullable<FilterChainFields['filterChainMatch']> | undefined {
  const names = serverNames.includes('*') ? [] : [...serverNames].sort();
  if (names.length === 0 && ranges.length === 0 && !sniffsHttp) return undefined;
  return {
    ...(names.length === 0 ? {} : { serverNames: names }),
    ...(sniffsHttp ? { transportProtocol: 'raw_buffer', applicationProtocols: ['http/1.1', 'h2c'] } : {}),
    prefixRanges: [...ranges].sort().map((range) => {
      const [addressPrefix = '', length] = range.split('/');
      return { addressPrefix, prefixLen: length === undefined ? (addressPrefix.includes(':') ? 128 : 32) : Number(length) };
    }),
  };
}

function passthroughChain(side: Outbound): FilterChainFields {
  return { name: 'PassthroughFilterChain', filterChainMatch: {}, filters: [unknownHosts(side)] };
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

function base({ address, others, opens }: Binding, port: number): ListenerFields {
  return {
    name: `${address}_${port}`,
    address: address.startsWith(UNIX) ? pipe(address.slice(UNIX.length)) : socketAddress(address, port),
    ...(others.length === 0 ? {} : { additionalAddresses: others.map((other) => ({ address: socketAddress(other, port) })) }),
    trafficDirection: TrafficDirection.OUTBOUND,
    ...(opens ? { maxConnectionsToAcceptPerSocketEvent: 1 } : { bindToPort: false }),
    continueOnListenerFiltersTimeout: true,
  };
}

function pipe(path: string): NonNullable<ListenerFields['address']> {
  return { address: { $case: 'pipe', value: { path } } };
}

function tlsInspector(): NonNullable<ListenerFields['listenerFilters']>[number] {
  return {
    name: 'envoy.filters.listener.tls_inspector',
    configType: { $case: 'typedConfig', value: packAny(TlsInspector, TlsInspector.fromPartial({ initialReadBufferSize: 512 })) },
  };
}
