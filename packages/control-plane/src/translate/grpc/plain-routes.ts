import { type Any, HTTPFault, isAny, packAny, unpackAny } from '@ripstop/xds-api';
import type { RouteFields } from '../route-scope.ts';
import { wholePercent } from '../values.ts';
import { plainMatches } from './plain-matches.ts';

type Note = (text: string) => void;

const FAULT = 'envoy.filters.http.fault';

/**
 * Routes as every gRPC library takes them and carries them out. One redirect would make grpc-js-xds refuse the whole configuration, and
 * a match that it does not read would be met by every call.
 */
export function plainRoutes(routes: readonly RouteFields[], ownCluster: string, note: Note): RouteFields[] {
  return routes.flatMap((route) => {
    const matches = plainMatches(route.match ?? {}, (text) => note(`${label(route)}: ${text}`));
    if (matches.length === 0) return [];
    const plain = withAction(route, ownCluster, (text) => note(`${label(route)}: ${text}`));
    return matches.map((match) => ({ ...plain, match }));
  });
}

function label({ name, decorator }: RouteFields): string {
  return `route ${name ?? decorator?.operation ?? ''}`;
}

function withAction(route: RouteFields, ownCluster: string, note: Note): RouteFields {
  const { action } = route;
  if (action?.$case === 'redirect') {
    note('gRPC follows no redirect; calls fail');
    return failing(route, ownCluster, 302);
  }
  if (action?.$case === 'directResponse') return failing(route, ownCluster, action.value?.status ?? 500);
  if (action?.$case !== 'route') return route;
  const { clusterSpecifier, requestMirrorPolicies, prefixRewrite, regexRewrite, hostRewriteSpecifier } = action.value ?? {};
  if (clusterSpecifier?.$case === 'weightedClusters' && (clusterSpecifier.value?.clusters?.length ?? 0) === 0) {
    return failing(route, ownCluster, 503);
  }
  if ((requestMirrorPolicies?.length ?? 0) > 0) note('gRPC clients send no mirrored calls');
  if (prefixRewrite || regexRewrite !== undefined || hostRewriteSpecifier !== undefined) note('gRPC clients rewrite nothing');
  if (changesHeaders(route)) note('gRPC clients leave headers as they are');
  return { ...route, typedPerFilterConfig: faultOnly(route.typedPerFilterConfig ?? {}) };
}

function changesHeaders(route: RouteFields): boolean {
  const { requestHeadersToAdd, requestHeadersToRemove, responseHeadersToAdd, responseHeadersToRemove } = route;
  return [requestHeadersToAdd, requestHeadersToRemove, responseHeadersToAdd, responseHeadersToRemove].some(
    (list) => (list?.length ?? 0) > 0,
  );
}

/** The reply that Envoy would give, made by the client's own fault filter: libraries map the status to gRPC's as they do for a real reply. */
function failing(route: RouteFields, cluster: string, httpStatus: number): RouteFields {
  const fault = HTTPFault.fromPartial({ abort: { errorType: { $case: 'httpStatus', value: httpStatus }, percentage: wholePercent(100) } });
  return {
    ...route,
    action: { $case: 'route', value: { clusterSpecifier: { $case: 'cluster', value: cluster } } },
    typedPerFilterConfig: { [FAULT]: packAny(HTTPFault, fault) },
  };
}

/** A filter that a library does not know (cors) would be refused. An abort without a percentage always strikes; said so, all agree. */
function faultOnly(configs: NonNullable<RouteFields['typedPerFilterConfig']>): Record<string, Any> {
  const any = configs[FAULT] as Any | undefined;
  if (!isAny(HTTPFault, any)) return {};
  const fault = unpackAny(HTTPFault, any);
  if (fault.abort === undefined || fault.abort.percentage !== undefined) return { [FAULT]: any };
  return { [FAULT]: packAny(HTTPFault, { ...fault, abort: { ...fault.abort, percentage: wholePercent(100) } }) };
}
