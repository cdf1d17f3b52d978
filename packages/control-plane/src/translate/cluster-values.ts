import type { Cluster_DiscoveryType } from '@ripstop/xds-api';
import type { MeshService } from '../push/service.ts';
import type { ClusterFields } from './cluster-policy.ts';

/** istiod names the service of a ServiceEntry by its host. */
export function serviceReference({ hostname, name, namespace, registry }: MeshService): Record<string, string> {
  return { host: hostname, name: registry === 'External' ? hostname : name, namespace };
}

/** The way in which the endpoints of a cluster are found. */
export function discoveryType(value: Cluster_DiscoveryType): NonNullable<ClusterFields['clusterDiscoveryType']> {
  return { $case: 'type', value };
}
