import type { AcquireOptions, Cluster, Endpoint } from '../cluster/cluster.ts';
import type { DecisionRecord } from '../decision-record.ts';
import type { RetryPolicy } from '../retry/retry-policy.ts';

/** What the next attempt wants of the choice of an endpoint, after those that were tried; nothing for the first one. */
export function reselectionOf(policy: RetryPolicy | undefined, tried: readonly Endpoint[] | undefined): AcquireOptions | undefined {
  if (policy === undefined || tried === undefined) return undefined;
  return {
    avoid: policy.avoidPreviousHosts ? tried : undefined,
    maxSelectionAttempts: policy.hostSelectionMaxAttempts,
    tried,
    previousPrioritiesFrequency: policy.previousPrioritiesFrequency,
  };
}

export function recordEndpoint(record: DecisionRecord, attempt: number, endpoint: Endpoint, cluster: Cluster): void {
  const security = endpoint.transport.kind === 'tls' ? 'mutual TLS' : 'plaintext';
  record.add('endpoint', `${endpoint.key}, attempt ${attempt}, ${security}`, cluster.source);
}
