import type { Subset } from '@ripstop/istio-api';
import { ClusterLoadAssignment, ENDPOINT_TYPE_URL, HealthStatus, type LbEndpoint } from '@ripstop/xds-api';
import type { Caller, ProxyNode } from '../model/proxy-node.ts';
import { endpointTlsMode, type MergedDestinationRule, type Policy, policyFor } from '../push/destination-rules.ts';
import type { ServiceEndpoint } from '../push/endpoints.ts';
import { type LocalityPolicy, localityPolicy, spillsByHealth } from '../push/locality-policy.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import { callerView, labelsKey, viewOf } from '../push/shared.ts';
import { isOfSubset, localityGroups } from './locality.ts';
import { type PackedResource, packed, type XdsResource } from './resource.ts';
import { ruledName } from './ruled-name.ts';
import { addressOf } from './socket-address.ts';
import { seenFrom } from './split-horizon.ts';
import type { FieldsOf } from './values.ts';

const CLUSTER_NAME = /^outbound\|(\d+)\|([^|]*)\|(.+)$/;
/** Of a cluster that a server name leads to; the name of a subset is a label of DNS, so it holds no `_.`. */
const SNI_CLUSTER_NAME = /^outbound_\.(\d+)_\.(.*?)_\.(.+)$/;

/** EDS of the named clusters; one that does not exist gets an empty assignment, as from istiod. */
export function buildEndpoints(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  const scope = push.scopeFor(node);
  const view = endpointsView(node, push);
  return names.map((name) => push.shared.get(scope, view, name, () => assignmentOf(name, node, push)));
}

/** Who has the same endpoints. */
export function endpointsView(node: ProxyNode, push: PushContext): string {
  return `EDS ${viewOf(node)} ${comparedLabels(node, push)}`;
}

/** Of a client whose labels tell near endpoints from far ones. */
export function comparedLabels(node: ProxyNode, push: PushContext): string {
  return push.comparesLabels ? labelsKey(node) : '';
}

function assignmentOf(name: string, node: ProxyNode, push: PushContext): PackedResource {
  const byName = SNI_CLUSTER_NAME.exec(name);
  const match = byName ?? CLUSTER_NAME.exec(name);
  const service = match === null ? undefined : push.scopeFor(node).byHost.get(match[3]!);
  const port = service?.ports.find((candidate) => candidate.port === Number(match![1]));
  if (service === undefined || port === undefined) return packed(resource(ClusterLoadAssignment.fromPartial({ clusterName: name })));
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  return push.shared.across(
    `EDS ${callerView(node)} ${comparedLabels(node, push)}`,
    `${name} ${ruledName(service, rule, node)}`,
    () => packed(resource(assignmentFor({ name, node, push, service, port, rule, mtlsOnly: byName !== null }, match![2]!))),
    [service, rule],
  );
}

function resource(message: ClusterLoadAssignment): XdsResource {
  return { typeUrl: ENDPOINT_TYPE_URL, name: message.clusterName, message };
}

function assignmentFor(input: Omit<AssignmentInput, 'subset' | 'policy'>, subsetName: string): ClusterLoadAssignment {
  const { rule, port } = input;
  const subset = subsetOf(rule, subsetName);
  return loadAssignment({ ...input, subset, policy: policyFor(rule, subset, port.port) });
}

function subsetOf(rule: MergedDestinationRule | undefined, name: string): Subset | undefined {
  if (name === '') return undefined;
  // A subset that no longer exists has no endpoints; the label can match nothing.
  return rule?.subsets.find((subset) => subset.name === name) ?? { name, labels: { 'ripstop/no-such-subset': name } };
}

export interface AssignmentInput {
  readonly name: string;
  readonly node: Caller;
  readonly push: PushContext;
  readonly service: MeshService;
  readonly port: MeshServicePort;
  readonly rule: MergedDestinationRule | undefined;
  readonly subset: Subset | undefined;
  readonly policy: Policy;
  /** What is handed through to it is believed to be mTLS, so nobody else may get it (Istio: EndpointsWithMTLSFilter). */
  readonly mtlsOnly?: boolean;
}

