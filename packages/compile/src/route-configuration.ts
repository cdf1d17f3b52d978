import {
  type ChoosingNumber,
  compileHeaderMutations,
  compilePathMatch,
  compileRewrite,
  compileWeightedClusters,
  createRouteTable,
  criteriaOf,
  directResponse,
  type Exchange,
  type ForwardAction,
  type HeaderClock,
  type InboundAction,
  localReply,
  type MirrorPolicy,
  mergeCriteria,
  type PathMatch,
  type Random,
  type RedirectSpec,
  type ReplyAction,
  type Route,
  type RouteRateLimits,
  type RouteTable,
  randomValue,
  redirectLocation,
  type VirtualHost,
  type WeightedCluster,
} from '@ripstop/core';
import {
  type RedirectAction,
  RedirectAction_RedirectResponseCode,
  type RouteAction,
  RouteAction_ClusterNotFoundResponseCode,
  type RouteConfiguration,
  type RouteMatch,
  type Route as RouteMessage,
  RoutingPriority,
  VirtualHost_TlsRequirementType,
  type VirtualHost as VirtualHostMessage,
} from '@ripstop/xds-api';
import { compileHashPolicies } from './hash-policy.ts';
import { operationsOf } from './header-operations.ts';
import type { HttpFilters, LevelNames } from './http-filters.ts';
import { compileHeaderMatcher, compilePathSpecifier, compileQueryMatcher } from './matchers.ts';
import { compileMetadataMatcher } from './metadata-matcher.ts';
import { compileRateLimits } from './rate-limits.ts';
import { checkSubstitution, compileRegex } from './regex.ts';
import { compileRetryPolicy } from './retry-policy.ts';
import { routeConditions } from './route-conditions.ts';
import { filterMetadata, fraction, milliseconds, percent, sourceOf } from './values.ts';

/** Body bytes kept for retries and mirrors when the configuration says nothing. */
const BUFFER_LIMIT_BYTES = 64 * 1024;

/** Envoy's max_direct_response_body_size_bytes. */
const MAX_DIRECT_BODY = 4096;

export interface RouteEnv {
  readonly random: Random;
  /** For times in header values. */
  readonly clock?: HeaderClock | undefined;
  readonly filters: HttpFilters;
  /** `inbound`: forwarding to `inbound|…` means the app of this process. */
  readonly direction: 'inbound' | 'outbound';
  /** Of this process: to a sidecar its app's calls come from there, which matters to hashes of the source address. */
  readonly ownAddress?: string | undefined;
}

/** A RouteConfiguration as a route table. Throws on the first thing that cannot be honoured, naming host and route. */
export function compileRouteConfiguration(message: RouteConfiguration, env: RouteEnv): RouteTable {
  checkDomains(message);
  const hosts = message.virtualHosts.map((host) => compileVirtualHost(host, message, env));
  return createRouteTable(message.name, hosts, message.ignorePortInHostMatching);
}

/** A domain may stand once in a route configuration, whatever its case. */
function checkDomains(message: RouteConfiguration): void {
  const owners = new Map<string, string>();
  for (const { name, domains } of message.virtualHosts) {
    for (const domain of domains) {
      const owner = owners.get(domain.toLowerCase());
      if (owner !== undefined) throw new Error(`virtual host ${name}: the domain ${domain} stands already in virtual host ${owner}`);
      owners.set(domain.toLowerCase(), name);
    }
  }
}

function compileVirtualHost(host: VirtualHostMessage, table: RouteConfiguration, env: RouteEnv): VirtualHost {
  const routes = host.routes.map((route, index) => {
    try {
      return compileRoute(route, host, table, [table.name, host.name, route.name === '' ? String(index) : route.name], env);
    } catch (error) {
      throw new Error(
        `virtual host ${host.name}, route ${route.name === '' ? index : `${index} (${route.name})`}: ${error instanceof Error ? error.message : error}`,
      );
    }
  });
  return {
    name: host.name,
    domains: host.domains,
    routes,
    includeAttemptCount: host.includeRequestAttemptCount,
    includeAttemptCountInResponse: host.includeAttemptCountInResponse,
    requireTls: host.requireTls !== VirtualHost_TlsRequirementType.NONE,
  };
}

function compileRoute(route: RouteMessage, host: VirtualHostMessage, table: RouteConfiguration, names: LevelNames, env: RouteEnv): Route {
  const { match } = route;
  if (match === undefined) throw new Error('no match');
  const path = compilePathSpecifier(match);
  const caseSensitive = match.caseSensitive ?? true;
  const overrides = [table.typedPerFilterConfig, host.typedPerFilterConfig, route.typedPerFilterConfig];
  const levels = table.mostSpecificHeaderMutationsWins
    ? [operationsOf(table), operationsOf(host), operationsOf(route)]
    : [operationsOf(route), operationsOf(host), operationsOf(table)];
  return {
    name: route.name,
    matches: compileMatch(match, path, caseSensitive, env.random),
    conditions: () => routeConditions(match, path, caseSensitive),
    literal: caseSensitive && 'value' in path ? path.value : undefined,
    action: compileAction(route, host, path, env),
    filters: env.filters.create(overrides, names, rateLimitsOf(route, host, env)),
    headers: compileHeaderMutations(levels, env.clock),
    operation: route.decorator?.operation ?? '',
    source: sourceOf(route.metadata) ?? sourceOf(host.metadata),
  };
}

