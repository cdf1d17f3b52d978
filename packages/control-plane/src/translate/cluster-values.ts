import { type Cluster_DiscoveryType, Cluster_DnsLookupFamily } from '@ripstop/xds-api';
import { familiesOf } from '../model/address-families.ts';
import type { Caller } from '../model/proxy-node.ts';
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

/** Which addresses of a name a client asks for (Istio: SelectDNSLookupFamily). */
export function dnsFamilyOf(node: Caller): Cluster_DnsLookupFamily {
  return familiesOf(node) === 'IPv6' ? Cluster_DnsLookupFamily.V6_ONLY : Cluster_DnsLookupFamily.V4_ONLY;
}
