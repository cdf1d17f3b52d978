import { LISTENER_TYPE_URL, Listener, ProxyProtocol, packAny, TlsInspector, TrafficDirection } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { parseProtocol } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { VirtualService } from '../push/virtual-services.ts';
import { unroutedAccessLogs } from './access-logs.ts';
import { connectionManager } from './connection-manager.ts';
import { inboundFilters } from './filter-order.ts';
import { boundHosts, type GatewayPortServer, gatewayPorts } from './gateway-servers.ts';
import { listenerSources } from './listener-sources.ts';
import { type ListenerTelemetry, listenerTelemetry } from './listener-telemetry.ts';
import { rds } from './outbound-listeners.ts';
import type { XdsResource } from './resource.ts';
import { routedFilters } from './routed-streams.ts';
import { type SecurityFilters, securityFilters, tcpSecurityFilters } from './security-filters.ts';
import { CONNECT_TIMEOUT, namedStreamChains } from './sni-routed.ts';
import { addressOf } from './socket-address.ts';
import { gatewaySocket } from './tls.ts';
import { type ExtensionFilter, NodeExtensions } from './traffic-extensions.ts';
import type { FieldsOf } from './values.ts';

type ListenerFields = FieldsOf<typeof Listener>;
type ChainFields = NonNullable<ListenerFields['filterChains']>[number];
type L4Route = NonNullable<VirtualService['object']['spec']['tcp']>[number];

/** One listener per port that Gateways ask this node to open: `0.0.0.0_8080`. */
export function gatewayListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  const builder = new ChainBuilder(node, push);
  // Before the TLS inspector: the line stands in front of the ClientHello.
  const { readsProxyProtocol, connections } = push.proxySettings(node);
  const first = readsProxyProtocol ? [proxyProtocol()] : [];
  const { listenerPerConnectionBufferLimitBytes: buffer } = connections;
  return gatewayPorts(node, push).ports.flatMap(({ name, bind, number, servers }) => {
    const filterChains = builder.chains(name, number, servers);
    if (filterChains.length === 0) return [];
    const message = Listener.fromPartial({
      name,
      address: addressOf(bind, number),
      trafficDirection: TrafficDirection.OUTBOUND,
      ...listenerSources(node, push),
      maxConnectionsToAcceptPerSocketEvent: 1,
      ...(buffer === undefined ? {} : { perConnectionBufferLimitBytes: buffer }),
      listenerFilters: [...first, ...(filterChains.some(({ filterChainMatch }) => filterChainMatch !== undefined) ? [tlsInspector()] : [])],
      accessLog: unroutedAccessLogs(node, push, 'gateway'),
      filterChains,
    });
    return [{ typeUrl: LISTENER_TYPE_URL, name, message }];
  });
}

/** Policies hold for a gateway as for any workload: strangers are judged before routes are tried. */
class ChainBuilder {
  private readonly node: ProxyNode;
  private readonly push: PushContext;
  private readonly telemetry: ListenerTelemetry;
  private readonly security: SecurityFilters;
  private readonly extensions: NodeExtensions;

  constructor(node: ProxyNode, push: PushContext) {
    this.node = node;
    this.push = push;
    this.telemetry = listenerTelemetry(node, push, 'gateway');
    this.security = securityFilters(node, push);
    this.extensions = new NodeExtensions(node, push, 'gateway');
  }

  chains(listener: string, port: number, servers: readonly GatewayPortServer[]): ChainFields[] {
    const taken = new Set<string>();
    const isPlain = ({ routeName, terminates }: GatewayPortServer): boolean => routeName !== '' && terminates === undefined;
    // Plain HTTP servers share one connection manager: hosts tell them apart.
    const firstPlain = servers.find(isPlain);
    return servers.flatMap((entry) => {
      if (entry.routeName === '') return this.bytes(entry, taken);
      return isPlain(entry) && entry !== firstPlain ? [] : [this.http(listener, port, entry)];
    });
  }

  private http(listener: string, port: number, { routeName, serverNames, terminates }: GatewayPortServer): ChainFields {
    const value = connectionManager({
      statPrefix: `outbound_${listener};`,
      mesh: this.push.mesh,
      proxy: this.push.proxySettings(this.node),
      telemetry: this.telemetry,
      httpFilters: inboundFilters(this.security, this.extensions.http(port)),
      routes: rds(routeName),
      position: 'gateway',
    });
    return {
      ...(serverNames.length === 0 ? {} : { filterChainMatch: { serverNames: [...serverNames] } }),
      filters: [
        ...this.extensions.inFront(port),
        { name: 'envoy.filters.network.http_connection_manager', configType: { $case: 'typedConfig', value } },
      ],
      ...(terminates === undefined ? {} : { transportSocket: gatewaySocket(terminates, this.push.mesh.tls) }),
      transportSocketConnectTimeout: CONNECT_TIMEOUT,
    };
  }

