import type { OutboundScope } from '../push/outbound-scope.ts';
import { ALLOW_ANY_DYNAMIC_DNS } from './dynamic-dns.ts';
import { DYNAMIC_DNS_CLUSTER, unknownHostsCluster } from './names.ts';
import { type VirtualHostFields, virtualHost } from './route-configuration.ts';
import type { RouteFields } from './route-scope.ts';
import { ZERO } from './values.ts';

/** What nobody owns: passed on, looked up, or 502 with outboundTrafficPolicy REGISTRY_ONLY (Istio: buildCatchAllVirtualHost). */
export function catchAllHost(scope: OutboundScope): VirtualHostFields {
  if (!scope.allowAny) return everything('block_all', { $case: 'directResponse', value: { status: 502 } });
  if (scope.looksUpHosts) return everything(ALLOW_ANY_DYNAMIC_DNS, forward(DYNAMIC_DNS_CLUSTER));
  return everything('allow_any', forward(unknownHostsCluster(scope)));
}

function everything(name: string, action: RouteFields['action']): VirtualHostFields {
  return virtualHost(name, ['*'], [{ name, match: { pathSpecifier: { $case: 'prefix', value: '/' } }, action }]);
}

function forward(cluster: string): RouteFields['action'] {
  return { $case: 'route', value: { clusterSpecifier: { $case: 'cluster', value: cluster }, timeout: ZERO, maxGrpcTimeout: ZERO } };
}
