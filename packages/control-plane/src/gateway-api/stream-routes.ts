import type { Destination, L4Match, MeshObject, RouteDestination, VirtualServiceSpec } from '@ripstop/istio-api';
import { hostMatches } from '../push/service.ts';
import type { VirtualService } from '../push/virtual-services.ts';
import { isWithin } from './attachments.ts';
import type { Backends } from './backends.ts';
import type { ObjectStatus, Path, Problem } from './conditions.ts';
import { GATEWAY_API } from './gateway-types.ts';
import type { Place, RouteBinder } from './route-binding.ts';
import { type ParentResult, routeStatus } from './route-status.ts';
import type { RouteSpec } from './route-types.ts';

/** A rule of a TLSRoute or TCPRoute as a VirtualService has it. */
interface StreamRoute {
  readonly match?: readonly L4Match[];
  readonly route: readonly RouteDestination[];
}

interface TranslatedRules {
  readonly routes: readonly StreamRoute[];
  readonly problems: readonly Problem[];
}

/** Where connections go that no backend is to get: to no cluster, by the name that istiod gives it. */
const NOBODY: Destination = { host: 'internal.cluster.local', subset: 'zero-weight', port: { number: 65_535 } };

const KINDS: ReadonlySet<string> = new Set(['TLSRoute', 'TCPRoute']);

/** TLSRoutes and TCPRoutes as VirtualServices, one for each host of each parent (Istio: TLSRouteCollection, TCPRouteCollection). */
export function translateStreamRoutes(
  objects: readonly MeshObject[],
  binder: RouteBinder,
  backends: Backends,
): { readonly virtualServices: readonly VirtualService[]; readonly statuses: readonly ObjectStatus[] } {
  const virtualServices: VirtualService[] = [];
  const statuses: ObjectStatus[] = [];
  for (const object of objects) {
    if (!KINDS.has(object.kind) || !object.apiVersion.startsWith(`${GATEWAY_API}/`)) continue;
    const route = new StreamDocument(object as MeshObject<RouteSpec<never>>, binder, backends);
    virtualServices.push(...route.virtualServices());
    statuses.push(route.status());
  }
  return { virtualServices, statuses };
}

class StreamDocument {
  private readonly object: MeshObject<RouteSpec<never>>;
  private readonly backends: Backends;
  private readonly parents: ParentResult[] = [];
  private readonly places: Place[] = [];
  private readonly rules = new Map<boolean, TranslatedRules>();

  constructor(object: MeshObject<RouteSpec<never>>, binder: RouteBinder, backends: Backends) {
    this.object = object;
    this.backends = backends;
    for (const [index, parent] of (object.spec.parentRefs ?? []).entries()) {
      const path = ['spec', 'parentRefs', index];
      const bound = binder.bind(object, parent, path);
      if (bound === undefined) continue;
      const { problems } = this.rulesFor(bound.mesh);
      this.parents.push({ parent, path, denials: bound.denials, accepted: bound.accepted, problems });
      this.places.push(...bound.places);
    }
  }

  status(): ObjectStatus {
    return routeStatus(this.object, this.parents);
  }

  virtualServices(): VirtualService[] {
    const ordered = [...this.places].sort((a, b) => (a.gateway < b.gateway ? -1 : a.gateway > b.gateway ? 1 : 0));
    const placed = ordered.flatMap((place) => {
      const routes = this.routesAt(place, this.rulesFor(place.gateway === 'mesh').routes);
      return this.hostsAt(place).map((host) => ({ place, host, routes: place.gateway === 'mesh' ? forHost(routes, host) : routes }));
    });
    return placed.map(({ place, host, routes }, index) => this.virtualService(place, host, routes, index));
  }

  private get isTls(): boolean {
    return this.object.kind === 'TLSRoute';
  }

  private get hostnames(): readonly string[] {
    const { hostnames = [] } = this.object.spec;
    return hostnames.length === 0 ? ['*'] : hostnames;
  }

  /** A listener of bytes has at most one route: its host is any. */
  private hostsAt({ listener, hosts }: Place): readonly string[] {
    if (listener === undefined) return hosts;
    if (!this.isTls) return ['*'];
    return intersection(this.hostnames, listener.listener.hostname);
  }