/** The endpoints of a service port as this client has them: grouped by place, with priorities and weights. */
export function loadAssignment({
  name,
  node,
  push,
  service,
  port,
  rule,
  subset,
  policy,
  mtlsOnly = false,
}: AssignmentInput): ClusterLoadAssignment {
  const { outlierDetection } = policy;
  const hasPanicThreshold = (outlierDetection?.minHealthPercent ?? 0) > 0 && !spillsByHealth(service.trafficDistribution);
  const clusterLocal = push.mesh.clusterLocal.has(service.hostname);
  const mine = push.endpoints(service, port).filter((endpoint) => {
    if (clusterLocal && endpoint.clusterId !== node.clusterId) return false;
    if (endpoint.health === 'TERMINATING' || !isOfSubset(subset?.labels, endpoint)) return false;
    // With a panic threshold the unhealthy would be called in panic.
    if (hasPanicThreshold && endpoint.health === 'UNHEALTHY') return false;
    return !service.nodeLocal || endpoint.nodeName === (node.metadata.NODE_NAME ?? '');
  });
  // A tls mode of the DestinationRule decides for every endpoint alike (Istio: mtlsChecker).
  const mode = endpointTlsMode(rule, subset, port.port);
  const marked = (endpoint: ServiceEndpoint): boolean =>
    mode === undefined ? mtlsWanted(endpoint, push) : mode === 'ISTIO_MUTUAL' && endpoint.mtls;
  const { endpoints: seen, unreached } = push.networks.several
    ? seenFrom(node, mine, push.networks, marked)
    : { endpoints: mine.filter(({ address }) => address !== ''), unreached: NOBODY };
  const isUsed = (endpoint: ServiceEndpoint): boolean =>
    !unreached.has(endpoint) && (!mtlsOnly || endpoint.isGateway === true || marked(endpoint));
  return ClusterLoadAssignment.fromPartial({
    clusterName: name,
    endpoints: localityGroups(seen, node, localityOf(push, service, policy), isUsed).map(({ locality, priority, weight, endpoints }) => ({
      locality,
      priority,
      loadBalancingWeight: weight,
      lbEndpoints: endpoints.map((member) => lbEndpoint(member, member.isGateway === true || marked(member), service)),
    })),
  });
}

const NOBODY: ReadonlySet<ServiceEndpoint> = new Set();

/** How calls of this service prefer near endpoints. */
export function localityOf(
  { mesh }: PushContext,
  service: MeshService,
  { loadBalancer, outlierDetection }: Policy,
): LocalityPolicy | undefined {
  return localityPolicy({
    balancer: loadBalancer,
    outlierDetection: outlierDetection !== undefined,
    trafficDistribution: service.trafficDistribution,
    mesh: mesh.locality,
  });
}

const HEALTH = {
  HEALTHY: HealthStatus.HEALTHY,
  UNHEALTHY: HealthStatus.UNHEALTHY,
  DRAINING: HealthStatus.DRAINING,
  UNKNOWN: HealthStatus.UNKNOWN,
  // Never sent: known for the identities that a service has.
  TERMINATING: HealthStatus.DRAINING,
} as const;

function lbEndpoint(endpoint: ServiceEndpoint, mtls: boolean, service: MeshService): FieldsOf<typeof LbEndpoint> {
  const { address, port, labels, namespace, clusterId, isGateway = false } = endpoint;
  // Endpoints of a ServiceEntry that name no workload of their own go by the entry's name.
  const ofEntry = service.registry === 'External' && !isGateway;
  const workloadName = endpoint.workloadName === '' && ofEntry ? service.name : endpoint.workloadName;
  const canonicalName = labels['service.istio.io/canonical-name'] ?? labels.app ?? workloadName;
  const revision = labels['service.istio.io/canonical-revision'] ?? labels.version ?? 'latest';
  const workload = [workloadName, namespace, canonicalName, revision === 'latest' ? '' : revision, clusterId].join(';');
  return {
    hostIdentifier: {
      $case: 'endpoint',
      value: {
        address: addressOf(address, port),
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

/** The workload can, and its effective PeerAuthentication for this port does not forbid it. Whether clients try is up to the cluster. */
function mtlsWanted(endpoint: ServiceEndpoint, push: PushContext): boolean {
  if (!endpoint.mtls) return false;
  return push.peerAuthentications.modeFor(endpoint.namespace, endpoint.labels, endpoint.workloadPort) !== 'DISABLE';
}
