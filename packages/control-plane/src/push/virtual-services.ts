import type { Destination, HTTPMatchRequest, HTTPRoute, MeshObject, VirtualServiceSpec } from '@ripstop/istio-api';
import { mergeDelegate } from './delegates.ts';
import { isSame } from './reuse.ts';
import { hostMatches, isVisible, namedOr, resolveHost } from './service.ts';

/** A VirtualService with its short names resolved and its delegates merged in. */
export interface VirtualService {
  /** By its name metadata knows it. */
  readonly object: MeshObject<VirtualServiceSpec>;
  /** The document that somebody wrote. */
  readonly source: MeshObject;
  readonly name: string;
  readonly namespace: string;
  readonly hosts: readonly string[];
  /** `mesh` or `namespace/name`. */
  readonly gateways: readonly string[];
  readonly http: readonly SourcedRoute[];
  /** Where its tcp and tls routes lead. */
  readonly streams: readonly Destination[];
  readonly exportTo: readonly string[];
  /** Made from routes of the Gateway API, whose paths and missing backends mean something else. */
  readonly gatewayApi: boolean;
  /** Governs this port of its hosts only. */
  readonly port: number | undefined;
}

/** A route and where its lines are. */
export interface SourcedRoute {
  readonly route: HTTPRoute;
  readonly object: MeshObject;
  /** Where it stands in `object`. */
  readonly path: readonly (string | number)[];
}

/**
 * All VirtualServices with hosts, oldest first. Those without are delegates: used through their root only. One whose documents are the
 * same as in `before` is the same object.
 */
export function resolveVirtualServices(
  objects: readonly MeshObject<VirtualServiceSpec>[],
  domain: string,
  exportTo: readonly string[] = ['*'],
  before: readonly VirtualService[] = [],
): VirtualService[] {
  const delegates = new Map<string, MeshObject<VirtualServiceSpec>>();
  for (const object of objects) delegates.set(`${object.metadata.namespace}/${object.metadata.name}`, object);
  const known = new Map(before.map((service) => [service.object, service]));
  const resolved: VirtualService[] = [];
  for (const object of objects) {
    if ((object.spec.hosts ?? []).length === 0) continue;
    // What a delegate makes of a route depends on another document.
    const alone = !(object.spec.http ?? []).some(({ delegate }) => delegate !== undefined);
    const before = alone ? known.get(object) : undefined;
    const same = before !== undefined && (object.spec.exportTo !== undefined || isSame(before.exportTo, exportTo));
    resolved.push(same ? before : resolveVirtualService(object, delegates, domain, exportTo));
  }
  return resolved;
}

function resolveVirtualService(
  object: MeshObject<VirtualServiceSpec>,
  delegates: ReadonlyMap<string, MeshObject<VirtualServiceSpec>>,
  domain: string,
  exportTo: readonly string[],
): VirtualService {
  const { spec, metadata } = object;
  return {
    object,
    source: object,
    name: metadata.name,
    namespace: metadata.namespace,
    hosts: spec.hosts!.map((host) => resolveHost(host, metadata.namespace, domain)),
    gateways: (spec.gateways ?? ['mesh']).map((gateway) => gatewayKey(gateway, metadata.namespace)),
    http: (spec.http ?? []).flatMap((route, index) =>
      expand({ route, object, path: ['spec', 'http', index] }, delegates, domain, exportTo),
    ),
    streams: [...(spec.tcp ?? []), ...(spec.tls ?? [])].flatMap(({ route = [] }) =>
      route.map(({ destination }) => ({ ...destination, host: resolveHost(destination.host, metadata.namespace, domain) })),
    ),
    exportTo: namedOr(spec.exportTo, exportTo),
    gatewayApi: false,
    port: undefined,
  };
}

function gatewayKey(gateway: string, namespace: string): string {
  return gateway === 'mesh' || gateway.includes('/') ? gateway : `${namespace}/${gateway}`;
}

function expand(
  root: SourcedRoute,
  delegates: ReadonlyMap<string, MeshObject<VirtualServiceSpec>>,
  domain: string,
  exportTo: readonly string[],
): SourcedRoute[] {
  const { delegate } = root.route;
  if (delegate === undefined) return [resolveRoute(root, domain)];
  const { namespace } = root.object.metadata;
  const target = delegates.get(`${delegate.namespace ?? namespace}/${delegate.name ?? ''}`);
  if (target === undefined || (target.spec.hosts ?? []).length > 0) return [];
  if (!isVisible(namedOr(target.spec.exportTo, exportTo), target.metadata.namespace, namespace)) return [];
  const whole = resolveRoute(root, domain);
  return (target.spec.http ?? []).flatMap((route, index) => {
    const leaf = resolveRoute({ route, object: target, path: ['spec', 'http', index] }, domain);
    const merged = mergeDelegate(whole.route, leaf.route);
    return merged === undefined ? [] : [{ ...leaf, route: merged }];
  });
}

