import type { HeaderTest } from '../route/header-matcher.ts';

/** A route's retry policy (Envoy `RetryPolicy`), decoded. Times in milliseconds. */
export interface RetryPolicy {
  /** Lower-case tokens of retry_on that Envoy knows; unknown ones are dropped. */
  readonly retryOn: ReadonlySet<string>;
  /** Retries, not attempts. */
  readonly numRetries: number;
  /** 0 = the route's timeout. */
  readonly perTryTimeoutMs: number;
  readonly perTryIdleTimeoutMs: number;
  readonly retriableStatusCodes: ReadonlySet<number>;
  readonly backOffBaseMs: number;
  readonly backOffMaxMs: number;
  /** previous_hosts predicate. */
  readonly avoidPreviousHosts: boolean;
  /** previous_priorities, update frequency; 0 = off. */
  readonly previousPrioritiesFrequency: number;
  readonly hostSelectionMaxAttempts: number;
  /** For the token retriable-headers: any one suffices. */
  readonly retriableHeaders?: readonly HeaderTest[] | undefined;
  /** When given, only requests that one of them matches are retried. */
  readonly retriableRequestHeaders?: readonly HeaderTest[] | undefined;
  readonly rateLimitedBackOff?: RateLimitedBackOff | undefined;
}

/** Back-off as long as a response says. It makes no response retriable by itself. */
export interface RateLimitedBackOff {
  /** Asked in this order; the first usable value counts. */
  readonly resetHeaders: readonly { readonly name: string; readonly format: 'seconds' | 'unix_timestamp' }[];
  /** Longer values are passed over. */
  readonly maxIntervalMs: number;
}
