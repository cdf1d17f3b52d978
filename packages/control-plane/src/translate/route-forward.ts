import type { HTTPRoute } from '@ripstop/istio-api';
import type { WeightedCluster_ClusterWeight } from '@ripstop/xds-api';
import { clusterOf, destinationHash } from './route-destination.ts';
import { hashPolicy, headerMutations, retryPolicy } from './route-policies.ts';
import type { ActionFields, RouteScope } from './route-scope.ts';
import { duration, type FieldsOf, percentage, wholePercent, ZERO } from './values.ts';

export function forward(route: HTTPRoute, scope: RouteScope, headerAuthority: string | undefined): ActionFields {
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
