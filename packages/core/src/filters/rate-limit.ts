import type { Exchange, ResponseHead } from '../exchange.ts';
import type { Filter, FilterEnv } from '../filter.ts';
import type { FilterCounter } from '../filter-counters.ts';
import { type LocalReply, localReply } from '../local-reply.ts';
import { ResponseFlag } from '../response-flags.ts';
import { destinationOf } from '../route/destination.ts';
import { compileHeaderMutations, type HeaderAddition } from '../route/header-mutations.ts';
import { describeAll, type HostRateLimits, policiesOf, type RateLimitDescriptor, type RateLimitPolicy } from './rate-limit-descriptors.ts';

/** How much of one descriptor's limit is left. */
export interface LimitStatus {
  readonly name: string;
  readonly requestsPerUnit: number;
  /** Seconds; 0 = not known. */
  readonly windowSeconds: number;
  readonly remaining: number;
  readonly resetSeconds: number;
}

type Lines = readonly (readonly [name: string, value: string])[];

export type RateLimitAnswer =
  | {
      readonly kind: 'ok' | 'over-limit';
      readonly requestHeaders: Lines;
      readonly responseHeaders: Lines;
      readonly body: string;
      readonly metadata: Readonly<Record<string, unknown>> | undefined;
      readonly statuses: readonly LimitStatus[];
    }
  | { readonly kind: 'error'; readonly reason: string };

/** Somebody who counts for many. Its promise never rejects. */
export interface RateLimitService {
  ask(x: Exchange, domain: string, descriptors: readonly RateLimitDescriptor[]): Promise<RateLimitAnswer>;
}

export interface RateLimitConfig {
  readonly service: RateLimitService;
  readonly domain: string;
  readonly stage: number;
  readonly hostRateLimits: HostRateLimits;
  /** A route's own, in the place of those that stand in its action. */
  readonly rateLimits: readonly RateLimitPolicy[];
  readonly requests: 'internal' | 'external' | 'both';
  readonly failureModeDeny: boolean;
  readonly resourceExhausted: boolean;
  readonly limitedStatus: number;
  readonly statusOnError: number;
  readonly tellsLimits: boolean;
  readonly marksLimited: boolean;
  /** Added to its own refusals. */
  readonly responseHeaders: readonly HeaderAddition[];
}

export const RATE_LIMIT = 'envoy.filters.http.ratelimit';
const RESOURCE_EXHAUSTED = 8;

/** What is added to the response when it is there. */
interface Pending {
  readonly answer: Exclude<RateLimitAnswer, { readonly kind: 'error' }>;
}

/** Envoy's global rate limit: a service is asked about the descriptors that the route makes of a request. */
export function createRateLimit(config: RateLimitConfig, env: FilterEnv): Filter | undefined {
  const policies =
    config.rateLimits.length > 0
      ? config.rateLimits.filter(({ stage }) => stage === config.stage)
      : policiesOf(env.place?.rateLimits, config.stage, config.hostRateLimits);
  if (policies.length === 0) return undefined;
  const own = compileHeaderMutations([{ requestAdd: [], requestRemove: [], responseAdd: config.responseHeaders, responseRemove: [] }]);
  const failed = localReply({ status: config.statusOnError, flags: ResponseFlag.RateLimitServiceError, details: 'rate_limiter_error' });
  const pending = new WeakMap<Exchange, Pending>();
  const count = counting(env);

  const ask = async (x: Exchange, descriptors: readonly RateLimitDescriptor[]): Promise<LocalReply | undefined> => {
    const answer = await config.service.ask(x, config.domain, descriptors);
    x.decision?.add('filter', `rate limit service: ${answer.kind === 'error' ? answer.reason : answer.kind}`);
    count(x, COUNTED[answer.kind]);
    if (answer.kind === 'error') {
      if (config.failureModeDeny) return failed;
      count(x, 'failure_mode_allowed');
      return undefined;
    }
    if (answer.metadata !== undefined) {
      x.metadata ??= new Map();
      x.metadata.set(RATE_LIMIT, answer.metadata);
    }
    pending.set(x, { answer });
    if (answer.kind === 'over-limit') return overLimit(config, answer.body);
    for (const [name, value] of answer.requestHeaders) x.request.appendHeader(name, value);
    return undefined;
  };
  return {
    name: RATE_LIMIT,
    onRequest: (x) => {
      if (!concerns(x, config.requests)) return undefined;
      const descriptors = describeAll(policies, x);
      return descriptors.length === 0 ? undefined : ask(x, descriptors);
    },
    explain: (x) => {
      if (describeAll(policies, x).length > 0) x.decision?.add('filter', 'a rate limit service would be asked');
      return undefined;
    },
    onResponse: (x: Exchange, head: ResponseHead) => {
      const found = pending.get(x);
      if (found === undefined) return;
      const { answer } = found;
      for (const [name, value] of answer.responseHeaders) head.appendHeader(name, value);
      if (config.tellsLimits) tellLimits(head, answer.statuses);
      if (answer.kind !== 'over-limit') return;
      if (config.marksLimited) head.setHeader('x-envoy-ratelimited', 'true');
      own?.onResponse(x, head);
    },
  };
}

const HELP = 'Requests that a rate limit service was asked about';
const COUNTED = { ok: 'ok', 'over-limit': 'over_limit', error: 'error' } as const;

/** Envoy's counters of the cluster that a request goes to: `cluster.<name>.ratelimit.<what>`. */
function counting({ counters }: FilterEnv): (x: Exchange, what: string) => void {
  if (counters === undefined) return () => {};
  const found = new Map<string, FilterCounter>();
  return (x, what) => {
    const cluster = destinationOf(x);
    // A name that a caller made up is none (cluster_header).
    if (!x.snapshot.clusters.has(cluster)) return;
    const key = `${what} ${cluster}`;
    let counter = found.get(key);
    if (counter === undefined) {
      counter = counters.counter(`envoy_cluster_ratelimit_${what}`, HELP, { envoy_cluster_name: cluster });
      found.set(key, counter);
    }
    counter.value++;
  };
}

function overLimit({ limitedStatus, resourceExhausted }: RateLimitConfig, body: string): LocalReply {
  return localReply({
    status: limitedStatus,
    flags: ResponseFlag.RateLimited,
    details: 'request_rate_limited',
    body,
    grpcStatus: resourceExhausted ? RESOURCE_EXHAUSTED : undefined,
  });
}

function concerns({ request }: Exchange, requests: RateLimitConfig['requests']): boolean {
  return requests === 'both' || (request.header('x-envoy-internal') === 'true') === (requests === 'internal');
}

/** Draft 03: the limit with least left, and the windows of all. */
function tellLimits(head: ResponseHead, statuses: readonly LimitStatus[]): void {
  let least: LimitStatus | undefined;
  let policy = '';
  for (const status of statuses) {
    if (least === undefined || status.remaining < least.remaining) least = status;
    const { name, requestsPerUnit, windowSeconds } = status;
    if (windowSeconds > 0) policy += `, ${requestsPerUnit};w=${windowSeconds}${name === '' ? '' : `;name="${name}"`}`;
  }
  if (least === undefined) return;
  head.setHeader('x-ratelimit-limit', `${least.requestsPerUnit}${policy}`);
  head.setHeader('x-ratelimit-remaining', String(least.remaining));
  head.setHeader('x-ratelimit-reset', String(least.resetSeconds));
}
