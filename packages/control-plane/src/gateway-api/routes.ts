import type { HTTPMatchRequest, HTTPRoute, MeshObject, ServiceEntrySpec, VirtualServiceSpec } from '@ripstop/istio-api';
import type { SourcedRoute, VirtualService } from '../push/virtual-services.ts';
import { attach } from './attachments.ts';
import type { Backends } from './backends.ts';
import type { ObjectStatus, Path, Problem } from './conditions.ts';
import { GATEWAY_API } from './gateway-types.ts';
import { type EvaluatedGateway, takesRoutes } from './gateways.ts';
import { compareMatches, grpcMatch, httpMatch } from './route-match.ts';
import { GRPC_FILTERS, HTTP_FILTERS, ruleFields } from './route-rule.ts';
import { type ParentResult, routeStatus } from './route-status.ts';
import type { GrpcMatch, HttpMatch, ParentRef, RouteSpec } from './route-types.ts';

/** Routes that become one VirtualService. */
interface Group {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly gateway: string;
  readonly port: number | undefined;
  readonly exportTo: readonly string[];
  readonly routes: SourcedRoute[];
}

type Target = Omit<Group, 'routes'>;

export interface RouteInput {
  /** Oldest first, then by namespace and name. */
  readonly objects: readonly MeshObject[];
  readonly gateways: readonly EvaluatedGateway[];
  readonly backends: Backends;
  readonly domain: string;
}

export interface TranslatedRoutes {
  readonly virtualServices: readonly VirtualService[];
  readonly statuses: readonly ObjectStatus[];
  /** How many routes each listener takes, by `namespace/<internal name>`. */
  readonly attached: ReadonlyMap<string, number>;
}

/**
 * HTTPRoutes and GRPCRoutes as VirtualServices (Istio: conversion.go). With a Service or ServiceEntry as parent they are for the mesh
 * (GAMMA): a route in the service's namespace is for every client, one in another namespace for the clients there, and they follow
 * nothing else. With a Gateway as parent they are for the listeners that take them.
 */
export function translateRoutes(input: RouteInput): TranslatedRoutes {
  const collector = new Collector(input);
  for (const object of input.objects) {
    if (!object.apiVersion.startsWith(`${GATEWAY_API}/`)) continue;
    if (object.kind === 'HTTPRoute') collector.add(object as MeshObject<RouteSpec<HttpMatch>>, httpMatch, HTTP_FILTERS);
    if (object.kind === 'GRPCRoute') collector.add(object as MeshObject<RouteSpec<GrpcMatch>>, grpcMatch, GRPC_FILTERS);
  }
  const { groups, statuses, attached } = collector;
  return { virtualServices: [...groups.values()].map(virtualService), statuses, attached };
}

class Collector {
  readonly groups = new Map<string, Group>();
  readonly statuses: ObjectStatus[] = [];
  readonly attached = new Map<string, number>();
  private readonly input: RouteInput;
  /** Hosts of ServiceEntries by `namespace/name`. */
  private readonly entries = new Map<string, readonly string[]>();

  constructor(input: RouteInput) {
    this.input = input;
    for (const { kind, metadata, spec } of input.objects) {
      if (kind === 'ServiceEntry') this.entries.set(`${metadata.namespace}/${metadata.name}`, (spec as ServiceEntrySpec).hosts ?? []);
    }
  }

  add<Match>(object: MeshObject<RouteSpec<Match>>, translate: (match: Match) => HTTPMatchRequest, filters: ReadonlySet<string>): void {
    const rules = new Map<boolean, ReturnType<typeof this.rules<Match>>>();
    const rulesFor = (mesh: boolean) => {
      const made = rules.get(mesh) ?? this.rules(object, mesh, translate, filters);
      rules.set(mesh, made);
      return made;
    };
    const parents: ParentResult[] = [];
    const seen = new Set<string>();
    for (const [index, parent] of (object.spec.parentRefs ?? []).entries()) {
      const bound = this.bind(object, parent, ['spec', 'parentRefs', index]);
      if (bound === undefined) continue;
      const { routes, problems } = rulesFor(bound.mesh);
      parents.push({ parent, path: ['spec', 'parentRefs', index], denials: bound.denials, accepted: bound.accepted, problems });
      for (const target of bound.targets) this.place(target, routes, seen);
    }
    this.statuses.push(routeStatus(object, parents));
  }

  private place(target: Target, routes: readonly SourcedRoute[], seen: Set<string>): void {
    const key = [target.gateway, target.gateway === 'mesh' ? target.namespace : '', target.host, target.port ?? ''].join(' ');
    if (routes.length === 0 || seen.has(key)) return;
    seen.add(key);
    const group = this.groups.get(key) ?? { ...target, routes: [] };
    this.groups.set(key, group);
    group.routes.push(...routes.map((sourced) => ({ ...sourced, route: withPort(sourced.route, target.port) })));
  }

