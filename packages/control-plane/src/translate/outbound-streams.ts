import type { L4Match, RouteDestination } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { isTls } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import { hostMatches, type MeshService, type MeshServicePort, selects } from '../push/service.ts';
import type { VirtualService } from '../push/virtual-services.ts';
import type { AccessLogFields } from './access-logs.ts';
import { dynamicDnsSniFilter } from './dynamic-dns.ts';
import { outboundCluster } from './names.ts';
import type { ListenerChain } from './outbound-entries.ts';
import { limitsOf, routedFilters, stacked } from './routed-streams.ts';
import { shortNames } from './short-names.ts';
import { type NetworkFilterFields, tcpProxy } from './tcp-proxy.ts';
import { configPath } from './values.ts';

/** A service port that is not HTTP, as one listener carries it. */
export interface StreamInput {
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly accessLogs: readonly AccessLogFields[];
  readonly service: MeshService;
  readonly port: MeshServicePort;
  /** The listener is bound to every address. */
  readonly anywhere: boolean;
  /** Address ranges that the service is known by. */
  readonly ranges: readonly string[];
  /** Rules of the listener, in order of precedence. */
  readonly rules: readonly VirtualService[];
}

/** Chains of bytes: as a VirtualService's tls or tcp routes say, else to the service. */
export function streamChains(input: StreamInput): ListenerChain[] {
  const rules = input.rules.filter(({ hosts }) =>
    hosts.some((host) => hostMatches(host, input.service.hostname) || hostMatches(input.service.hostname, host)),
  );
  return isTls(input.port.protocol) ? tlsChains(input, rules) : tcpChains(input, rules);
}

/** Istio: buildSidecarOutboundTLSFilterChainOpts. Of two matches with the same names the first counts. */
function tlsChains(input: StreamInput, rules: readonly VirtualService[]): ListenerChain[] {
  const { service, port, anywhere } = input;
  let { ranges } = input;
  const handled = new Set<string>();
  const chains: ListenerChain[] = [];
  for (const rule of rules) {
    for (const { match = [], route = [] } of rule.object.spec.tls ?? []) {
      for (const entry of route.length === 0 ? [] : match) {
        const key = `${(entry.sniHosts ?? []).join(',')}|${(entry.destinationSubnets ?? []).join(',')}`;
        if (!applies(entry, input, rule)) continue;
        // As istiod does: the subnets of a match are those of later matches too that name none.
        if ((entry.destinationSubnets ?? []).length > 0) ranges = entry.destinationSubnets ?? [];
        if (handled.has(key)) continue;
        handled.add(key);
        chains.push({ ...ruledChain(input, rule, route), serverNames: entry.sniHosts ?? [], ranges });
      }
    }
  }
  if (chains.length > 0) return chains;
  // Without an address of its own the service is told by the name in the handshake.
  const [address = ''] = service.addresses;
  const byName = ranges.length > 0 || address.includes('/') || (address === '' && anywhere) || service.resolution === 'DYNAMIC_DNS';
  const names = [service.hostname, ...service.aliases.flatMap((alias) => [alias, ...aliasNames(alias, input)])];
  return [{ ranges, serverNames: byName ? names : [], filters: ownFilters(input, port) }];
}

function aliasNames(alias: string, { node, push }: StreamInput): string[] {
  return [`${alias}.`, ...shortNames(alias, node.namespace, push.mesh.domain)];
}

/** Istio: buildSidecarOutboundTCPFilterChainOpts. The first route that takes every address ends it. */
function tcpChains(input: StreamInput, rules: readonly VirtualService[]): ListenerChain[] {
  const { ranges } = input;
  const chains: ListenerChain[] = [];
  let covered = false;
  for (const rule of rules) {
    for (const { match = [], route = [] } of rule.object.spec.tcp ?? []) {
      if (route.length === 0) continue;
      const fitting = match.filter((entry) => applies(entry, input, rule));
      const subnets = fitting.flatMap(({ destinationSubnets = [] }) => destinationSubnets);
      if (match.length === 0 || fitting.some(({ destinationSubnets = [] }) => destinationSubnets.length === 0))
        return [...chains, { ...ruledChain(input, rule, route), ranges, serverNames: [] }];
      if (subnets.length === 0) continue;
      chains.push({ ranges: subnets, serverNames: [], filters: ruledFilters(input, rule, route) });
      covered ||= sameSet(subnets, ranges);
    }
  }
  return covered ? chains : [...chains, { ranges, serverNames: [], filters: ownFilters(input, input.port) }];
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join() === [...b].sort().join();
}

/** The conditions that are decided here, once, and not per connection. */
function applies(match: L4Match, { node, port }: StreamInput, { namespace }: VirtualService): boolean {
  const { gateways = [], sourceLabels, sourceNamespace = '' } = match;
  if (gateways.length > 0 && !gateways.includes('mesh')) return false;
  if ((match.port ?? port.port) !== port.port || !selects(sourceLabels, node.labels)) return false;
  return namespace !== '' && (sourceNamespace === '' || sourceNamespace === node.namespace);
}

function ruledChain(
  input: StreamInput,
  rule: VirtualService,
  route: readonly RouteDestination[],
): Pick<ListenerChain, 'filters' | 'metadata'> {
  return { filters: ruledFilters(input, rule, route), metadata: { filterMetadata: { istio: { config: configPath(rule.object) } } } };
}

function ruledFilters(input: StreamInput, rule: VirtualService, route: readonly RouteDestination[]): NetworkFilterFields[] {
  const { node, push, port, accessLogs } = input;
  return routedFilters({ node, push, accessLogs, listenPort: port.port, gateway: '', protocol: port.protocol }, rule, route);
}

function ownFilters({ node, push, service, accessLogs }: StreamInput, port: MeshServicePort): NetworkFilterFields[] {
  // A Sidecar's port that the service does not have means its only one.
  const number = service.ports.length === 1 ? service.ports[0]!.port : port.port;
  const cluster = outboundCluster(service.hostname, number);
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const filters = stacked(
    port.protocol,
    cluster,
    tcpProxy(cluster, accessLogs, { limits: limitsOf(rule, undefined, push.proxySettings(node)) }),
  );
  return service.resolution === 'DYNAMIC_DNS' ? [dynamicDnsSniFilter(node, service.hostname, port.port), ...filters] : filters;
}