function rateLimitsOf({ action }: RouteMessage, host: VirtualHostMessage, { filters }: RouteEnv): RouteRateLimits {
  const own = action?.$case === 'route' ? action.value : undefined;
  return {
    route: compileRateLimits(own?.rateLimits ?? [], filters.ownCluster),
    host: compileRateLimits(host.rateLimits, filters.ownCluster),
    includeHost: own?.includeVhRateLimits ?? false,
  };
}

function compileMatch(match: RouteMatch, path: PathMatch, caseSensitive: boolean, random: Random): (x: Exchange) => boolean {
  if (match.tlsContext !== undefined) throw new Error('matching on the TLS context is not supported');
  const pathTest = compilePathMatch(path, caseSensitive);
  const headers = match.headers.map((matcher) => compileHeaderMatcher(matcher));
  const queries = match.queryParameters.map(compileQueryMatcher);
  const metadata = match.dynamicMetadata.map(compileMetadataMatcher);
  const share = match.runtimeFraction === undefined ? undefined : fraction(match.runtimeFraction.defaultValue);
  const grpcOnly = match.grpc !== undefined;
  if (headers.length === 0 && queries.length === 0 && metadata.length === 0 && share === undefined && !grpcOnly)
    return (x) => pathTest(x.matchPath);
  return (x) => {
    if (!pathTest(x.matchPath)) return false;
    for (let index = 0; index < headers.length; index++) if (!headers[index]!(x.request)) return false;
    for (let index = 0; index < queries.length; index++) if (!queries[index]!(x.request.path)) return false;
    for (let index = 0; index < metadata.length; index++) if (!metadata[index]!(x)) return false;
    if (grpcOnly && !/^application\/grpc(\+|$)/.test(x.request.header('content-type') ?? '')) return false;
    if (share === undefined) return true;
    return randomValue(x, random) % share.denominator < share.numerator;
  };
}

function compileAction(route: RouteMessage, host: VirtualHostMessage, path: PathMatch, env: RouteEnv): Route['action'] {
  const { action } = route;
  switch (action?.$case) {
    case 'redirect':
      return redirectAction(action.value, path);
    case 'directResponse': {
      const body = action.value.body?.specifier;
      const text =
        body === undefined
          ? ''
          : body.$case === 'inlineString'
            ? body.value
            : body.$case === 'inlineBytes'
              ? new TextDecoder().decode(body.value)
              : undefined;
      if (text === undefined) throw new Error('a direct response from a file or environment variable is not supported');
      const { status } = action.value;
      if (status < 200 || status > 599) throw new Error(`a direct response of status ${status}; it must be from 200 to 599`);
      if (text.length > MAX_DIRECT_BODY)
        throw new Error(`a direct response of ${text.length} bytes; at most ${MAX_DIRECT_BODY} are possible`);
      return { kind: 'reply', reply: directResponse(status, text) };
    }
    case 'route':
      return env.direction === 'inbound' ? inboundAction(action.value) : forwardAction(action.value, route, host, path, env);
    default:
      throw new Error(`action ${action?.$case ?? 'missing'} is not supported`);
  }
}

function inboundAction(action: RouteAction): InboundAction {
  const specifier = action.clusterSpecifier;
  if (specifier?.$case !== 'cluster') throw new Error('an inbound route must name its cluster');
  return {
    kind: 'inbound',
    clusterName: specifier.value,
    ...timesOf(action),
  };
}

