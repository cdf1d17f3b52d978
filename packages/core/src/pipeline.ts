import { DECISION_HEADER, type DecisionRecord } from './decision-record.ts';
import type { Exchange, RequestHead, ResponseHead } from './exchange.ts';
import { recordEndpoints } from './explain/endpoint-trail.ts';
import { recordForward, recordRoute } from './explain/route-trail.ts';
import type { Filter } from './filter.ts';
import { applyForwardedHeaders } from './forwarded-headers.ts';
import { clusterNotFoundReply, noRouteReply } from './local-replies.ts';
import { type LocalReply, localReply } from './local-reply.ts';
import type { Outcome } from './outcome.ts';
import { normalizePath } from './path-normalization.ts';
import type { Clock, Random } from './ports.ts';
import { formatResponseFlags } from './response-flags.ts';
import { formatGrpcTimeout, type GrpcTimeoutRule, routeTimeoutOf, streamLimitOf } from './route/grpc-timeout.ts';
import { awaitHost } from './route/on-demand.ts';
import { replaceAuthority } from './route/rewrite.ts';
import type { ForwardAction, Route } from './route/route.ts';
import { withoutPort } from './route/route-table.ts';
import { isSentToHttps } from './route/sent-to-https.ts';

/*
 * The walk of a request, both directions:
 *
 *   begin    path normalised (what is authorised is what the app sees) · forwarded headers (listener side)
 *            → virtual host → route                    a host that comes on demand is waited for; 404 NR; the manager's default filters have spoken before it
 *            → the route's filters, in a plain loop    a LocalReply ends it; a promise is awaited only when one is given
 *            → redirect or direct response             after the filters: faults and RBAC apply to them as well
 *            → cluster                                 503 NC
 *            → header operations, rewrite, hash        once per request, before the first attempt
 *   driver   cluster.acquire → attempt → RetryState → again, or commit
 *   respond  filters in reverse, then response header operations
 *   end      onEnd of every filter that ran, exactly once
 */

export interface PipelineEnv {
  readonly clock: Clock;
  readonly random: Random;
  /** Own SPIFFE id, for x-forwarded-client-cert. */
  readonly ownSpiffeId?: () => string;
}

const NO_FILTERS: readonly Filter[] = [];
const PATH_REJECTED = localReply({ status: 400, details: 'path_normalization_failed', headers: [['connection', 'close']] });
const SLASH = 47;
/** A regex rewrite may leave anything. Envoy sends it, and an HTTP server refuses it (docs/reference/differences.md). */
const UNSENDABLE_PATH = localReply({ status: 400, details: 'rewritten_path_invalid' });
const HTTPS_REQUIRED_DETAILS = 'direct_response';

/** Runs exchanges; stateless but for its environment. */
export class Pipeline {
  private readonly env: PipelineEnv;

  constructor(env: PipelineEnv) {
    this.env = env;
  }

  /** Everything before the first attempt (or the app's handler). A reply ends the exchange; its flags and details are on `x` then. */
  begin(x: Exchange): LocalReply | undefined | Promise<LocalReply | undefined> {
    // A listener's side: the app of this process did not write these headers.
    const listener = x.direction === 'inbound' || (x.parent === undefined && x.peer.address !== '');
    const rejected = canonicalize(x);
    if (rejected !== undefined) return settlePath(x, rejected);
    if (listener) applyForwardedHeaders(x, this.env.ownSpiffeId?.() ?? '');
    x.originalPath = x.request.path;
    if (x.manager.stripPort !== undefined || x.manager.stripTrailingHostDot) stripHost(x);

    chooseRoute(x);
    const waiting = x.route === undefined && x.manager.routes.onDemand !== undefined ? this.askForHost(x) : undefined;
    return waiting ?? this.decide(x);
  }

