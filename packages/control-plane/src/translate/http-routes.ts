import type {
  Destination,
  HTTPDirectResponse,
  HTTPMatchRequest,
  HTTPRedirect,
  HTTPRoute,
  LoadBalancerSettings,
  TrafficPolicy,
} from '@ripstop/istio-api';
import {
  type Any,
  RedirectAction_RedirectResponseCode,
  type Route,
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode,
  type WeightedCluster_ClusterWeight,
} from '@ripstop/xds-api';
import { NOWHERE } from '../gateway-api/backends.ts';
import type { Caller, ProxyNode } from '../model/proxy-node.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import { type MeshService, selects } from '../push/service.ts';
import type { SourcedRoute, VirtualService } from '../push/virtual-services.ts';
import { outboundCluster } from './names.ts';
import { isCatchAll, matchLabel, routeMatch } from './route-match.ts';
import { corsConfig, faultConfig, hashPolicy, headerMutations, retryPolicy } from './route-policies.ts';
import { configPath, duration, type FieldsOf, percentage, sourceMetadata, wholePercent, ZERO } from './values.ts';

export type RouteFields = FieldsOf<typeof Route>;
type ActionFields = FieldsOf<typeof RouteAction>;

/** What a VirtualService is translated for. */
export interface RouteScope {
  readonly node: ProxyNode;
  readonly push: PushContext;
  /** The port that clients call: listener port in a sidecar, server port on a gateway. */
  readonly listenPort: number;
  /** `mesh`, or the gateway's `namespace/name`. */
  readonly gateway: string;
  /** The server ends TLS. */
  readonly tls?: boolean;
}

const CORS = 'envoy.filters.http.cors';
const FAULT = 'envoy.filters.http.fault';

/** The routes of a VirtualService for one client, in order, up to the first that takes everything. */
export function virtualServiceRoutes(service: VirtualService, scope: RouteScope): RouteFields[] {
  const routes: RouteFields[] = [];
  for (const sourced of service.http) {
    const matches = sourced.route.match ?? [];
    if (matches.length === 0) {
      routes.push(buildRoute(service, sourced, undefined, scope));
      return routes;
    }
    for (const match of matches) {
      if (!appliesTo(match, scope)) continue;
      const route = buildRoute(service, sourced, match, scope);
      routes.push(route);
      if (isCatchAll(route.match!)) return routes;
    }
  }
  return routes;
}

/** The conditions that are decided here, once, and not per request. Of a match that names gateways the source is not asked for (Istio). */
function appliesTo(match: HTTPMatchRequest, { node, listenPort, gateway }: RouteScope): boolean {
  if (match.port !== undefined && match.port !== listenPort) return false;
  if ((match.gateways?.length ?? 0) > 0) return match.gateways!.includes(gateway);
  if (!selects(match.sourceLabels, node.labels)) return false;
  return (match.sourceNamespace ?? '') === '' || match.sourceNamespace === node.namespace;
}

function buildRoute(service: VirtualService, sourced: SourcedRoute, match: HTTPMatchRequest | undefined, scope: RouteScope): RouteFields {
  const { route, object, path } = sourced;
  const { node } = scope;
  const mutations = { request: headerMutations(route.headers?.request), response: headerMutations(route.headers?.response) };
  const name = `${route.name ?? ''}${(match?.name ?? '') === '' ? '' : `.${match!.name}`}`;
  const fields = routeMatch(match, service.gatewayApi);
  const filters: Record<string, Any> = {};
  if (route.corsPolicy !== undefined) filters[CORS] = corsConfig(route.corsPolicy);
  if (route.fault !== undefined && (route.fault.delay !== undefined || route.fault.abort !== undefined))
    filters[FAULT] = faultConfig(route.fault);
  return {
    ...(name === '' ? {} : { name }),
    match: fields,
    ...(match?.statPrefix === undefined ? {} : { statPrefix: match.statPrefix }),
    metadata: {
      filterMetadata: {
        istio: { config: configPath(service.object) },
        ...sourceMetadata(node, object, path),
      },
    },
    decorator: { operation: operation(service, route, scope) + matchLabel(fields) },
    ...mergedMutations(mutations, route, scope),
    action: service.gatewayApi
      ? asGatewayApi(action(route, scope, mutations.request.authority), fields)
      : action(route, scope, mutations.request.authority),
    typedPerFilterConfig: filters,
  };
}

