import { compileRewrite, criteriaOf, type ForwardAction, type MirrorPolicy, type PathMatch, type Random } from '@ripstop/core';
import {
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode,
  type Route as RouteMessage,
  RoutingPriority,
  type VirtualHost as VirtualHostMessage,
} from '@ripstop/xds-api';
import { compileHashPolicies } from '../hash-policy.ts';
import { compileRetryPolicy } from '../retry-policy.ts';
import { filterMetadata, milliseconds, percent } from '../values.ts';
import { clusterChoice } from './cluster-choice.ts';
import type { RouteEnv } from './route-env.ts';
import { timesOf } from './route-times.ts';
import { substitution } from './substitution.ts';

/** Body bytes kept for retries and mirrors when the configuration says nothing. */
const BUFFER_LIMIT_BYTES = 64 * 1024;

export function forwardAction(
  action: RouteAction,
  route: RouteMessage,
  host: VirtualHostMessage,
  path: PathMatch,
  env: RouteEnv,
): ForwardAction {
  if (action.pathRewritePolicy !== undefined) throw new Error('path_rewrite_policy is not supported');
  if (action.prefixRewrite !== '' && path.kind === 'template') throw new Error('prefix_rewrite on a route that matches by a path template');
  const hash = compileHashPolicies(action.hashPolicy, env.ownAddress);
  const clusters = clusterChoice(action, env, hash);
  const hostRewrite = action.hostRewriteSpecifier;
  const regexRewrite = substitution(action.regexRewrite);
  const times = timesOf(action, env.maxStreamDurationMs);
  return {
    kind: 'forward',
    chooseCluster: clusters.choose,
    clusterNames: clusters.names,
    weights: clusters.weights,
    rewrite: compileRewrite(
      {
        prefixRewrite: action.prefixRewrite,
        regexRewrite,
        hostLiteral: hostRewrite?.$case === 'hostRewriteLiteral' ? hostRewrite.value : '',
        hostHeader: hostRewrite?.$case === 'hostRewriteHeader' ? hostRewrite.value.toLowerCase() : '',
        hostRegex: hostRewrite?.$case === 'hostRewritePathRegex' ? substitution(hostRewrite.value) : undefined,
        appendXForwardedHost: action.appendXForwardedHost,
      },
      path,
    ),
    ...times,
    idleTimeoutMs: milliseconds(action.idleTimeout, 0),
    retry: compileRetryPolicy(action.retryPolicy ?? host.retryPolicy, times.timeoutMs),
    hedgeOnPerTryTimeout: (action.hedgePolicy ?? host.hedgePolicy)?.hedgeOnPerTryTimeout ?? false,
    highPriority: action.priority === RoutingPriority.HIGH,
    hash,
    criteria: criteriaOf(filterMetadata(action.metadataMatch, 'envoy.lb')),
    mirrors: action.requestMirrorPolicies.map((policy) => mirror(policy, env.random)),
    clusterNotFoundStatus: notFoundStatus(action.clusterNotFoundResponseCode),
    autoHostRewrite: hostRewrite?.$case === 'autoHostRewrite' && (hostRewrite.value ?? false),
    appendXForwardedHost: action.appendXForwardedHost,
    bufferLimitBytes: route.perRequestBufferLimitBytes ?? host.perRequestBufferLimitBytes ?? BUFFER_LIMIT_BYTES,
  };
}

function mirror(policy: RouteAction['requestMirrorPolicies'][number], random: Random): MirrorPolicy {
  const share = policy.runtimeFraction === undefined ? 100 : percent(policy.runtimeFraction.defaultValue);
  return {
    cluster: policy.cluster,
    applies: () => share >= 100 || random() * 100 < share,
    appendShadowSuffix: !policy.disableShadowHostSuffixAppend,
  };
}

function notFoundStatus(code: RouteAction_ClusterNotFoundResponseCode): number {
  if (code === RouteAction_ClusterNotFoundResponseCode.NOT_FOUND) return 404;
  return code === RouteAction_ClusterNotFoundResponseCode.INTERNAL_SERVER_ERROR ? 500 : 503;
}