  private decide(x: Exchange): LocalReply | undefined | Promise<LocalReply | undefined> {
    x.filters = x.route?.filters ?? x.manager.defaultFilters;
    const refused = x.decision === undefined ? runFilters(x, x.filters, 0) : explainFilters(x, x.filters, x.decision);
    if (refused === undefined) return settle(x, this.act(x));
    if (refused instanceof Promise)
      return refused.then((reply) => (reply === undefined ? settle(x, this.act(x)) : settleRefused(x, reply)));
    return settleRefused(x, refused);
  }

  /** Before the filters: those of a host that comes on demand hold for its first request, too. */
  private askForHost(x: Exchange): Promise<LocalReply | undefined> | undefined {
    if (isSentToHttps(x)) return undefined;
    if (x.decision?.dryRun) {
      x.decision.add('host', `${x.request.authority} would be asked for, and waited for (VHDS)`);
      return undefined;
    }
    return awaitHost(x, this.env.clock)?.then((reply) => {
      if (reply !== undefined) return settleRefused(x, reply);
      chooseRoute(x);
      return this.decide(x);
    });
  }

  /** Starts the route's timeout; call when the request is complete, or at once for one without a body. */
  startDeadline(x: Exchange): void {
    const timeoutMs = x.route?.action.kind === 'forward' ? routeTimeoutOf(x, x.route.action) : 0;
    if (timeoutMs > 0) x.deadline = this.env.clock.now() + timeoutMs;
  }

  /** Headers that differ per attempt; `x.attempt` counts it already. */
  beforeAttempt(x: Exchange): void {
    const action = x.route?.action;
    if (x.attempt > 1 && x.virtualHost?.includeAttemptCount) x.request.setHeader('x-envoy-attempt-count', String(x.attempt));
    if (action?.kind !== 'forward') return;
    if (action.autoHostRewrite && x.endpoint !== undefined && x.endpoint.hostname !== '') {
      replaceAuthority(x, x.endpoint.hostname, action.appendXForwardedHost ?? false);
    }
    if (x.attempt > 1 && x.deadline !== Number.POSITIVE_INFINITY) tellTimeout(x, action, Math.max(1, x.deadline - this.env.clock.now()));
  }

  /**
   * Response headers are here: from upstream, from the app, or a local reply after a route was found. `complete`: of a local reply; adds
   * what its body demands, which the filters may change again.
   */
  respond(x: Exchange, head: ResponseHead, complete?: () => void): void {
    x.response = head;
    if (x.manager.keepsTimes && x.details === '') x.respondedAt = this.env.clock.now();
    // What the route says comes first: in Envoy its router is the last filter, and responses go the other way.
    if (hasRouteHeaders(x)) {
      x.clusterHeaders?.onResponse(x, head);
      x.route?.headers?.onResponse(x, head);
    }
    if (x.virtualHost?.includeAttemptCountInResponse && x.attempt > 0) head.setHeader('x-envoy-attempt-count', String(x.attempt));
    complete?.();
    const filters = x.route === undefined && !isSentToHttps(x) ? NO_FILTERS : x.filters;
    for (let index = filters.length - 1; index >= 0; index--) filters[index]!.onResponse?.(x, head);
    if (x.decision?.announced) head.appendHeader(DECISION_HEADER, x.decision.id);
  }

  end(x: Exchange, outcome: Outcome): void {
    const { filters } = x;
    for (let index = 0; index < filters.length; index++) filters[index]!.onEnd?.(x, outcome);
    x.decision?.close(resultOf(x, outcome));
  }

  private act(x: Exchange): LocalReply | undefined {
    if (x.clearRoute) rechooseRoute(x);
    const { route } = x;
    if (isSentToHttps(x)) {
      const location = `https://${x.request.authority}${x.request.path}`;
      return localReply({ status: 301, details: HTTPS_REQUIRED_DETAILS, headers: [['location', location]] });
    }
    if (route === undefined) return noRouteReply();
    const { action } = route;
    if (action.kind === 'reply') return action.reply(x);
    if (action.kind === 'forward') return forward(x, route, action);
    route.headers?.onRequest(x, x.request);
    if (x.virtualHost?.includeAttemptCount) x.request.setHeader('x-envoy-attempt-count', '1');
    if (action.grpcTimeout !== undefined && x.protocol === 'grpc') tellLimit(x, streamLimitOf(x, action));
    if (action.timeoutMs > 0) x.request.setHeader('x-envoy-expected-rq-timeout-ms', String(Math.floor(action.timeoutMs)));
    return undefined;
  }
}