/** `<destination host>:<port>` for one destination, `<VirtualService>:<listener port>` otherwise. */
function operation(service: VirtualService, route: HTTPRoute, scope: RouteScope): string {
  const [only] = route.route ?? [];
  if (route.route?.length !== 1 || only === undefined || only.destination.host === NOWHERE.host)
    return `${service.name}:${scope.listenPort}`;
  return `${calledHost(only.destination.host, scope)}:${destinationPort(only.destination, scope)}`;
}

type Mutations = { readonly request: ReturnType<typeof headerMutations>; readonly response: ReturnType<typeof headerMutations> };

/** Header operations of a lone destination stand on the route itself; those of a split on their cluster. */
function mergedMutations(own: Mutations, route: HTTPRoute, _scope: RouteScope): RouteFields {
  const only = route.route?.length === 1 ? route.route[0] : undefined;
  const request = headerMutations(only?.headers?.request);
  const response = headerMutations(only?.headers?.response);
  return {
    requestHeadersToAdd: [...own.request.add, ...request.add],
    requestHeadersToRemove: [...own.request.remove, ...request.remove],
    responseHeadersToAdd: [...own.response.add, ...response.add],
    responseHeadersToRemove: [...own.response.remove, ...response.remove],
  };
}

function action(route: HTTPRoute, scope: RouteScope, headerAuthority: string | undefined): RouteFields['action'] {
  if (route.redirect !== undefined) return redirect(route.redirect, scope);
  if (route.directResponse !== undefined) return directResponse(route.directResponse);
  return { $case: 'route', value: forward(route, scope, headerAuthority) };
}

function directResponse({ status, body }: HTTPDirectResponse): RouteFields['action'] {
  if (body?.bytes !== undefined) {
    const value = Buffer.from(body.bytes, 'base64');
    return { $case: 'directResponse', value: { status, body: { specifier: { $case: 'inlineBytes', value } } } };
  }
  const text = body?.string;
  return {
    $case: 'directResponse',
    value: { status, ...(text === undefined ? {} : { body: { specifier: { $case: 'inlineString', value: text } } }) },
  };
}

/**
 * What the Gateway API means otherwise than a VirtualService: a backend that does not exist is a 500, and a prefix that is replaced by
 * `/` must not leave two slashes (`/api/x` becomes `/x`).
 */
function asGatewayApi(made: RouteFields['action'], { pathSpecifier: path }: NonNullable<RouteFields['match']>): RouteFields['action'] {
  if (made?.$case !== 'route') return made;
  const clusterNotFoundResponseCode = RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR;
  const { prefixRewrite, ...rest }: ActionFields = made.value ?? {};
  if (prefixRewrite !== '/') return { $case: 'route', value: { ...made.value, clusterNotFoundResponseCode } };
  const prefix = path?.$case === 'pathSeparatedPrefix' ? (path.value ?? '') : '';
  const regexRewrite = { pattern: { regex: `^${escapeRegex(prefix)}(/?)(.*)` }, substitution: '/\\2' };
  return { $case: 'route', value: { ...rest, regexRewrite, clusterNotFoundResponseCode } };
}

function escapeRegex(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}

function forward(route: HTTPRoute, scope: RouteScope, headerAuthority: string | undefined): ActionFields {
  const { push } = scope;
  const destinations = route.route ?? [];
  const called = destinations.length === 1 ? destinations : destinations.filter(({ weight = 0 }) => weight > 0);
  const hashes = called.flatMap(({ destination }) => hashPolicy(destinationHash(destination, scope)));
  const retry = retryPolicy(route.retries, push.mesh.defaultRetry, destinations.length === 1 && hashes.length > 0);
  const timeout = duration(route.timeout) ?? ZERO;
  const single = destinations.length === 1 ? headerMutations(destinations[0]!.headers?.request).authority : undefined;
  const authority = route.rewrite?.authority || headerAuthority || single;
  const mirrors = mirrorPolicies(route, scope);
  return {
    ...clusterSpecifier(route, scope),
    timeout,
    maxStreamDuration: undefined,
    maxGrpcTimeout: timeout,
    ...(retry === undefined ? {} : { retryPolicy: retry }),
    ...rewrite(route),
    ...(authority === undefined || authority === '' ? {} : { hostRewriteSpecifier: { $case: 'hostRewriteLiteral', value: authority } }),
    hashPolicy: hashes,
    requestMirrorPolicies: mirrors,
  };
}

