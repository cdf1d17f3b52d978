import type { HTTPMatchRequest, HTTPRoute } from '@ripstop/istio-api';
import type { Any } from '@ripstop/xds-api';
import { NOWHERE } from '../gateway-api/backends.ts';
import { selects } from '../push/service.ts';
import type { SourcedRoute, VirtualService } from '../push/virtual-services.ts';
import { asGatewayApi } from './gateway-api-action.ts';
import { directResponse, redirect } from './route-answers.ts';
import { calledHost, destinationPort } from './route-destination.ts';
import { forward } from './route-forward.ts';
import { isCatchAll, matchLabel, routeMatch } from './route-match.ts';
import { corsConfig, faultConfig, headerMutations } from './route-policies.ts';
import type { RouteFields, RouteScope } from './route-scope.ts';
import { configPath, sourceMetadata } from './values.ts';

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
  const made = action(route, scope, mutations.request.authority);
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
    ...mergedMutations(mutations, route),
    action: service.gatewayApi ? asGatewayApi(made, fields) : made,
    typedPerFilterConfig: perFilterConfig(route),
  };
}

function perFilterConfig({ corsPolicy, fault }: HTTPRoute): Record<string, Any> {
  const filters: Record<string, Any> = {};
  if (corsPolicy !== undefined) filters[CORS] = corsConfig(corsPolicy);
  if (fault !== undefined && (fault.delay !== undefined || fault.abort !== undefined)) filters[FAULT] = faultConfig(fault);
  return filters;
}

/** `<destination host>:<port>` for one destination, `<VirtualService>:<listener port>` otherwise (a delegate may have inherited its answer). */
function operation(service: VirtualService, route: HTTPRoute, scope: RouteScope): string {
  const [only] = route.directResponse === undefined && route.redirect === undefined ? (route.route ?? []) : [];
  if (route.route?.length !== 1 || only === undefined || only.destination.host === NOWHERE.host)
    return `${service.name}:${scope.listenPort}`;
  return `${calledHost(only.destination.host, scope)}:${destinationPort(only.destination, scope)}`;
}

type Mutations = { readonly request: ReturnType<typeof headerMutations>; readonly response: ReturnType<typeof headerMutations> };

/** Header operations of a lone destination stand on the route itself; those of a split on their cluster. */
function mergedMutations(own: Mutations, route: HTTPRoute): RouteFields {
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
