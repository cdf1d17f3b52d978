import type { ResourceCounter, Resources } from './cluster.ts';

/** Envoy's Thresholds of the default priority. */
export interface ThresholdsSpec {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
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

  give(): void {
    this.used--;
  }
}

export class ClusterResources implements Resources {
  readonly connections: Counter;
  readonly pending: Counter;
  readonly requests: Counter;
  readonly retries: Counter;

  constructor(limits: ThresholdsSpec) {
    this.connections = new Counter(limits.maxConnections);
    this.pending = new Counter(limits.maxPendingRequests);
    this.requests = new Counter(limits.maxRequests);
    this.retries = new Counter(limits.maxRetries);
  }

  limit(limits: ThresholdsSpec): void {
    this.connections.limit = limits.maxConnections;
    this.pending.limit = limits.maxPendingRequests;
    this.requests.limit = limits.maxRequests;
    this.retries.limit = limits.maxRetries;
  }
}
