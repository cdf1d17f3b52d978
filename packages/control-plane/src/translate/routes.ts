import type { MeshObject } from '@ripstop/istio-api';
import { ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { EgressScope } from '../push/outbound-scope.ts';
import { isHttp } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { PortScope } from '../push/routed-port.ts';
import { addressesFor, hostMatches, type MeshService, type MeshServicePort } from '../push/service.ts';
import { callerView, labelsKey, viewOf } from '../push/shared.ts';
import { governingRules, type VirtualService } from '../push/virtual-services.ts';
import { catchAllHost } from './catch-all.ts';
import { defaultRoute } from './default-route.ts';
import { patchedRoutes } from './envoy-filter/routes.ts';
import { buildGatewayRoutes } from './gateway-routes.ts';
import { virtualServiceRoutes } from './http-routes.ts';
import { packedTable } from './packed-table.ts';
import { packed, type XdsResource } from './resource.ts';
import { routeConfiguration, type VirtualHostFields } from './route-configuration.ts';
import type { RouteFields, RouteScope } from './route-scope.ts';
import { ruledName } from './ruled-name.ts';
import { sharedHost } from './shared-hosts.ts';
import { shortNames } from './short-names.ts';

/** RDS of the named route configurations. */
export function buildRoutes(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  if (node.dialect === 'router') return buildGatewayRoutes(node, push, names);
  const scope = push.scopeFor(node);
  const view = routesView(node, push);
  const patches = push.patchesFor(node);
  const settings = push.proxySettings(node);
  return names.map((name) =>
    push.shared.get(scope, view, name, () => {
      // The listeners without their rules: the table of a port must not depend on rules of other ports.
      const at = node.ripstop ? -1 : push.scopeFor(node).listeners.findIndex(({ proxy }) => proxy === name);
      const proxy = at === -1 ? undefined : push.scopeFor(node).egress[at]!;
      const hosts = proxy === undefined ? virtualHosts(node, push, name) : proxyHosts(node, push, proxy);
      // Callers of a proxy tell ports apart. istiod has Envoy strip them, so that only the hosts of port 80 are found.
      const ignoresPorts = proxy === undefined;
      if (patches === undefined) return packedTable(name, hosts, settings, ignoresPorts);
      const message = patchedRoutes(routeConfiguration(name, hosts, settings, ignoresPorts), patches, 'SIDECAR_OUTBOUND');
      return packed({ typeUrl: ROUTE_TYPE_URL, name, message });
    }),
  );
}

/** Makes what a table of a port is put together of, one rule and one service after the other. */
export function* partsOfTable(node: ProxyNode, push: PushContext, name: string): Generator<void> {
  const listenPort = Number(name);
  if (!Number.isInteger(listenPort)) return;
  const { services, virtualServices } = push.scopeFor(node).routed(listenPort);
  yield;
  const scope: RouteScope = { node, push, listenPort, gateway: 'mesh' };
  for (const rule of rulesOf(virtualServices, listenPort)) {
    ruleRoutes(rule, scope);
    yield;
  }
  const governing = governingRules(
    services.map(({ hostname }) => hostname),
    virtualServices,
  );
  for (const service of services) {
    if (service.resolution === 'ALIAS' || governing.has(service.hostname) || httpPorts(service, listenPort).length === 0) continue;
    serviceRoutes(service, scope);
    yield;
  }
}

function rulesOf(rules: readonly VirtualService[], port: number): VirtualService[] {
  return rules.filter((rule) => rule.port === undefined || port === 0 || rule.port === port);
}

/** Which sidecars have the same routes. */
export function routesView(node: ProxyNode, push: PushContext): string {
  const counts = push.proxySettings(node).headers.countsAttempts ? '' : 'uncounted';
  const labels = push.scopeFor(node).asksForLabels || push.destinationRules.selectClients ? labelsKey(node) : '';
  return `RDS ${viewOf(node)} ${counts} ${labels} ${push.patchesFor(node)?.key ?? ''}`;
}

/** Every host that a proxy leads to, with each of its ports. */
function proxyHosts(node: ProxyNode, push: PushContext, proxy: EgressScope): VirtualHostFields[] {
  return [...hostsOf(node, push, proxy, { port: 0, withPorts: true }), catchAllHost(push.scopeFor(node))];
}

/** `80` holds every host of the port and the catch-all; `reviews.default.svc.cluster.local:9080` just that one, for any domain. */
function virtualHosts(node: ProxyNode, push: PushContext, name: string): VirtualHostFields[] {
  const at = name.lastIndexOf(':');
  const port = Number(name.slice(at + 1));
  if (!Number.isInteger(port)) return [];
  if (at === -1) return [...portHosts(node, push, port), catchAllHost(push.scopeFor(node))];
  const own = portHosts(node, push, port).filter(({ domains }) => domains?.some((entry) => entry === name || entry === name.slice(0, at)));
  return own.length === 1 ? [{ ...own[0]!, domains: ['*'] }] : own;
}

/** Virtual hosts in the making: the same routes for each of some services and other hosts. */
interface HostGroup {
  readonly services: readonly MeshService[];
  readonly hosts: readonly string[];
  readonly routes: readonly RouteFields[];
  readonly source: MeshObject;
  readonly port: number;
}

/** Of which port hosts are asked for; 0: of all. `withPorts`: callers name the port as well. */
interface Asked {
  readonly port: number;
  readonly withPorts: boolean;
}

/**
 * Every HTTP host of a port, by name (Istio: BuildSidecarOutboundVirtualHosts). `withPorts`: for gRPC, which compares the authority as
 * it stands.
 */
export function portHosts(node: ProxyNode, push: PushContext, port: number, withPorts = false): VirtualHostFields[] {
  return hostsOf(node, push, push.scopeFor(node).routed(port), { port, withPorts });
}

function hostsOf(node: ProxyNode, push: PushContext, { services, virtualServices }: PortScope, asked: Asked): VirtualHostFields[] {
  const { port } = asked;
  const registry = new Map(services.map((service) => [service.hostname, service]));
  const rules = rulesOf(virtualServices, port);
  const governing = governingRules(
    services.map(({ hostname }) => hostname),
    virtualServices,
  );
  const scope: RouteScope = { node, push, listenPort: port, gateway: 'mesh' };
  const groups = rules.flatMap((rule) => ruleGroups(rule, registry, governing, scope));
  for (const { services: ruled } of groups) for (const { hostname } of ruled) registry.delete(hostname);
  for (const service of registry.values()) {
    if (service.resolution === 'ALIAS') continue;
    for (const own of httpPorts(service, port))
      groups.push({
        services: [service],
        hosts: [],
        routes: serviceRoutes(service, { ...scope, listenPort: own }),
        source: service.object,
        port: own,
      });
  }
  return named(groups, scope, asked).sort((a, b) => (a.name! < b.name! ? -1 : 1));
}

/** A service's default routes differ by the rule that the client's namespace gives it, and else not by who calls. */
function serviceRoutes(service: MeshService, { node, push, listenPort }: RouteScope): readonly RouteFields[] {
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const view = `hosts of RDS ${callerView(node)}`;
  const name = `${listenPort} ${ruledName(service, rule, node)}`;
  return push.shared.across(view, name, () => [defaultRoute(service, listenPort, { node, push, rule })], [service, rule]);
}

function ruleRoutes(rule: VirtualService, scope: RouteScope): RouteFields[] {
  const { node, push, listenPort } = scope;
  const view = `rules of ${routesView(node, push)}`;
  const name = `${rule.namespace}/${rule.name}:${listenPort}`;
  return push.shared.get(push.scopeFor(node), view, name, () => virtualServiceRoutes(rule, scope), [rule]);
}

/** Ports of a service that carry HTTP: the one that is asked for, or (0) all. */
function httpPorts({ ports }: MeshService, port: number): number[] {
  const carriesHttp = ({ protocol }: MeshServicePort): boolean => isHttp(protocol) || protocol === 'Auto';
  if (port !== 0) return ports.some((entry) => entry.port === port && carriesHttp(entry)) ? [port] : [];
  return [...new Set(ports.filter(carriesHttp).map((entry) => entry.port))];
}

/**
 * The services that a rule governs on this port, and its hosts that are none. Without a service there is a group on port 80 only: an
 * exact host without a service answers 503 there instead of passing through (Istio: "gross HACK" in route.go).
 */
function ruleGroups(
  rule: VirtualService,
  registry: ReadonlyMap<string, MeshService>,
  governing: ReadonlyMap<string, VirtualService>,
  scope: RouteScope,
): HostGroup[] {
  const services: MeshService[] = [];
  const hosts: string[] = [];
  for (const host of [...rule.hosts].sort((a, b) => Number(a.startsWith('*')) - Number(b.startsWith('*')))) {
    const exact = registry.get(host);
    if (!host.startsWith('*') && exact !== undefined) services.push(exact);
    else if (!host.startsWith('*') || rule.gatewayApi) hosts.push(host);
    else {
      const matching = [...registry.values()].filter(({ hostname }) => hostMatches(host, hostname) || hostMatches(hostname, host));
      if (matching.length === 0) hosts.push(host);
      services.push(...matching.filter(({ hostname }) => governing.get(hostname) === rule));
    }
  }
  // A route of the Gateway API is the service's own namespace's, or of the client's for its own calls.
  if (rule.gatewayApi && !services.some(({ namespace }) => namespace === rule.namespace || scope.node.namespace === rule.namespace))
    return [];
  const { listenPort } = scope;
  const byPort = new Map<number, MeshService[]>(listenPort === 80 ? [[80, []]] : []);
  for (const service of services)
    for (const port of httpPorts(service, listenPort)) {
      const others = byPort.get(port);
      if (others === undefined) byPort.set(port, [service]);
      else others.push(service);
    }
  return [...byPort].flatMap(([port, own]) => {
    const routes = ruleRoutes(rule, { ...scope, listenPort: port });
    return routes.length === 0 ? [] : { services: own, hosts, routes, source: rule.source, port };
  });
}

/** Names and domains; what an earlier host has, a later one does not get. */
function named(groups: readonly HostGroup[], { node, push }: RouteScope, asked: Asked): VirtualHostFields[] {
  const { domain } = push.mesh;
  const known = new Set(groups.flatMap(({ services }) => services.map(({ hostname }) => hostname)));
  const names = new Set<string>();
  const domains = new Set<string>();
  const found: VirtualHostFields[] = [];
  const add = (host: string, own: readonly DomainName[], { routes, source, port }: HostGroup): void => {
    const name = `${bracketed(host.toLowerCase())}:${port}`;
    if (names.has(name)) return;
    names.add(name);
    // A short form must not take the place of a host that is really called so.
    const free = own
      .flatMap((entry) => (entry.short && known.has(entry.name) ? [] : written(entry.name.toLowerCase(), port, asked)))
      .filter((entry) => !domains.has(entry));
    for (const entry of free) domains.add(entry);
    if (free.length > 0) found.push(sharedHost({ name, domains: free, routes, source, ripstop: node.ripstop }));
  };
  for (const group of groups) {
    for (const host of group.hosts) add(host, [{ name: bracketed(host), short: false }], group);
    for (const service of group.services) add(service.hostname, domainsOf(service, node, domain), group);
  }
  return found;
}

/** How callers name a host: to a proxy with its port, which only 80 goes without (Istio: mergeAllVirtualHosts). */
function written(host: string, port: number, { port: asked, withPorts }: Asked): string[] {
  if (!withPorts) return [host];
  return asked === 0 && port !== 80 ? [`${host}:${port}`] : [host, `${host}:${port}`];
}

interface DomainName {
  readonly name: string;
  /** Made of a host name by leaving parts out. */
  readonly short: boolean;
}

/** Every name that a client may use for a service, in istiod's order. */
function domainsOf(service: MeshService, node: ProxyNode, domain: string): DomainName[] {
  const { hostname, aliases, headless } = service;
  const names = [hostname, ...aliases].flatMap((host) => [
    { name: host, short: false },
    { name: `${host}.`, short: true },
    ...shortNames(host, node.namespace, domain).map((name) => ({ name, short: true })),
  ]);
  if (headless) return [...names, ...names.map(({ name }) => ({ name: `*.${name}`, short: false }))];
  return [...names, ...addressesFor(node, service).map((name) => ({ name: bracketed(name), short: false }))];
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
