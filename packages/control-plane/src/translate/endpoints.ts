import type { ClientTLSSettings, Subset } from '@ripstop/istio-api';
import { ClusterLoadAssignment, ENDPOINT_TYPE_URL, HealthStatus, type LbEndpoint } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { type MergedDestinationRule, policyFor } from '../push/destination-rules.ts';
import type { ServiceEndpoint } from '../push/endpoints.ts';
import type { PushContext } from '../push/push-context.ts';
import { type MeshService, type MeshServicePort, selects } from '../push/service.ts';
import type { XdsResource } from './resource.ts';
import type { FieldsOf } from './values.ts';

const CLUSTER_NAME = /^outbound\|(\d+)\|([^|]*)\|(.+)$/;

/** EDS of the named clusters; one that does not exist gets an empty assignment, as from istiod. */
export function buildEndpoints(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  const services = new Map(push.scopeFor(node).withDestinations.map((service) => [service.hostname, service]));
  return names.map((name) => {
    const match = CLUSTER_NAME.exec(name);
    const service = match === null ? undefined : services.get(match[3]!);
    const port = service?.ports.find((candidate) => candidate.port === Number(match![1]));
    const message =
      service === undefined || port === undefined
        ? ClusterLoadAssignment.fromPartial({ clusterName: name })
        : assignmentFor(node, push, name, service, port, match![2]!);
    return { typeUrl: ENDPOINT_TYPE_URL, name, message };
  });
}

function assignmentFor(
  node: ProxyNode,
  push: PushContext,
  name: string,
  service: MeshService,
  port: MeshServicePort,
  subsetName: string,
): ClusterLoadAssignment {
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace);
  const subset = subsetOf(rule, subsetName);
  return loadAssignment(name, push, service, port, subset, policyFor(rule, subset, port.port).tls);
}

function subsetOf(rule: MergedDestinationRule | undefined, name: string): Subset | undefined {
  if (name === '') return undefined;
  // A subset that no longer exists has no endpoints; the label can match nothing.
  return rule?.subsets.find((subset) => subset.name === name) ?? { name, labels: { 'ripstop/no-such-subset': name } };
}

/** The endpoints of a service port, grouped by locality; weights add up per locality. */
export function loadAssignment(
  name: string,
  push: PushContext,
  service: MeshService,
  port: MeshServicePort,
  subset: Subset | undefined,
  tls: ClientTLSSettings | undefined,
): ClusterLoadAssignment {
  const localities = new Map<string, { readonly first: ServiceEndpoint; readonly members: ServiceEndpoint[] }>();
  for (const endpoint of push.endpoints(service, port)) {
    if (!selects(subset?.labels, endpoint.labels)) continue;
    const { region, zone, subZone } = endpoint.locality;
    const key = `${region}/${zone}/${subZone}`;
    const group = localities.get(key);
    if (group === undefined) localities.set(key, { first: endpoint, members: [endpoint] });
    else group.members.push(endpoint);
  }
  // A tls mode of the DestinationRule decides for every endpoint alike, so none is marked (ISTIO_MUTUAL marks them all the same).
  const autoMtls = tls === undefined || tls.mode === 'ISTIO_MUTUAL';
  return ClusterLoadAssignment.fromPartial({
    clusterName: name,
    endpoints: [...localities.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { first, members }]) => ({
        locality: first.locality,
        loadBalancingWeight: members.reduce((sum, { weight }) => sum + weight, 0),
        lbEndpoints: members.map((member) => lbEndpoint(member, autoMtls && mtlsWanted(member, push, service), service)),
      })),
  });
}

const HEALTH = {
  HEALTHY: HealthStatus.HEALTHY,
  UNHEALTHY: HealthStatus.UNHEALTHY,
  DRAINING: HealthStatus.DRAINING,
  UNKNOWN: HealthStatus.UNKNOWN,
} as const;

function lbEndpoint(endpoint: ServiceEndpoint, mtls: boolean, service: MeshService): FieldsOf<typeof LbEndpoint> {
  const { address, port, labels, namespace, clusterId } = endpoint;
  // Endpoints of a ServiceEntry that name no workload of their own go by the entry's name.
  const workloadName = endpoint.workloadName === '' ? service.name : endpoint.workloadName;
  const canonicalName = labels['service.istio.io/canonical-name'] ?? labels.app ?? workloadName;
  const revision = labels['service.istio.io/canonical-revision'] ?? labels.version ?? 'latest';
  const workload = [workloadName, namespace, canonicalName, revision === 'latest' ? '' : revision, clusterId].join(';');
  return {
    hostIdentifier: {
      $case: 'endpoint',
      value: {
        address: {
          address: { $case: 'socketAddress', value: { address, portSpecifier: { $case: 'portValue', value: port } } },
        },
      },
    },
    healthStatus: HEALTH[endpoint.health],
    loadBalancingWeight: endpoint.weight,
    metadata: {
      filterMetadata: {
        ...(mtls ? { 'envoy.transport_socket_match': { tlsMode: 'istio' } } : {}),
        istio: { workload },
      },
    },
  };
}

/** Auto-mTLS: the workload can, and its effective PeerAuthentication for this port does not forbid it. */
function mtlsWanted(endpoint: ServiceEndpoint, push: PushContext, service: MeshService): boolean {
  if (!endpoint.mtls || service.meshExternal || !push.mesh.autoMtls) return false;
  return push.peerAuthentications.modeFor(endpoint.namespace, endpoint.labels, endpoint.workloadPort) !== 'DISABLE';
}