function rewrite({ rewrite: spec }: HTTPRoute): ActionFields {
  if (spec?.uriRegexRewrite !== undefined) {
    return { regexRewrite: { pattern: { regex: spec.uriRegexRewrite.match }, substitution: spec.uriRegexRewrite.rewrite } };
  }
  return spec?.uri === undefined || spec.uri === '' ? {} : { prefixRewrite: spec.uri };
}

function clusterSpecifier(route: HTTPRoute, scope: RouteScope): ActionFields {
  const destinations = route.route ?? [];
  if (destinations.length === 1) {
    return { clusterSpecifier: { $case: 'cluster', value: clusterOf(destinations[0]!.destination, scope) } };
  }
  const clusters: FieldsOf<typeof WeightedCluster_ClusterWeight>[] = [];
  for (const { destination, weight = 0, headers } of destinations) {
    if (weight === 0) continue;
    const request = headerMutations(headers?.request);
    const response = headerMutations(headers?.response);
    clusters.push({
      name: clusterOf(destination, scope),
      weight,
      requestHeadersToAdd: request.add,
      requestHeadersToRemove: request.remove,
      responseHeadersToAdd: response.add,
      responseHeadersToRemove: response.remove,
      ...(request.authority === undefined ? {} : { hostRewriteSpecifier: { $case: 'hostRewriteLiteral', value: request.authority } }),
    });
  }
  return { clusterSpecifier: { $case: 'weightedClusters', value: { clusters } } };
}

function mirrorPolicies(route: HTTPRoute, scope: RouteScope): NonNullable<ActionFields['requestMirrorPolicies']> {
  const shares = (route.mirrors ?? []).map(({ destination, percentage: share }) => ({
    destination,
    share: share === undefined ? wholePercent(100) : percentage(share.value),
  }));
  if (route.mirror !== undefined) {
    const share =
      route.mirrorPercentage === undefined
        ? wholePercent(route.mirrorPercent ?? route.mirror_percent ?? 100)
        : percentage(route.mirrorPercentage.value);
    shares.unshift({ destination: route.mirror, share });
  }
  return shares
    .filter(({ share }) => share.numerator > 0)
    .map(({ destination, share }) => ({
      cluster: clusterOf(destination, scope),
      runtimeFraction: { defaultValue: share },
      traceSampled: false,
      disableShadowHostSuffixAppend: true,
    }));
}

const REDIRECT_CODES: Readonly<Record<number, RedirectAction_RedirectResponseCode>> = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};

function redirect(spec: HTTPRedirect, scope: RouteScope): RouteFields['action'] {
  return {
    $case: 'redirect',
    value: {
      hostRedirect: spec.authority ?? '',
      pathRewriteSpecifier:
        (spec.prefixRewrite ?? '') === ''
          ? { $case: 'pathRedirect', value: spec.uri ?? '' }
          : { $case: 'prefixRewrite', value: spec.prefixRewrite! },
      responseCode: REDIRECT_CODES[spec.redirectCode ?? 301] ?? RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
      portRedirect: redirectPort(spec, scope),
      ...(spec.scheme === undefined || spec.scheme === ''
        ? {}
        : { schemeRewriteSpecifier: { $case: 'schemeRedirect', value: spec.scheme } }),
    },
  };
}

/** A port that the scheme implies is not written out. */
function redirectPort({ port, derivePort, scheme = '' }: HTTPRedirect, { listenPort, tls = false }: RouteScope): number {
  const number = port ?? (derivePort === 'FROM_REQUEST_PORT' ? listenPort : 0);
  const spoken = scheme === '' ? (tls ? 'https' : 'http') : scheme;
  return (number === 80 && spoken === 'http') || (number === 443 && spoken === 'https') ? 0 : number;
}

