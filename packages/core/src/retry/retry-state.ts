import { type Cluster, type ResourceCounter, resourcesOf } from '../cluster/cluster.ts';
import type { Exchange } from '../exchange.ts';
import type { ResetReason } from '../outcome.ts';
import type { Clock, Random } from '../ports.ts';
import { ResponseFlag } from '../response-flags.ts';
import type { RateLimitedBackOff, RetryPolicy } from './retry-policy.ts';

/** The part of a response head that retries look at. */
export interface RetryHead {
  readonly status: number;
  header(name: string): string | undefined;
}

const GRPC_STATUS: Readonly<Record<string, string>> = {
  '1': 'cancelled',
  '4': 'deadline-exceeded',
  '13': 'internal',
  '8': 'resource-exhausted',
  '14': 'unavailable',
};

/**
 * Decides whether an attempt is followed by another, by Envoy's rules and in its order: does the policy want it, are retries left,
 * does the retry circuit breaker allow it. Both questions answer the back-off in milliseconds, or undefined for no retry; then
 * `x.flags` says URX (exhausted) or UO (breaker).
 */
export class RetryState {
  private readonly policy: RetryPolicy;
  private readonly x: Exchange;
  private readonly breaker: ResourceCounter;
  private readonly random: Random;
  private readonly clock: Pick<Clock, 'wallTime'> | undefined;
  /** False when the policy is only for requests with certain headers, and this one has none of them. */
  private readonly applies: boolean;
  private retriesLeft: number;
  /** Retries by the exponential back-off; those that a response timed do not count. */
  private backOffs = 0;
  /** A taken slot of the retry breaker. */
  private holding = false;

  /** `clock` is needed for reset headers that are timestamps; without it they are passed over. */
  constructor(policy: RetryPolicy, x: Exchange, cluster: Cluster, random: Random, clock?: Pick<Clock, 'wallTime'>) {
    this.policy = policy;
    this.x = x;
    this.breaker = resourcesOf(cluster, x).retries;
    this.random = random;
    this.clock = clock;
    const needed = policy.retriableRequestHeaders ?? [];
    this.applies = needed.length === 0 || needed.some((matches) => matches(x.request));
    this.retriesLeft = policy.numRetries;
  }

  onResponse(head: RetryHead): number | undefined {
    this.release();
    if (!this.applies || !wantsRetryOf(this.policy, head)) return undefined;
    const { rateLimitedBackOff } = this.policy;
    return this.next(rateLimitedBackOff === undefined ? undefined : this.resetInterval(rateLimitedBackOff, head));
  }

  onReset(reason: ResetReason): number | undefined {
    this.release();
    return this.applies && wantsRetryAfter(this.policy, reason) ? this.next(undefined) : undefined;
  }

  /** The per-try timeout has passed and the route hedges: another attempt beside this one, whatever the policy's conditions. */
  onSlow(): number | undefined {
    this.release();
    return this.applies && this.policy.retryOn.size > 0 ? this.next(undefined) : undefined;
  }

  /** Gives back the retry breaker's slot; call at the end of the exchange. */
  release(): void {
    if (this.holding) {
      this.holding = false;
      this.breaker.give();
    }
  }

  private next(resetMs: number | undefined): number | undefined {
    if (this.retriesLeft <= 0) {
      this.x.flags |= ResponseFlag.UpstreamRetryLimitExceeded;
      return undefined;
    }
    this.retriesLeft--;
    if (!this.breaker.tryTake()) {
      this.x.flags |= ResponseFlag.UpstreamOverflow;
      return undefined;
    }
    this.holding = true;
    // As long as the response says, and up to half as much again.
    if (resetMs !== undefined) return resetMs * (1 + this.random() / 2);
    // Full jitter: uniform in [0, min(base · 2^(n−1), max)).
    const ceiling = Math.min(this.policy.backOffBaseMs * 2 ** this.backOffs, this.policy.backOffMaxMs);
    this.backOffs++;
    return this.random() * ceiling;
  }

  private resetInterval({ resetHeaders, maxIntervalMs }: RateLimitedBackOff, head: RetryHead): number | undefined {
    for (const { name, format } of resetHeaders) {
      const text = head.header(name);
      if (text === undefined || !/^\d+$/.test(text)) continue;
      const ms = format === 'seconds' ? Number(text) * 1000 : Number(text) * 1000 - (this.clock?.wallTime() ?? Number.POSITIVE_INFINITY);
      if (ms > 1 && ms <= maxIntervalMs) return ms;
    }
    return undefined;
  }
}

/** The policy's conditions for a response, in Envoy's order; asks nothing but the policy and the head. */
export function wantsRetryOf({ retryOn, retriableStatusCodes, retriableHeaders }: RetryPolicy, head: RetryHead): boolean {
  const { status } = head;
  // A rate-limited response is retried only by its own token.
  if (head.header('x-envoy-ratelimited') !== undefined) return retryOn.has('envoy-ratelimited');
  if (status >= 500 && retryOn.has('5xx')) return true;
  if ((status === 502 || status === 503 || status === 504) && retryOn.has('gateway-error')) return true;
  if (status === 409 && retryOn.has('retriable-4xx')) return true;
  if (retryOn.has('retriable-status-codes') && retriableStatusCodes.has(status)) return true;
  if (retryOn.has('retriable-headers') && retriableHeaders?.some((matches) => matches(head))) return true;
  // gRPC statuses count only in headers (trailers-only responses).
  const grpc = head.header('grpc-status');
  const token = grpc === undefined ? undefined : GRPC_STATUS[grpc];
  return token !== undefined && retryOn.has(token);
}

function wantsRetryAfter({ retryOn }: RetryPolicy, reason: ResetReason): boolean {
  // A request that our own breaker refused, or the whole exchange's end, is never retried.
  if (reason === 'overflow' || reason === 'global-timeout' || reason === 'local-reset') return false;
  if (retryOn.has('5xx') || retryOn.has('gateway-error') || retryOn.has('reset')) return true;
  const connecting = reason === 'connect-failure' || reason === 'connect-timeout' || reason === 'tls-failure';
  if (connecting && (retryOn.has('connect-failure') || retryOn.has('reset-before-request'))) return true;
  return reason === 'refused-stream' && retryOn.has('refused-stream');
}
