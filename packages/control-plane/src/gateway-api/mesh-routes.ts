import type { HTTPMatchRequest, HTTPRoute, MeshObject, ServiceEntrySpec } from '@ripstop/istio-api';
import type { SourcedRoute, VirtualService } from '../push/virtual-services.ts';
import { compareMatches, grpcMatch, httpMatch } from './route-match.ts';
import { ruleFields } from './route-rule.ts';
import type { GrpcMatch, HttpMatch, ParentRef, RouteRule, RouteSpec } from './route-types.ts';

/** Routes of one namespace for one host and port. */
interface Group {
  readonly host: string;
  readonly port: number | undefined;
  readonly namespace: string;
  readonly serviceNamespace: string;
  readonly routes: { readonly route: HTTPRoute; readonly object: MeshObject; readonly path: readonly (string | number)[] }[];
}

/**
 * HTTPRoutes and GRPCRoutes whose parent is a Service or a ServiceEntry (GAMMA), as VirtualServices of that host. A route in the service's namespace is
 * for every client; one in another namespace is for the clients there, and they follow nothing else. `objects` oldest first.
 */
export function meshRoutes(objects: readonly MeshObject[], domain: string): VirtualService[] {
  const collector = new Collector(objects, domain);
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
  /** Hosts of ServiceEntries by `namespace/name`. */
  private readonly entries = new Map<string, readonly string[]>();

  constructor(objects: readonly MeshObject[], domain: string) {
    this.domain = domain;
    for (const { kind, metadata, spec } of objects) {
      if (kind === 'ServiceEntry') this.entries.set(`${metadata.namespace}/${metadata.name}`, (spec as ServiceEntrySpec).hosts);
    }
  }

  add<Match>(object: MeshObject<RouteSpec<Match>>, translate: (match: Match) => HTTPMatchRequest): void {
    for (const parent of object.spec.parentRefs ?? []) {
      for (const host of this.hostsOf(parent, object.metadata.namespace)) {
        const group = this.group(host, parent, object.metadata.namespace);
        for (const [index, rule] of (object.spec.rules ?? []).entries()) {
          for (const route of ruleRoutes(object, rule, index, this.domain, translate)) {
            group.routes.push({ route, object, path: ['spec', 'rules', index] });
          }
        }
      }
    }
  }

  /** Of a Gateway none: those of the Gateway API are not opened. */
  private hostsOf({ kind, group, name, namespace }: ParentRef, own: string): readonly string[] {
    if (kind === 'Service' && (group ?? '') === '') return [`${name}.${namespace ?? own}.svc.${this.domain}`];
    if (kind === 'ServiceEntry' && group === 'networking.istio.io') return this.entries.get(`${namespace ?? own}/${name}`) ?? [];
    return [];
  }

  private group(host: string, { port, namespace: parent }: ParentRef, namespace: string): Group {
    const key = `${namespace} ${host} ${port ?? ''}`;
    const group = this.groups.get(key) ?? { host, port, namespace, serviceNamespace: parent ?? namespace, routes: [] };
    this.groups.set(key, group);
    return group;
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
  const name = `${metadata.namespace}.${metadata.name}.${index}`;
  const scope = { namespace: metadata.namespace, domain };
  const matches = rule.matches ?? [];
  if (matches.length === 0) return [{ name, ...ruleFields(rule, scope, '/') }];
  return matches.map((entry) => {
    const match = translate(entry);
    return { name, match: [match], ...ruleFields(rule, scope, match.uri?.prefix) };
  });
}

function virtualService({ host, port, namespace, serviceNamespace, routes }: Group): VirtualService {
  const name = [namespace, ...(port === undefined ? [] : [String(port)]), host].join('~');
  const first = routes[0]!.object;
  const ordered = [...routes].sort((a, b) => compareMatches(a.route.match?.[0], b.route.match?.[0]));
  return {
    object: {
      ...first,
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { ...first.metadata, name, namespace },
    } as never,
    source: first,
    name,
    namespace,
    hosts: [host],
    gateways: ['mesh'],
    http: ordered.map(({ route, object, path }): SourcedRoute => ({ route: withPort(route, port), object, path })),
    exportTo: namespace === serviceNamespace ? ['*'] : ['.'],
    gatewayApi: true,
    port,
  };
}

function withPort(route: HTTPRoute, port: number | undefined): HTTPRoute {
  if (port === undefined) return route;
  return { ...route, match: (route.match ?? [{}]).map((match) => ({ ...match, port })) };
}