/** What a direct response says in headers is of that response, not of a filter's on its route; the answer to a preflight has none. */
function hasRouteHeaders({ route, details }: Exchange): boolean {
  return details !== 'cors_response' && (route?.action.kind !== 'reply' || details === 'direct_response');
}

/** As the connection manager says, on both sides: a caller's route must not depend on how it spells a path. */
function canonicalize(x: Exchange): LocalReply | undefined {
  const normal = normalizePath(x.request.path, x.manager);
  if (normal.kind === 'reject') return PATH_REJECTED;
  // gRPC knows no redirects.
  if (normal.kind === 'redirect' && x.protocol === 'grpc') return PATH_REJECTED;
  if (normal.kind === 'redirect')
    return localReply({ status: 307, details: 'path_normalization_failed', headers: [['location', normal.path]] });
  if (normal.path !== x.request.path) x.request.path = normal.path;
  return undefined;
}

function forward(x: Exchange, route: Route, action: ForwardAction): LocalReply | undefined {
  if (action.criteria !== undefined) x.criteria = action.criteria;
  const name = x.clusterName ?? action.chooseCluster(x);
  const cluster = name === undefined ? undefined : x.snapshot.clusters.get(name);
  if (cluster === undefined) return clusterNotFoundReply(action.clusterNotFoundStatus);
  x.cluster = cluster;
  // In Envoy's order: added values see the path as it came, the hash sees the head as it goes out.
  x.clusterHeaders?.onRequest(x, x.request);
  route.headers?.onRequest(x, x.request);
  action.rewrite(x);
  if (!isSendable(x.request)) return UNSENDABLE_PATH;
  action.hash?.(x);
  if (x.virtualHost?.includeAttemptCount) x.request.setHeader('x-envoy-attempt-count', '1');
  // Last of all: who receives it takes it away again, and then no line behind it has to move (InboundHead).
  tellTimeout(x, action, routeTimeoutOf(x, action));
  if (x.decision !== undefined) {
    recordForward(x, action, x.decision);
    recordEndpoints(cluster, x.decision);
  }
  return undefined;
}

/** How long the other side has: the per-try timeout, or what is left of the route's. */
function tellTimeout(x: Exchange, action: ForwardAction, leftMs: number): void {
  const perTryMs = action.retry?.perTryTimeoutMs ?? 0;
  const timeoutMs = perTryMs === 0 ? leftMs : leftMs === 0 ? perTryMs : Math.min(perTryMs, leftMs);
  if (timeoutMs > 0) x.request.setHeader('x-envoy-expected-rq-timeout-ms', String(Math.floor(timeoutMs)));
  if (action.grpcTimeout !== undefined && x.protocol === 'grpc') tellGrpcTimeout(x, action, action.grpcTimeout, timeoutMs);
}

/** A gRPC server is told what it really has. */
function tellGrpcTimeout(x: Exchange, action: ForwardAction, { governs }: GrpcTimeoutRule, timeoutMs: number): void {
  if (governs === 'route') {
    tellLimit(x, timeoutMs);
  } else if (x.attempt === 0) tellLimit(x, streamLimitOf(x, action));
}

function tellLimit({ request }: Exchange, limitMs: number): void {
  if (limitMs > 0) request.setHeader('grpc-timeout', formatGrpcTimeout(limitMs));
}