/** `outbound|<port>|<subset>|<host>`; without a port the service's only one, or the port that is listened on. Nobody's name as it is. */
export function clusterOf(destination: Destination, scope: RouteScope): string {
  if (destination.host === NOWHERE.host) return NOWHERE.host;
  return outboundCluster(calledHost(destination.host, scope), destinationPort(destination, scope), destination.subset);
}

/**
 * An ExternalName Service stands for another host; in a sidecar, where its listener has it, on the ports that it names, unless a newer
 * ServiceEntry has the host there (Istio: servicesByName, of which the last one stays).
 */
function calledHost(host: string, { push, node, gateway, listenPort }: RouteScope): string {
  const service = findService(push, node, host);
  if (service?.aliasOf === undefined) return host;
  if (gateway !== 'mesh') return service.aliasOf;
  const { services } = push.scopeFor(node).routed(listenPort);
  const newest = services.findLast(({ hostname, ports }) => hostname === host && ports.some(({ port }) => port === listenPort));
  return newest?.aliasOf ?? host;
}

/** Without a port: the listener's in a sidecar; on a gateway the service's only port, else the server's. */
function destinationPort({ host, port }: Destination, { push, node, gateway, listenPort }: RouteScope): number {
  if (port?.number !== undefined) return port.number;
  if (gateway === 'mesh') return listenPort;
  const { ports = [], udpPorts = [] } = findService(push, node, host) ?? {};
  const [only, ...others] = [...ports, ...udpPorts];
  return only !== undefined && others.length === 0 ? only.port : listenPort;
}

/**
 * What a destination is hashed by: a port's entry counts where the destination names the port, a subset before its rule (Istio:
 * HashForHTTPDestination).
 */
function destinationHash({ host, port, subset: name }: Destination, scope: RouteScope): LoadBalancerSettings | undefined {
  const { push, node } = scope;
  const service = findService(push, node, host);
  if (service === undefined) return undefined;
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const subset = rule?.subsets.find((candidate) => candidate.name === (name ?? ''));
  const number = port?.number;
  const found = [
    number === undefined ? undefined : portBalancer(subset?.trafficPolicy, number),
    subset?.trafficPolicy?.loadBalancer,
    number === undefined ? undefined : portBalancer(rule?.trafficPolicy, number),
    rule?.trafficPolicy?.loadBalancer,
  ];
  return found.find((balancer) => balancer?.consistentHash !== undefined);
}

function portBalancer(policy: TrafficPolicy | undefined, number: number): LoadBalancerSettings | undefined {
  return policy?.portLevelSettings?.find(({ port }) => port?.number === number)?.loadBalancer;
}

function findService(push: PushContext, node: ProxyNode, host: string): MeshService | undefined {
  return push.scopeFor(node).byHost.get(host);
}

interface DefaultRouteScope {
  readonly node: Caller;
  readonly push: PushContext;
  /** For calls of the service. */
  readonly rule: MergedDestinationRule | undefined;
}

/** The route of a service that no VirtualService governs. */
export function defaultRoute(service: MeshService, port: number, { node, push, rule }: DefaultRouteScope): RouteFields {
  const ofPort = portBalancer(rule?.trafficPolicy, port);
  const hashes = hashPolicy(ofPort?.consistentHash === undefined ? rule?.trafficPolicy?.loadBalancer : ofPort);
  const retry = retryPolicy(undefined, push.mesh.defaultRetry, false);
  return {
    name: 'default',
    match: { pathSpecifier: { $case: 'prefix', value: '/' } },
    decorator: { operation: `${service.hostname}:${port}/*` },
    ...(node.ripstop ? { metadata: { filterMetadata: { ...sourceMetadata(node, service.object) } } } : {}),
    action: {
      $case: 'route',
      value: {
        clusterSpecifier: { $case: 'cluster', value: outboundCluster(service.hostname, port) },
        timeout: ZERO,
        maxGrpcTimeout: ZERO,
        hashPolicy: hashes,
        ...(retry === undefined ? {} : { retryPolicy: retry }),
      },
    },
  };
}