function forwardAction(action: RouteAction, route: RouteMessage, host: VirtualHostMessage, path: PathMatch, env: RouteEnv): ForwardAction {
  if (action.pathRewritePolicy !== undefined) throw new Error('path_rewrite_policy is not supported');
  if (action.prefixRewrite !== '' && path.kind === 'template') throw new Error('prefix_rewrite on a route that matches by a path template');
  const hash = compileHashPolicies(action.hashPolicy, env.ownAddress);
  const clusters = clusterChoice(action, env, hash);
  const hostRewrite = action.hostRewriteSpecifier;
  const regexRewrite = substitution(action.regexRewrite);
  const times = timesOf(action);
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

/** A route with max_stream_duration has no other timeout (Envoy's "new timeouts"); max_grpc_timeout counts without it only. */
function timesOf(action: RouteAction): Pick<ForwardAction, 'timeoutMs' | 'maxStreamDurationMs' | 'grpcTimeout'> {
  const { maxStreamDuration: stream, maxGrpcTimeout, grpcTimeoutOffset } = action;
  if (stream === undefined) {
    const offsetMs = milliseconds(grpcTimeoutOffset, 0);
    return {
      timeoutMs: milliseconds(action.timeout, 15_000),
      maxStreamDurationMs: 0,
      grpcTimeout: maxGrpcTimeout === undefined ? undefined : { governs: 'route', maxMs: milliseconds(maxGrpcTimeout, 0), offsetMs },
    };
  }
  const { grpcTimeoutHeaderMax: max, grpcTimeoutHeaderOffset: offset } = stream;
  return {
    timeoutMs: 0,
    maxStreamDurationMs: milliseconds(stream.maxStreamDuration, 0),
    grpcTimeout: { governs: 'stream', maxMs: max === undefined ? undefined : milliseconds(max, 0), offsetMs: milliseconds(offset, 0) },
  };
}

interface ClusterChoice {
  readonly choose: (x: Exchange) => string | undefined;
  readonly names: readonly string[];
  readonly weights?: ForwardAction['weights'];
}

function clusterChoice(action: RouteAction, { random, clock }: RouteEnv, hash: ForwardAction['hash']): ClusterChoice {
  const specifier = action.clusterSpecifier;
  switch (specifier?.$case) {
    case 'cluster': {
      const name = specifier.value;
      return { choose: () => name, names: [name] };
    }
    case 'clusterHeader': {
      const header = specifier.value.toLowerCase();
      return { choose: (x) => x.request.headerLines(header)[0] || undefined, names: [] };
    }
    case 'weightedClusters': {
      const own = criteriaOf(filterMetadata(action.metadataMatch, 'envoy.lb'));
      const entries: WeightedCluster[] = specifier.value.clusters.map((entry) => ({
        cluster: entry.name,
        weight: entry.weight ?? 0,
        headers: compileHeaderMutations([operationsOf(entry)], clock),
        criteria: mergeCriteria(own, criteriaOf(filterMetadata(entry.metadataMatch, 'envoy.lb'))),
      }));
      const choose = compileWeightedClusters(entries, random, choosingNumber(specifier.value.randomValueSpecifier, hash));
      const weights = entries.map(({ cluster, weight }) => ({ cluster, weight }));
      return { choose, names: entries.map((entry) => entry.cluster), weights };
    }
    default:
      throw new Error(`cluster specifier ${specifier?.$case ?? 'missing'} is not supported`);
  }
}

type RandomValueSpecifier = Extract<RouteAction['clusterSpecifier'], { $case: 'weightedClusters' }>['value']['randomValueSpecifier'];

/** What chooses among weighted clusters in the place of chance. */
function choosingNumber(specifier: RandomValueSpecifier, hash: ForwardAction['hash']): ChoosingNumber | undefined {
  if (specifier === undefined) return undefined;
  if (specifier.$case === 'useHashPolicy') {
    if (specifier.value !== true || hash === undefined) return undefined;
    return (x) => {
      hash(x);
      return x.hash;
    };
  }
  const name = specifier.value.toLowerCase();
  return (x) => {
    const text = x.request.header(name);
    return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
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

function redirectAction(message: RedirectAction, path: PathMatch): ReplyAction {
  const statuses = new Map<number, number>([
    [RedirectAction_RedirectResponseCode.FOUND, 302],
    [RedirectAction_RedirectResponseCode.SEE_OTHER, 303],
    [RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT, 307],
    [RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT, 308],
  ]);
  const scheme = message.schemeRewriteSpecifier;
  const rewrite = message.pathRewriteSpecifier;
  if (rewrite?.$case === 'prefixRewrite' && path.kind === 'template')
    throw new Error('prefix_rewrite on a route that matches by a path template');
  const spec: RedirectSpec = {
    status: statuses.get(message.responseCode) ?? 301,
    httpsRedirect: scheme?.$case === 'httpsRedirect' && scheme.value,
    scheme: scheme?.$case === 'schemeRedirect' ? scheme.value : '',
    host: message.hostRedirect,
    port: message.portRedirect,
    path: rewrite?.$case === 'pathRedirect' ? rewrite.value : undefined,
    prefixRewrite: rewrite?.$case === 'prefixRewrite' ? rewrite.value : '',
    regexRewrite: rewrite?.$case === 'regexRewrite' ? substitution(rewrite.value) : undefined,
    stripQuery: message.stripQuery,
  };
  return {
    kind: 'reply',
    reply: (x) => localReply({ status: spec.status, details: 'direct_response', headers: [['location', redirectLocation(x, spec, path)]] }),
  };
}

function substitution(message: RouteAction['regexRewrite']): { regex: ReturnType<typeof compileRegex>; substitution: string } | undefined {
  if (message?.pattern === undefined) return undefined;
  const regex = compileRegex(message.pattern.regex);
  checkSubstitution(message.pattern.regex, message.substitution);
  return { regex, substitution: message.substitution };
}
