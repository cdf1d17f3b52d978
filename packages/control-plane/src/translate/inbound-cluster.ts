import type { ConnectionPoolSettings } from '@ripstop/istio-api';
import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { policyFor } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import { type ClusterFields, connectionSettings, httpOptions, thresholds, withMeshDefaults } from './cluster-policy.ts';
import { discoveryType, serviceReference } from './cluster-values.ts';
import type { InboundPort } from './inbound-ports.ts';
import { inboundCluster } from './names.ts';
import { addressOf } from './socket-address.ts';
import { loopGuard } from './special-clusters.ts';
import { configPath } from './values.ts';

/** The app behind this node: one cluster per port that its services name. */
export function ownCluster(port: InboundPort, push: PushContext, node: ProxyNode): ClusterFields {
  const name = inboundCluster(port.targetPort);
  const [service] = port.services;
  // A workload that is not told about its own service is not told about its rules either.
  const known = service === undefined ? undefined : push.scopeFor(node).byHost.get(service.hostname);
  const rule = known === undefined ? undefined : push.destinationRules.findInbound(known.hostname, known.namespace, node.namespace);
  const written = policyFor(rule, undefined, port.port, push.mesh.defaultPolicy);
  const { connectionPool } = withMeshDefaults({ connectionPool: port.connectionPool ?? written.connectionPool }, push.mesh, 'TCP');
  // istiod says nothing at all of a port of a host outside the mesh.
  const istio =
    service === undefined || service.meshExternal
      ? {}
      : {
          services: oncePerHost(port.services).map(serviceReference),
          ...(rule?.trafficPolicy === undefined ? {} : { config: configPath(rule.object) }),
        };
  return {
    name,
    altStatName: `${name};`,
    commonLbConfig: {},
    ...inboundEndpoint(name, port, node),
    ...connectionSettings(connectionPool, push.mesh.connectTimeout),
    ...thresholds(connectionPool, written.retryBudget),
    // Towards the app nothing is upgraded.
    ...httpOptions(port.protocol, withoutUpgrade(connectionPool), { sni: false, san: false }),
    ...(Object.keys(istio).length === 0 ? {} : { metadata: { filterMetadata: { istio } } }),
  };
}

/** Several ServiceEntries may have one host. */
function oncePerHost(services: readonly MeshService[]): readonly MeshService[] {
  return services.filter(({ hostname }, at) => services.findIndex((other) => other.hostname === hostname) === at);
}

/** Where the connection came to, or where the Sidecar says that the app listens. */
function inboundEndpoint(name: string, { ingress }: InboundPort, node: ProxyNode): ClusterFields {
  const endpoint = ingress?.endpoint;
  if (endpoint === undefined)
    return {
      clusterDiscoveryType: discoveryType(Cluster_DiscoveryType.ORIGINAL_DST),
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      cleanupInterval: { seconds: 9_223_372_035, nanos: 0 },
      ...loopGuard(node),
    };
  const { address, port } = endpoint;
  return {
    clusterDiscoveryType: discoveryType(Cluster_DiscoveryType.STATIC),
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                $case: 'endpoint',
                value: { address: addressOf(address, port) },
              },
            },
          ],
        },
      ],
    },
    ...(address === '127.0.0.1' || address === '::1' ? {} : loopGuard(node)),
  };
}

function withoutUpgrade(pool: ConnectionPoolSettings | undefined): ConnectionPoolSettings | undefined {
  return pool?.http === undefined ? pool : { ...pool, http: { ...pool.http, h2UpgradePolicy: 'DO_NOT_UPGRADE' } };
}