function stripHost({ request, manager, peer }: Exchange): void {
  let host = request.authority;
  if (manager.stripTrailingHostDot && host.endsWith('.')) host = host.slice(0, -1);
  if (manager.stripPort === 'any' || (manager.stripPort === 'matching' && host.endsWith(`:${peer.localPort}`))) host = withoutPort(host);
  if (host !== request.authority) request.authority = host;
}

/** Envoy looks for the route of a reply, and finds none of a request that does not say how it came: that is told behind the path. */
function settlePath(x: Exchange, rejected: LocalReply): LocalReply | undefined {
  if (x.request.header('x-forwarded-proto')) chooseRoute(x);
  return settleRefused(x, rejected);
}

function chooseRoute(x: Exchange): void {
  const question = x.request.path.indexOf('?');
  x.matchPath = question === -1 ? x.request.path : x.request.path.slice(0, question);
  const host = x.manager.routes.virtualHost(x.request.authority);
  x.virtualHost = host;
  if (host?.lastUse !== undefined) host.lastUse.at = x.startedAt;
  // Who must come back by https is asked for no route.
  x.route =
    host === undefined || isSentToHttps(x)
      ? undefined
      : firstMatch(host.index === undefined ? host.routes : host.index.candidates(x.matchPath), x);
}

function rechooseRoute(x: Exchange): void {
  x.clusterName = undefined;
  x.clusterHeaders = undefined;
  chooseRoute(x);
}

function firstMatch(routes: readonly Route[], x: Exchange): Route | undefined {
  for (let index = 0; index < routes.length; index++) {
    if (routes[index]!.matches(x)) return routes[index];
  }
  return undefined;
}

/** Synchronous until a filter answers a promise; then the rest runs behind it. */
function runFilters(x: Exchange, filters: readonly Filter[], from: number): LocalReply | undefined | Promise<LocalReply | undefined> {
  for (let index = from; index < filters.length; index++) {
    const reply = filters[index]!.onRequest?.(x);
    if (reply === undefined) continue;
    if (reply instanceof Promise) return reply.then((later) => later ?? runFilters(x, filters, index + 1));
    return reply;
  }
  return undefined;
}

/** As `runFilters`, and writes down which ran. In a dry run a filter that would wait, count or ask somebody says so instead. */
async function explainFilters(x: Exchange, filters: readonly Filter[], record: DecisionRecord): Promise<LocalReply | undefined> {
  recordRoute(x, record);
  for (const filter of filters) {
    const reply = await (record.dryRun && filter.explain !== undefined ? filter.explain(x) : filter.onRequest?.(x));
    if (reply === undefined) continue;
    record.add('filter', `${filter.name} answers`);
    return reply;
  }
  if (filters.length > 0) record.add('filter', `passed: ${filters.map(({ name }) => name).join(', ')}`);
  return undefined;
}

function resultOf({ details, flags }: Exchange, { status, grpcStatus, requestBytes, responseBytes }: Outcome): string {
  const grpc = grpcStatus === undefined ? '' : `, gRPC status ${grpcStatus}`;
  return `${status}${grpc}, flags ${formatResponseFlags(flags)}, ${details === '' ? 'via_upstream' : details}, ${requestBytes} bytes in, ${responseBytes} bytes out`;
}

/** CONNECT has no path; the drivers refuse it after the filters. */
function isSendable({ path, method }: RequestHead): boolean {
  return path.charCodeAt(0) === SLASH || path === '*' || method === 'CONNECT';
}

/** To Envoy the cluster is known with the route, whoever answers. */
function settleRefused(x: Exchange, reply: LocalReply): LocalReply | undefined {
  const action = x.route?.action;
  if (action?.kind === 'forward') x.cluster ??= x.snapshot.clusters.get(action.chooseCluster(x) ?? '');
  return settle(x, reply);
}

function settle(x: Exchange, reply: LocalReply | undefined): LocalReply | undefined {
  if (reply !== undefined) {
    x.flags |= reply.flags;
    x.details = reply.details;
    x.decision?.add('reply', `${reply.status} ${reply.details}`);
  }
  return reply;
}