/** Short names of hosts and gateways in a route belong to the namespace of the document that the route stands in. */
function resolveRoute(sourced: SourcedRoute, domain: string): SourcedRoute {
  const { namespace } = sourced.object.metadata;
  const { route } = sourced;
  const full = <D extends { readonly host: string }>(destination: D): D => ({
    ...destination,
    host: resolveHost(destination.host, namespace, domain),
  });
  return {
    ...sourced,
    route: {
      ...route,
      ...(route.route === undefined ? {} : { route: route.route.map((entry) => ({ ...entry, destination: full(entry.destination) })) }),
      ...(route.mirror === undefined ? {} : { mirror: full(route.mirror) }),
      ...(route.mirrors === undefined
        ? {}
        : { mirrors: route.mirrors.map((entry) => ({ ...entry, destination: full(entry.destination) })) }),
      ...(route.match === undefined ? {} : { match: route.match.map((match) => resolveMatch(match, namespace)) }),
    },
  };
}

function resolveMatch(match: HTTPMatchRequest, namespace: string): HTTPMatchRequest {
  return match.gateways === undefined ? match : { ...match, gateways: match.gateways.map((gateway) => gatewayKey(gateway, namespace)) };
}

/**
 * Hosts that a rule leads to, with the ports that it names there; 0 stands for a destination without a port. Routes that only other
 * namespaces may take are left out (Istio: virtualServiceDestinationsFilteredBySourceNamespace).
 */
export function destinationsOf(rule: VirtualService, client: string): ReadonlyMap<string, ReadonlySet<number>> {
  const known = sameForAll.get(rule);
  if (known !== undefined) return known;
  const found = destinationsFor(rule, client);
  const asks = rule.http.some(({ route }) => route.match?.some(({ sourceNamespace = '' }) => sourceNamespace !== '') === true);
  if (!asks) sameForAll.set(rule, found);
  return found;
}

/** Of rules that do not ask who calls. */
const sameForAll = new WeakMap<VirtualService, ReadonlyMap<string, ReadonlySet<number>>>();

function destinationsFor({ http, streams }: VirtualService, client: string): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>();
  const add = ({ host, port }: Destination): void => {
    const ports = found.get(host) ?? new Set();
    found.set(host, ports.add(port?.number ?? 0));
  };
  for (const { route } of http) {
    const sources = (route.match ?? []).flatMap(({ sourceNamespace = '' }) => (sourceNamespace === '' ? [] : [sourceNamespace]));
    if (sources.length > 0 && !sources.includes(client)) continue;
    for (const { destination } of route.route ?? []) add(destination);
    for (const { destination } of route.mirrors ?? []) add(destination);
    if (route.mirror !== undefined) add(route.mirror);
  }
  for (const destination of streams) add(destination);
  return found;
}

/** Rules that were made of the Gateway API, which say nobody themselves: MeshConfig says to whom they are exported. */
export function exportedByDefault(made: readonly VirtualService[], exportTo: readonly string[]): readonly VirtualService[] {
  return exportTo.includes('*') ? made : made.map((service) => ({ ...service, exportTo }));
}

/**
 * The VirtualServices that a client or a gateway of `namespace` sees, in Istio's order: private ones of its own, exported to it, public; of
 * those the routes of the Gateway API in its own namespace first (Istio: VirtualServicesForGateway).
 */
export function visibleVirtualServices(all: readonly VirtualService[], namespace: string): VirtualService[] {
  const own: VirtualService[] = [];
  const exported: VirtualService[] = [];
  const near: VirtualService[] = [];
  const open: VirtualService[] = [];
  for (const service of all) {
    const { exportTo } = service;
    const here = service.namespace === namespace;
    if (exportTo.length === 0 || exportTo.includes('*')) (service.gatewayApi && here ? near : open).push(service);
    else if (here && (exportTo.includes('.') || exportTo.includes(namespace))) own.push(service);
    else if (isVisible(exportTo, service.namespace, namespace)) exported.push(service);
  }
  return [...own, ...exported, ...near, ...open];
}

/**
 * Which rule each service belongs to: the one with its exact host, else with the longest wildcard; of two with the same host the first
 * (Istio: mostSpecificWildcardVsIndex).
 */
export function governingRules(hosts: Iterable<string>, rules: readonly VirtualService[]): Map<string, VirtualService> {
  const byPattern = new Map<string, VirtualService>();
  for (const rule of rules) for (const host of rule.hosts) if (!byPattern.has(host)) byPattern.set(host, rule);
  const wildcards = [...byPattern.keys()].filter((pattern) => pattern.startsWith('*')).sort((a, b) => b.length - a.length);
  const found = new Map<string, VirtualService>();
  for (const host of hosts) {
    const pattern = byPattern.has(host) ? host : wildcards.find((candidate) => hostMatches(candidate, host));
    if (pattern !== undefined) found.set(host, byPattern.get(pattern)!);
  }
  return found;
}
