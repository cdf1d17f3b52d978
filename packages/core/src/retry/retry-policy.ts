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
}
