import type { ResourceCounter, Resources } from './cluster.ts';

/** Retries as a share of what is in flight (Envoy's RetryBudget). */
export interface RetryBudgetSpec {
  readonly percent: number;
  readonly minimumConcurrency: number;
}

/** Envoy's Thresholds of one routing priority. */
export interface ThresholdsSpec {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  /** When given, `maxRetries` counts for nothing. */
  readonly retryBudget?: RetryBudgetSpec | undefined;
}

/** Envoy's own defaults; istiod always sets them, to 2^32−1. */
export const DEFAULT_THRESHOLDS: ThresholdsSpec = { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 };

/** A counter that outlives configuration: a push changes the limit, never the count. */
export class Counter implements ResourceCounter {
  limit: number;
  used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  tryTake(): boolean {
    if (this.used >= this.limit) return false;
    this.used++;
    return true;
  }

  /** Counts, whatever the limit. */
  take(): void {
    this.used++;
  }

  give(): void {
    this.used--;
  }
}

/** Retries in flight or waiting for their back-off, limited by number or by budget. */
class RetryCounter implements ResourceCounter {
  used = 0;
  maxRetries = 0;
  budget: RetryBudgetSpec | undefined = undefined;
  private readonly requests: Counter;
  private readonly pending: Counter;

  constructor(requests: Counter, pending: Counter) {
    this.requests = requests;
    this.pending = pending;
  }

  get limit(): number {
    if (this.budget === undefined) return this.maxRetries;
    const share = Math.floor((this.budget.percent / 100) * (this.requests.used + this.pending.used));
    return Math.max(share, this.budget.minimumConcurrency);
  }

  tryTake(): boolean {
    if (this.used >= this.limit) return false;
    this.used++;
    return true;
  }

  give(): void {
    this.used--;
  }
}

export class ClusterResources implements Resources {
  readonly connections: Counter;
  readonly pending: Counter;
  readonly requests: Counter;
  readonly retries: ResourceCounter;
  private readonly retryCounter: RetryCounter;

  constructor(limits: ThresholdsSpec) {
    this.connections = new Counter(limits.maxConnections);
    this.pending = new Counter(limits.maxPendingRequests);
    this.requests = new Counter(limits.maxRequests);
    this.retryCounter = new RetryCounter(this.requests, this.pending);
    this.retries = this.retryCounter;
    this.limit(limits);
  }

  limit(limits: ThresholdsSpec): void {
    this.connections.limit = limits.maxConnections;
    this.pending.limit = limits.maxPendingRequests;
    this.requests.limit = limits.maxRequests;
    this.retryCounter.maxRetries = limits.maxRetries;
    this.retryCounter.budget = limits.retryBudget;
  }
}
