import CircuitBreaker from 'opossum';

/** How a {@link guard} breaks. Times in milliseconds. */
export interface GuardOptions<A extends unknown[], R> {
  /** Fail a call that takes longer; false = no limit of its own. */
  readonly timeoutMs?: number | false;
  /** Percent of failed calls in the window that opens the breaker. Default 50. */
  readonly errorThresholdPercentage?: number;
  /** How long it stays open before one trial call. Default 30,000. */
  readonly resetTimeoutMs?: number;
  /** Calls in the window before the percentage counts. Default 5. */
  readonly volumeThreshold?: number;
  readonly capacity?: number;
  readonly name?: string;
  /** Answers instead when the call fails or the breaker is open. */
  readonly fallback?: (...args: [...A, Error]) => R | Promise<R>;
}

/** A guarded function; `breaker` is opossum's, for its events and statistics. */
export interface Guarded<A extends unknown[], R> {
  (...args: A): Promise<R>;
  readonly breaker: CircuitBreaker<A, R>;
}

/**
 * A circuit breaker with a fallback around any async function: a database, a third-party client, a whole mesh call. It is not Istio's
 * outlierDetection or connectionPool: those work per endpoint, come from the DestinationRule, and are always on in the data path.
 */
export function guard<A extends unknown[], R>(call: (...args: A) => Promise<R>, options: GuardOptions<A, R> = {}): Guarded<A, R> {
  const breaker = new CircuitBreaker<A, R>(call, {
    timeout: options.timeoutMs ?? false,
    errorThresholdPercentage: options.errorThresholdPercentage ?? 50,
    resetTimeout: options.resetTimeoutMs ?? 30_000,
    volumeThreshold: options.volumeThreshold ?? 5,
    name: options.name ?? (call.name || 'guard'),
    ...(options.capacity === undefined ? {} : { capacity: options.capacity }),
  });
  const { fallback } = options;
  if (fallback !== undefined) breaker.fallback((...args: unknown[]) => fallback(...(args as [...A, Error])));
  return Object.assign((...args: A) => breaker.fire(...args), { breaker });
}