  /** TCP, and TLS that is passed through by server name or ends here. `taken`: server names of the port that have a chain. */
  private bytes(entry: GatewayPortServer, taken: Set<string>): ChainFields[] {
    // No policy is asked: it is the workload that is called, not the gateway, and who calls is seen there alone.
    if (entry.server.tls?.mode === 'AUTO_PASSTHROUGH') return this.named(entry);
    const passthrough = entry.server.tls !== undefined && entry.terminates === undefined;
    const services = this.push
      .scopeFor(this.node)
      .virtualServices.filter((service) => service.gateways.includes(entry.key) && boundHosts(entry, service).length > 0);
    if (passthrough) return services.flatMap((service) => this.passthrough(entry, service, taken));
    for (const service of services) {
      const route = (service.object.spec.tcp ?? []).find((candidate) => matchesServer(candidate, entry, service));
      if (route !== undefined) return [this.tcp(entry, service, route)];
      // TLSRoutes may stand at a listener that terminates: its bytes are led by them then.
      const byName = service.source.kind === 'TLSRoute' ? service.object.spec.tls?.[0] : undefined;
      if (byName !== undefined && entry.terminates !== undefined) return [this.tcp(entry, service, byName)];
    }
    return [];
  }

  /** Plugins see the connections of AUTO_PASSTHROUGH servers by the port of the service that is called, as by istiod. */
  private named(entry: GatewayPortServer): ChainFields[] {
    const plugins = (port: number): readonly ExtensionFilter[] => this.extensions.inFront(port);
    return namedStreamChains(entry, this.node, this.push, { ...this.telemetry, plugins });
  }

  private passthrough(entry: GatewayPortServer, service: VirtualService, taken: Set<string>): ChainFields[] {
    return (service.object.spec.tls ?? []).flatMap((route) =>
      (route.match ?? []).flatMap((match) => {
        const names = match.sniHosts ?? [];
        const fits = (route.route ?? []).length > 0 && matchesServer({ match: [match] }, entry, service);
        // Two chains with one name would make Envoy refuse the listener.
        if (!fits || names.some((name) => taken.has(name))) return [];
        for (const name of names) taken.add(name);
        const chain = this.stream(entry, service, route);
        return [names.includes('*') ? chain : { filterChainMatch: { serverNames: [...names].sort() }, ...chain }];
      }),
    );
  }

  private tcp(entry: GatewayPortServer, service: VirtualService, route: L4Route): ChainFields {
    const { serverNames, terminates } = entry;
    return {
      ...(serverNames.length === 0 ? {} : { filterChainMatch: { serverNames: [...serverNames] } }),
      ...this.stream(entry, service, route),
      ...(terminates === undefined ? {} : { transportSocket: gatewaySocket(terminates, this.push.mesh.tls, true) }),
    };
  }

  private stream({ server, key }: GatewayPortServer, service: VirtualService, { route = [] }: L4Route): ChainFields {
    const { node, push, telemetry } = this;
    const { number: listenPort, protocol } = server.port;
    const place = { node, push, accessLogs: telemetry.accessLogs, listenPort, gateway: key, protocol: parseProtocol(protocol) };
    const judged = tcpSecurityFilters(node, push, this.extensions.network(listenPort));
    const filters = [...judged, ...telemetry.stats, ...routedFilters(place, service, route)];
    return { filters, transportSocketConnectTimeout: CONNECT_TIMEOUT };
  }
}

/** Istio: l4MultiMatch. Without a match everything is taken. */
function matchesServer({ match = [] }: L4Route, { server, key }: GatewayPortServer, { namespace }: VirtualService): boolean {
  if (match.length === 0) return true;
  return match.some(({ port, gateways }) => {
    const named =
      gateways === undefined || gateways.some((gateway) => (gateway.includes('/') ? gateway : `${namespace}/${gateway}`) === key);
    return named && (port === undefined || port === server.port.number);
  });
}

function proxyProtocol(): NonNullable<ListenerFields['listenerFilters']>[number] {
  return {
    name: 'envoy.filters.listener.proxy_protocol',
    configType: { $case: 'typedConfig', value: packAny(ProxyProtocol, ProxyProtocol.fromPartial({})) },
  };
}

function tlsInspector(): NonNullable<ListenerFields['listenerFilters']>[number] {
  return {
    name: 'envoy.filters.listener.tls_inspector',
    configType: { $case: 'typedConfig', value: packAny(TlsInspector, TlsInspector.fromPartial({ initialReadBufferSize: 512 })) },
  };
}