  /** Conditions that depend on the parent. */
  private routesAt({ listener, hosts, port }: Place, routes: readonly StreamRoute[]): readonly StreamRoute[] {
    if (listener !== undefined) {
      const { hostname = '' } = listener.listener;
      if (!this.isTls || hostname === '') return routes;
      return routes.flatMap((route) => constrained(route, hostname));
    }
    if (!this.isTls) return port === undefined ? routes : routes.map((route) => ({ ...route, match: [{ port }] }));
    // A route without names is for those of its Service.
    return routes.map(({ match = [], route }) => ({
      route,
      match: match.map((entry) => ({
        ...entry,
        ...((entry.sniHosts ?? []).join() === '*' ? { sniHosts: hosts } : {}),
        ...(port === undefined ? {} : { port }),
      })),
    }));
  }

  private rulesFor(mesh: boolean): TranslatedRules {
    const made = this.rules.get(mesh) ?? this.translated(mesh);
    this.rules.set(mesh, made);
    return made;
  }

  private translated(mesh: boolean): TranslatedRules {
    const routes: StreamRoute[] = [];
    const problems: Problem[] = [];
    let fatal = false;
    for (const [index, { backendRefs = [] }] of (this.object.spec.rules ?? []).entries()) {
      const path: Path = ['spec', 'rules', index, 'backendRefs'];
      const weighted = backendRefs.map((ref, number) => ({ ref, number })).filter(({ ref }) => (ref.weight ?? 1) > 0);
      if (weighted.length === 0) {
        routes.push({ route: [{ destination: NOBODY }] });
        continue;
      }
      const scope = { kind: this.object.kind, namespace: this.object.metadata.namespace, asksGrants: !mesh };
      const route = weighted.map(({ ref, number }) => {
        const resolved = this.backends.resolve(ref, scope, [...path, number]);
        if (resolved.problem !== undefined) problems.push(resolved.problem);
        fatal ||= resolved.fatal;
        return { destination: resolved.destination, ...(weighted.length === 1 ? {} : { weight: ref.weight ?? 1 }) };
      });
      routes.push({ ...(this.isTls ? { match: [{ sniHosts: this.hostnames }] } : {}), route });
    }
    return { routes: fatal ? [] : routes, problems };
  }

  private virtualService({ gateway }: Place, host: string, routes: readonly StreamRoute[], index: number): VirtualService {
    const { metadata } = this.object;
    const name = `${metadata.name}~${this.isTls ? 'tls' : 'tcp'}~${index}~istio-autogenerated-k8s-gateway`;
    const spec: VirtualServiceSpec = this.isTls ? { tls: routes } : { tcp: routes };
    return {
      object: { ...this.object, apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { ...metadata, name }, spec },
      source: this.object,
      name,
      namespace: metadata.namespace,
      hosts: [host],
      gateways: [gateway],
      http: [],
      streams: routes.flatMap(({ route }) => route.map(({ destination }) => destination)),
      // Of bytes also a route in another namespace than its Service's is for every client (Istio: it has no exportTo).
      exportTo: ['*'],
      gatewayApi: true,
      port: undefined,
    };
  }
}

/** Names that both lists cover (Istio: host.Names.Intersection). */
function intersection(names: readonly string[], own = ''): string[] {
  if (own === '') return [...names];
  return [...new Set(names.flatMap((name) => (isWithin(name, own) ? [name] : isWithin(own, name) ? [own] : [])))];
}

/** Only the names of a listener; a route that has none of them is left out there. */
function constrained({ match = [], route }: StreamRoute, hostname: string): StreamRoute[] {
  const own = match.map((entry) => ({ ...entry, sniHosts: intersection(entry.sniHosts ?? [], hostname) }));
  return match.length === 0 || own.some(({ sniHosts }) => sniHosts.length > 0) ? [{ match: own, route }] : [];
}

/** Of several names those of the host (Istio: compatibleRoutesForHost). */
function forHost(routes: readonly StreamRoute[], host: string): StreamRoute[] {
  return routes.map(({ match = [], route }) => ({
    ...(match.length === 0
      ? {}
      : {
          match: match.map((entry) =>
            (entry.sniHosts ?? []).length > 1 ? { ...entry, sniHosts: entry.sniHosts!.filter((name) => meets(host, name)) } : entry,
          ),
        }),
    route,
  }));
}

function meets(a: string, b: string): boolean {
  return hostMatches(a, b) || hostMatches(b, a);
}
