import type { HTTPMatchRequest, HTTPRoute, MeshObject, ServiceEntrySpec, VirtualServiceSpec } from '@ripstop/istio-api';
import type { SourcedRoute, VirtualService } from '../push/virtual-services.ts';
import { boundListeners, type GatewayListener } from './listeners.ts';
import { ReferenceGrants } from './reference-grants.ts';
import { compareMatches, grpcMatch, httpMatch } from './route-match.ts';
import { ruleFields } from './route-rule.ts';
import type { BackendRef, GrpcMatch, HttpMatch, ParentRef, RouteRule, RouteSpec } from './route-types.ts';

/** Routes that become one VirtualService. */
interface Group {
  readonly name: string;
  readonly namespace: string;
  readonly host: string;
  readonly gateway: string;
  readonly port: number | undefined;
  readonly exportTo: readonly string[];
  readonly routes: { readonly route: HTTPRoute; readonly object: MeshObject; readonly path: readonly (string | number)[] }[];
}

type Target = Omit<Group, 'routes'>;

/**
 * HTTPRoutes and GRPCRoutes as VirtualServices (Istio: conversion.go). With a Service or ServiceEntry as parent they are for the mesh
 * (GAMMA): a route in the service's namespace is for every client, one in another namespace for the clients there, and they follow
 * nothing else. With a Gateway as parent they are for the listeners that take them. `objects` oldest first.
 */
export function gatewayApiRoutes(objects: readonly MeshObject[], listeners: readonly GatewayListener[], domain: string): VirtualService[] {
  const collector = new Collector(objects, listeners, domain);
  for (const object of objects) {
    if (!object.apiVersion.startsWith('gateway.networking.k8s.io/')) continue;
    if (object.kind === 'HTTPRoute') collector.add(object as MeshObject<RouteSpec<HttpMatch>>, httpMatch);
    if (object.kind === 'GRPCRoute') collector.add(object as MeshObject<RouteSpec<GrpcMatch>>, grpcMatch);
  }
  return [...collector.groups.values()].map(virtualService);
}

class Collector {
  readonly groups = new Map<string, Group>();
  private readonly domain: string;
  private readonly listeners: readonly GatewayListener[];
  private readonly grants: ReferenceGrants;
  /** Hosts of ServiceEntries by `namespace/name`. */
  private readonly entries = new Map<string, readonly string[]>();

  constructor(objects: readonly MeshObject[], listeners: readonly GatewayListener[], domain: string) {
    this.domain = domain;
    this.listeners = listeners;
    this.grants = new ReferenceGrants(objects);
    for (const { kind, metadata, spec } of objects) {
      if (kind === 'ServiceEntry') this.entries.set(`${metadata.namespace}/${metadata.name}`, (spec as ServiceEntrySpec).hosts);
    }
  }

  add<Match>(object: MeshObject<RouteSpec<Match>>, translate: (match: Match) => HTTPMatchRequest): void {
    const targets = (object.spec.parentRefs ?? []).flatMap((parent) => [
      ...this.meshTargets(parent, object.metadata.namespace),
      ...this.gatewayTargets(parent, object),
    ]);
    const seen = new Set<string>();
    for (const target of targets) {
      const key = `${target.gateway} ${target.gateway === 'mesh' ? target.namespace : ''} ${target.host} ${target.port ?? ''}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const group = this.groups.get(key) ?? { ...target, routes: [] };
      this.groups.set(key, group);
      for (const [index, rule] of (object.spec.rules ?? []).entries()) {
        const permitted = target.gateway === 'mesh' ? rule : this.permitted(object, rule);
        for (const route of ruleRoutes(object, permitted, index, this.domain, translate)) {
          group.routes.push({ route, object, path: ['spec', 'rules', index] });
        }
      }
    }
  }

  private meshTargets({ kind, group, name, namespace, port }: ParentRef, own: string): Target[] {
    const parent = namespace ?? own;
    const hosts =
      kind === 'Service' && (group ?? '') === ''
        ? [`${name}.${parent}.svc.${this.domain}`]
        : kind === 'ServiceEntry' && group === 'networking.istio.io'
          ? (this.entries.get(`${parent}/${name}`) ?? [])
          : [];
    return hosts.map((host) => ({
      name: [own, ...(port === undefined ? [] : [String(port)]), host].join('~'),
      namespace: own,
      host,
      gateway: 'mesh',
      port,
      exportTo: parent === own ? ['*'] : ['.'],
    }));
  }

  private gatewayTargets<Match>(parent: ParentRef, { kind, metadata, spec }: MeshObject<RouteSpec<Match>>): Target[] {
    const route = { kind, namespace: metadata.namespace, hostnames: spec.hostnames ?? [] };
    return boundListeners(this.listeners, parent, route).flatMap(({ listener, hosts }) =>
      hosts.map((host) => ({
        name: `${listener.gateway.metadata.namespace}~${listener.name}~${host}`,
        namespace: metadata.namespace,
        host,
        gateway: `${listener.gateway.metadata.namespace}/${listener.name}`,
        port: undefined,
        exportTo: ['*'],
      })),
    );
  }

  /** Backends of namespaces that have not granted it become references that lead nowhere. */
  private permitted<Match>({ kind, metadata }: MeshObject, rule: RouteRule<Match>): RouteRule<Match> {
    const checked = (ref: BackendRef): BackendRef => (this.grants.allow(kind, metadata.namespace, ref) ? ref : { ...ref, kind: 'Refused' });
    const filters = rule.filters?.map((filter) => {
      const { requestMirror } = filter;
      return requestMirror === undefined
        ? filter
        : { ...filter, requestMirror: { ...requestMirror, backendRef: checked(requestMirror.backendRef) } };
    });
    return {
      ...rule,
      ...(filters === undefined ? {} : { filters }),
      ...(rule.backendRefs === undefined ? {} : { backendRefs: rule.backendRefs.map(checked) }),
    };
  }
}

/** One route per match: they are sorted apart. */
function ruleRoutes<Match>(
  { metadata }: MeshObject,
  rule: RouteRule<Match>,
  index: number,
  domain: string,
  translate: (match: Match) => HTTPMatchRequest,
): HTTPRoute[] {
  const name = rule.name ?? `${metadata.namespace}.${metadata.name}.${index}`;
  const fields = ruleFields(rule, { namespace: metadata.namespace, domain });
  const matches = rule.matches ?? [];
  if (matches.length === 0) return [{ name, ...fields }];
  return matches.map((match) => ({ name, match: [translate(match)], ...fields }));
}

function virtualService({ name, namespace, host, gateway, port, exportTo, routes }: Group): VirtualService {
  const first = routes[0]!.object;
  const ordered = [...routes].sort((a, b) => compareMatches(a.route.match?.[0], b.route.match?.[0]));
  return {
    object: virtualServiceObject(first, name, namespace),
    source: first,
    name,
    namespace,
    hosts: [host],
    gateways: [gateway],
    http: ordered.map(({ route, object, path }): SourcedRoute => ({ route: withPort(route, port), object, path })),
    exportTo,
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
