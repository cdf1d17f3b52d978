import type { HTTPMatchRequest, HTTPRoute, MeshObject, VirtualServiceSpec } from '@ripstop/istio-api';
import type { SourcedRoute, VirtualService } from '../push/virtual-services.ts';
import type { Backends } from './backends.ts';
import type { ObjectStatus, Path, Problem } from './conditions.ts';
import { GATEWAY_API } from './gateway-types.ts';
import type { Place, RouteBinder } from './route-binding.ts';
import { compareMatches, grpcMatch, httpMatch } from './route-match.ts';
import { GRPC_FILTERS, HTTP_FILTERS, ruleFields } from './route-rule.ts';
import { type ParentResult, routeStatus } from './route-status.ts';
import type { GrpcMatch, HttpMatch, RouteSpec } from './route-types.ts';

/** Routes that become one VirtualService. */
interface Group {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly gateway: string;
  readonly port: number | undefined;
  readonly routes: SourcedRoute[];
}

type Target = Omit<Group, 'routes'>;

export interface RouteInput {
  /** Oldest first, then by namespace and name. */
  readonly objects: readonly MeshObject[];
  readonly binder: RouteBinder;
  readonly backends: Backends;
}

export interface TranslatedRoutes {
  readonly virtualServices: readonly VirtualService[];
  readonly statuses: readonly ObjectStatus[];
}

/** HTTPRoutes and GRPCRoutes as VirtualServices (Istio: conversion.go). Clients that follow a route of the mesh follow nothing else. */
export function translateRoutes(input: RouteInput): TranslatedRoutes {
  const collector = new Collector(input);
  for (const object of input.objects) {
    if (!object.apiVersion.startsWith(`${GATEWAY_API}/`)) continue;
    if (object.kind === 'HTTPRoute') collector.add(object as MeshObject<RouteSpec<HttpMatch>>, httpMatch, HTTP_FILTERS);
    if (object.kind === 'GRPCRoute') collector.add(object as MeshObject<RouteSpec<GrpcMatch>>, grpcMatch, GRPC_FILTERS);
  }
  const { groups, statuses } = collector;
  return { virtualServices: [...groups.values()].map(virtualService), statuses };
}

class Collector {
  readonly groups = new Map<string, Group>();
  readonly statuses: ObjectStatus[] = [];
  private readonly input: RouteInput;

  constructor(input: RouteInput) {
    this.input = input;
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
      const bound = this.input.binder.bind(object, parent, ['spec', 'parentRefs', index]);
      if (bound === undefined) continue;
      const { routes, problems } = rulesFor(bound.mesh);
      parents.push({ parent, path: ['spec', 'parentRefs', index], denials: bound.denials, accepted: bound.accepted, problems });
      for (const target of bound.places.flatMap((place) => targetsOf(place, object.metadata.namespace))) this.place(target, routes, seen);
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
      const translated = ruleFields(rule, { resolve, filters, needsMirrors: object.kind === 'GRPCRoute' }, path);
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
}

/** A VirtualService for each host; routes of several documents may meet in one. */
function targetsOf({ gateway, listener, hosts, port }: Place, own: string): Target[] {
  return hosts.map((host) => {
    const parts = listener === undefined ? [own, ...(port === undefined ? [] : [String(port)])] : gateway.split('/', 2);
    return { name: [...parts, host].join('~'), namespace: own, host, gateway, port };
  });
}

function virtualService({ name, namespace, host, gateway, port, routes }: Group): VirtualService {
  const first = routes[0]!.object;
  return {
    object: virtualServiceObject(first, name, namespace),
    source: first,
    name,
    namespace,
    hosts: [host],
    gateways: [gateway],
    http: [...routes].sort((a, b) => compareMatches(a.route.match?.[0], b.route.match?.[0])),
    // A route in another namespace than its Service's is seen by all, and followed by clients of its own (see ruleGroup).
    exportTo: ['*'],
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
