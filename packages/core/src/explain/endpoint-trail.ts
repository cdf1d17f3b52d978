import type { Cluster, Endpoint } from '../cluster/cluster.ts';
import type { DecisionRecord } from '../decision-record.ts';

/** More than these are counted, not listed. */
const LISTED = 20;

/** Which endpoints of a cluster may be picked, and why the others may not. */
export function recordEndpoints(cluster: Cluster, record: DecisionRecord): void {
  if (cluster.kind === 'original_dst' || cluster.kind === 'dynamic_forward_proxy') {
    record.add('endpoint', 'the address that the request names', cluster.source);
    return;
  }
  const usable = cluster.endpoints.filter((endpoint) => reasonAgainst(endpoint) === '');
  const best = Math.min(...usable.map(({ priority }) => priority));
  record.add('endpoint', `${usable.length} of ${cluster.endpoints.length} can be picked`, cluster.source);
  for (const endpoint of cluster.endpoints.slice(0, LISTED)) record.add('endpoint', describe(endpoint, best));
  if (cluster.endpoints.length > LISTED) record.add('endpoint', `… and ${cluster.endpoints.length - LISTED} more`);
}

/** Why an endpoint is passed over while others are well; '' = it may be picked. */
export function reasonAgainst({ ejected, checkFailed, health }: Endpoint): string {
  if (checkFailed === true) return 'its health check failed';
  if (ejected) return 'ejected by outlier detection';
  if (health === 'UNHEALTHY' || health === 'TIMEOUT' || health === 'DRAINING') return `health ${health}`;
  return '';
}

function describe(endpoint: Endpoint, best: number): string {
  const { key, weight, priority, locality, transport, workload, health } = endpoint;
  const parts = [key];
  if (workload !== undefined && workload.workload !== '') parts.push(`${workload.workload}.${workload.namespace}`);
  if (locality.region !== '') parts.push([locality.region, locality.zone, locality.subZone].filter((part) => part !== '').join('/'));
  if (priority !== 0) parts.push(`priority ${priority}`);
  if (weight !== 1) parts.push(`weight ${weight}`);
  parts.push(transport.kind === 'raw' ? 'plaintext' : transport.clientCertificate?.kind === 'identity' ? 'mutual TLS' : 'TLS');
  if (health === 'DEGRADED') parts.push('degraded');
  const against = reasonAgainst(endpoint);
  if (against !== '') parts.push(`passed over: ${against}`);
  else if (priority > best) parts.push(`stands by: priority ${best} has endpoints that are well`);
  return parts.join(', ');
}
