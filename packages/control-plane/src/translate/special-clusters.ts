import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@ripstop/xds-api';
import type { Caller } from '../model/proxy-node.ts';
import type { Policy } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import { type ClusterFields, connectionSettings, passthroughOptions, thresholds, withMeshDefaults } from './cluster-policy.ts';
import { discoveryType } from './cluster-values.ts';
import { BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER } from './names.ts';
import { duration } from './values.ts';

/** What every node has beside the clusters of its services. */
export function specialClusters(node: Caller, push: PushContext): ClusterFields[] {
  const blackHole: ClusterFields = {
    name: BLACK_HOLE_CLUSTER,
    altStatName: 'BlackHoleCluster;',
    clusterDiscoveryType: discoveryType(Cluster_DiscoveryType.STATIC),
    connectTimeout: duration(push.mesh.connectTimeout)!,
  };
  if (node.dialect !== 'sidecar') return [blackHole];
  return [blackHole, passthrough(PASSTHROUGH_CLUSTER, push), passthrough(INBOUND_PASSTHROUGH_CLUSTER, push)];
}

function passthrough(name: string, { mesh }: PushContext): ClusterFields {
  const { connectionPool } = withMeshDefaults<Pick<Policy, 'connectionPool'>>(
    mesh.defaultPolicy.connectionPool === undefined ? {} : { connectionPool: mesh.defaultPolicy.connectionPool },
    mesh,
    'TCP',
  );
  return {
    name,
    altStatName: 'PassthroughCluster;',
    clusterDiscoveryType: discoveryType(Cluster_DiscoveryType.ORIGINAL_DST),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    ...connectionSettings(connectionPool, mesh.connectTimeout),
    ...thresholds(connectionPool),
    ...passthroughOptions(),
    ...(name === INBOUND_PASSTHROUGH_CLUSTER ? LOOP_GUARD : {}),
  };
}

/** The address that tells Istio's traffic capture: this connection comes from the proxy itself. */
export const LOOP_GUARD: ClusterFields = {
  upstreamBindConfig: { sourceAddress: { address: '127.0.0.6', portSpecifier: { $case: 'portValue', value: 0 } } },
};