  /** The rules of a document, one route per match: they are sorted apart. */
  private rules<Match>(
    object: MeshObject<RouteSpec<Match>>,
    mesh: boolean,
    translate: (match: Match) => HTTPMatchRequest,
    filters: ReadonlySet<string>,
  ): { readonly routes: readonly SourcedRoute[]; readonly problems: readonly Problem[] } {
    const { kind, metadata, spec } = object;
    const scope = { kind, namespace: metadata.namespace, asksGrants: !mesh };
    const resolve = (ref: Parameters<Backends['resolve']>[0], path: Path) => this.input.backends.resolve(ref, scope, path);
    const routes: SourcedRoute[] = [];
    const problems: Problem[] = [];
    let fatal = false;
    for (const [index, rule] of (spec.rules ?? []).entries()) {
      const path = ['spec', 'rules', index];
      const translated = ruleFields(rule, { resolve, filters }, path);
      problems.push(...translated.problems);
      if (translated.fields === undefined) fatal = true;
      const route = { name: rule.name ?? `${metadata.namespace}.${metadata.name}.${index}`, ...translated.fields };
      const matches = rule.matches ?? [];
      if (matches.length === 0) routes.push({ route, object, path });
      for (const [number, match] of matches.entries()) {
        routes.push({ route: { ...route, match: [translate(match)] }, object, path: [...path, 'matches', number] });
      }
    }
    return { routes: fatal ? [] : routes, problems };
  }

  /** Undefined for parents of other kinds, and for Gateways that are not ours: others may serve them. */
  private bind<Match>(object: MeshObject<RouteSpec<Match>>, parent: ParentRef, path: Path): Bound | undefined {
    const { group = GATEWAY_API, kind = 'Gateway' } = parent;
    if (group === GATEWAY_API && kind === 'Gateway') return this.bindGateway(object, parent, path);
    if (group === '' && kind === 'Service') return this.bindService(object, parent, path);
    if (group === 'networking.istio.io' && kind === 'ServiceEntry') return this.bindEntry(object, parent, path);
    return undefined;
  }

  private bindGateway<Match>({ kind, metadata, spec }: MeshObject<RouteSpec<Match>>, parent: ParentRef, path: Path): Bound | undefined {
    const { name, namespace = metadata.namespace } = parent;
    const gateway = this.input.gateways.find((entry) => isNamed(entry.gateway, namespace, name));
    if (gateway === undefined) return undefined;
    const route = { kind, namespace: metadata.namespace, hostnames: spec.hostnames ?? [] };
    const attachments = attach(gateway.listeners.filter(takesRoutes), parent, route, path);
    const accepted = attachments.filter(({ denied }) => denied === undefined);
    const targets = accepted.flatMap(({ listener, hosts }) => {
      const key = `${namespace}/${listener.name}`;
      this.attached.set(key, (this.attached.get(key) ?? 0) + 1);
      return hosts.map((host) => ({
        name: `${namespace}~${listener.name}~${host}`,
        namespace: metadata.namespace,
        host,
        gateway: key,
        port: undefined,
        exportTo: ['*'],
      }));
    });
    return { mesh: false, targets, accepted: accepted.length, denials: attachments.flatMap(({ denied }) => denied ?? []) };
  }

  private bindService<Match>({ metadata }: MeshObject<RouteSpec<Match>>, parent: ParentRef, path: Path): Bound {
    const { name, namespace = metadata.namespace } = parent;
    if (!this.input.backends.hasService(namespace, name)) return unknownParent(`parent service: "${name}" not found`, path);
    const targets = this.meshTargets([`${name}.${namespace}.svc.${this.input.domain}`], parent, metadata.namespace);
    return { mesh: true, targets, accepted: 1, denials: [] };
  }

  private bindEntry<Match>({ metadata }: MeshObject<RouteSpec<Match>>, parent: ParentRef, path: Path): Bound {
    const { name, namespace = metadata.namespace } = parent;
    const hosts = this.entries.get(`${namespace}/${name}`);
    if (hosts === undefined) return unknownParent(`parent service entry: "${name}" not found`, path);
    return { mesh: true, targets: this.meshTargets(hosts, parent, metadata.namespace), accepted: 1, denials: [] };
  }

  private meshTargets(hosts: readonly string[], { namespace, port }: ParentRef, own: string): Target[] {
    return hosts.map((host) => ({
      name: [own, ...(port === undefined ? [] : [String(port)]), host].join('~'),
      namespace: own,
      host,
      gateway: 'mesh',
      port,
      exportTo: (namespace ?? own) === own ? ['*'] : ['.'],
    }));
  }
}

interface Bound {
  readonly mesh: boolean;
  readonly targets: readonly Target[];
  /** How many listeners, or Services, take the route. */
  readonly accepted: number;
  readonly denials: readonly Problem[];
}

function unknownParent(message: string, path: Path): Bound {
  return { mesh: true, targets: [], accepted: 0, denials: [{ reason: 'NoMatchingParent', message, path: [...path, 'name'] }] };
}

function isNamed({ metadata }: MeshObject, namespace: string, name: string): boolean {
  return metadata.namespace === namespace && metadata.name === name;
}

function virtualService({ name, namespace, host, gateway, port, exportTo, routes }: Group): VirtualService {
  const first = routes[0]!.object;
  return {
    object: virtualServiceObject(first, name, namespace),
    source: first,
    name,
    namespace,
    hosts: [host],
    gateways: [gateway],
    http: [...routes].sort((a, b) => compareMatches(a.route.match?.[0], b.route.match?.[0])),
    exportTo,
    streams: [],
    gatewayApi: true,
    port,
  };
}

/** The VirtualService that istiod's metadata names; there is no document of it. */
function virtualServiceObject(first: MeshObject, name: string, namespace: string): MeshObject<VirtualServiceSpec> {
  return {
    ...first,
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { ...first.metadata, name, namespace },
    spec: {},
  };
}

function withPort(route: HTTPRoute, port: number | undefined): HTTPRoute {
  if (port === undefined) return route;
  return { ...route, match: (route.match ?? [{}]).map((match) => ({ ...match, port })) };
}
