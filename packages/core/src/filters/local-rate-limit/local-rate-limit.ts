import type { Exchange, Peer, ResponseHead } from '../../exchange.ts';
import type { Filter, FilterEnv } from '../../filter.ts';
import type { FilterCounter } from '../../filter-counters.ts';
import { type LocalReply, localReply } from '../../local-reply.ts';
import { ResponseFlag } from '../../response-flags.ts';
import { compileHeaderMutations, type HeaderAddition } from '../../route/header-mutations.ts';
import { describeAll, type HostRateLimits, policiesOf, type RateLimitPolicy } from '../rate-limit-descriptors.ts';
import { Limiter, type LimiterSpec } from './limiter.ts';
import type { TokenBucket } from './token-bucket.ts';

interface Share {
  readonly numerator: number;
  readonly denominator: number;
}

export interface LocalRateLimitConfig {
  readonly statPrefix: string;
  readonly limiter: LimiterSpec;
  readonly perConnection: boolean;
  readonly enabled: Share;
  readonly enforced: Share;
  readonly status: number;
  /** gRPC callers get RESOURCE_EXHAUSTED instead of UNAVAILABLE. */
  readonly resourceExhausted: boolean;
  readonly requestHeaders: readonly HeaderAddition[];
  readonly responseHeaders: readonly HeaderAddition[];
  readonly tellsLimits: boolean;
  readonly stage: number;
  readonly hostRateLimits: HostRateLimits;
  /** The filter's own; they replace those of routes. */
  readonly rateLimits: readonly RateLimitPolicy[];
}

export const LOCAL_RATE_LIMIT = 'envoy.filters.http.local_ratelimit';
const RESOURCE_EXHAUSTED = 8;
const HELP = 'Requests seen by the local rate limit filter';

/** Envoy's local rate limit: token buckets in this process, by default one for all, by descriptors one for each kind of request. */
export function createLocalRateLimit(config: LocalRateLimitConfig, env: FilterEnv): Filter | undefined {
  const { limiter: spec, enabled, enforced } = config;
  if ((spec.bucket === undefined && spec.descriptors.length === 0) || enabled.numerator === 0) return undefined;
  const policies = describedBy(config, env);
  const limiterOf = limiters(config, env);
  const { seen, passed, limited, refused } = countersOf(config, env);
  const writeRequest = compileHeaderMutations([
    { requestAdd: config.requestHeaders, requestRemove: [], responseAdd: [], responseRemove: [] },
  ]);
  const writeResponse = compileHeaderMutations([
    { requestAdd: [], requestRemove: [], responseAdd: config.responseHeaders, responseRemove: [] },
  ]);
  const reply = localReply({
    status: config.status,
    flags: ResponseFlag.RateLimited,
    details: 'local_rate_limited',
    body: 'local_rate_limited',
    grpcStatus: config.resourceExhausted ? RESOURCE_EXHAUSTED : undefined,
  });
  const buckets = config.tellsLimits ? new WeakMap<Exchange, TokenBucket>() : undefined;
  const denied = writeResponse === undefined ? undefined : new WeakSet<Exchange>();

  const judge = (x: Exchange): LocalReply | undefined => {
    if (!hits(enabled, env)) return undefined;
    seen.value++;
    const { allowed, bucket } = limiterOf(x.peer).judge(policies.length === 0 ? [] : describeAll(policies, x));
    if (bucket !== undefined) buckets?.set(x, bucket);
    if (allowed) {
      passed.value++;
      return undefined;
    }
    limited.value++;
    if (!hits(enforced, env)) {
      writeRequest?.onRequest(x, x.request);
      return undefined;
    }
    refused.value++;
    denied?.add(x);
    return reply;
  };
  return {
    name: LOCAL_RATE_LIMIT,
    onRequest: judge,
    explain: (x) => {
      x.decision?.add('filter', 'a local rate limit would be asked');
      return undefined;
    },
    ...(buckets === undefined && denied === undefined
      ? {}
      : {
          onResponse: (x: Exchange, head: ResponseHead) => {
            if (denied?.has(x)) writeResponse!.onResponse(x, head);
            const bucket = buckets?.get(x);
            if (bucket !== undefined) tellLimits(head, bucket);
          },
        }),
  };
}

/** What makes the descriptors of a request: the filter's own policies, or those of its route. */
function describedBy({ limiter, rateLimits, stage, hostRateLimits }: LocalRateLimitConfig, env: FilterEnv): readonly RateLimitPolicy[] {
  if (limiter.descriptors.length === 0) return [];
  return rateLimits.length > 0 ? rateLimits : policiesOf(env.place?.rateLimits, stage, hostRateLimits);
}

function countersOf(
  { statPrefix }: LocalRateLimitConfig,
  env: FilterEnv,
): Record<'seen' | 'passed' | 'limited' | 'refused', FilterCounter> {
  const counter = (name: string): FilterCounter =>
    env.counters?.counter(`envoy_${statPrefix.replace(/\W/g, '_')}_http_local_rate_limit_${name}`, HELP, {}) ?? { value: 0 };
  return { seen: counter('enabled'), passed: counter('ok'), limited: counter('rate_limited'), refused: counter('enforced') };
}

function tellLimits(head: ResponseHead, bucket: TokenBucket): void {
  head.setHeader('x-ratelimit-limit', String(bucket.spec.maxTokens));
  head.setHeader('x-ratelimit-remaining', String(bucket.remaining));
  head.setHeader('x-ratelimit-reset', String(bucket.resetSeconds));
}

function hits({ numerator, denominator }: Share, { random }: FilterEnv): boolean {
  return numerator >= denominator || random() * denominator < numerator;
}

/** One for all, which outlives pushes that leave its numbers alone; or one per connection. */
function limiters({ limiter: spec, perConnection, statPrefix }: LocalRateLimitConfig, env: FilterEnv): (peer: Peer) => Limiter {
  if (!perConnection) {
    const key = `${LOCAL_RATE_LIMIT}/${env.statPrefix}/${env.place?.scope}/${statPrefix}/${JSON.stringify(spec)}`;
    const limiter = env.state(key, () => new Limiter(spec, env.clock));
    return () => limiter;
  }
  const byPeer = new WeakMap<Peer, Limiter>();
  return (peer) => {
    let limiter = byPeer.get(peer);
    if (limiter === undefined) {
      limiter = new Limiter(spec, env.clock);
      byPeer.set(peer, limiter);
    }
    return limiter;
  };
}
