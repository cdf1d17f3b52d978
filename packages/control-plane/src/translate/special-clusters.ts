import type { ClientTLSSettings } from '@ripstop/istio-api';
import { Cluster_DiscoveryType, Cluster_LbPolicy, type TransportSocket } from '@ripstop/xds-api';
import { familiesOf } from '../model/address-families.ts';
import type { Caller } from '../model/proxy-node.ts';
import type { Policy } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import { type ClusterFields, connectionSettings, httpOptions, passthroughOptions, thresholds, withMeshDefaults } from './cluster-policy.ts';
import { discoveryType } from './cluster-values.ts';
import { ANY_HOST, dynamicDnsCluster } from './dynamic-dns.ts';
import { BLACK_HOLE_CLUSTER, DYNAMIC_DNS_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER } from './names.ts';
import { originated } from './origination.ts';
import { istioMutualSocket } from './tls.ts';
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
  return [blackHole, passthrough(PASSTHROUGH_CLUSTER, node, push), passthrough(INBOUND_PASSTHROUGH_CLUSTER, node, push)];
}

/** Of ALLOW_ANY_DYNAMIC_DNS (Istio: buildAllowAnyDFPCluster): Envoys look up the host of each request. */
export function dynamicDnsOfAnyHost(node: Caller, push: PushContext): ClusterFields {
  const { mesh } = push;
  const tls = mesh.outboundTls?.mode === 'DISABLE' ? undefined : mesh.outboundTls;
  const { connectionPool } = withMeshDefaults<Pick<Policy, 'connectionPool'>>({}, mesh, 'TCP');
  const transportSocket = tls === undefined ? undefined : socketOf(tls, node, push);
  const checks = tls !== undefined && transportSocket !== undefined;
  const auto = { sni: checks && (tls.sni ?? '') === '', san: checks && tls.insecureSkipVerify !== true };
  return {
    name: DYNAMIC_DNS_CLUSTER,
    altStatName: `${DYNAMIC_DNS_CLUSTER};`,
    clusterDiscoveryType: dynamicDnsCluster(node, ANY_HOST, !(auto.sni && auto.san)),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    ...connectionSettings(connectionPool, mesh.connectTimeout),
    ...thresholds(connectionPool),
    ...(auto.sni || auto.san ? httpOptions('HTTP', undefined, auto) : passthroughOptions()),
    ...(transportSocket === undefined ? {} : { transportSocket }),
  };
}

function socketOf(tls: ClientTLSSettings, node: Caller, push: PushContext): TransportSocket | undefined {
  const { subjectAltNames = [] } = tls;
  if (tls.mode === 'ISTIO_MUTUAL') return istioMutualSocket({ subjectAltNames, sni: tls.sni ?? '', http2: false });
  return originated({ tls, node, push, rule: undefined, subjectAltNames, http2: false });
}

function passthrough(name: string, node: Caller, { mesh }: PushContext): ClusterFields {
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
    ...(name === INBOUND_PASSTHROUGH_CLUSTER ? loopGuard(node) : {}),
  };
}

/** The address that tells Istio's traffic capture: this connection comes from the proxy itself. */
export function loopGuard(node: Caller): ClusterFields {
  const address = familiesOf(node) === 'IPv6' ? '::6' : '127.0.0.6';
  return { upstreamBindConfig: { sourceAddress: { address, portSpecifier: { $case: 'portValue', value: 0 } } } };
}
