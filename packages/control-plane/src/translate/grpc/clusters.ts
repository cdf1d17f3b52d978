import { isIP } from 'node:net';
import { CLUSTER_TYPE_URL, Cluster, Cluster_DiscoveryType, Cluster_LbPolicy } from '@ripstop/xds-api';
import type { ProxyNode } from '../../model/proxy-node.ts';
import { type Policy, policyFor } from '../../push/destination-rules.ts';
import type { PushContext } from '../../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../../push/service.ts';
import { type ClusterFields, loadBalancer } from '../cluster-policy.ts';
import type { XdsResource } from '../resource.ts';
import { type GrpcClient, grpcClientOf } from './client.ts';
import { parseOutbound } from './names.ts';
import { noNotes, type TakeNote } from './notes.ts';
import { grpcUpstreamSocket } from './tls.ts';

/** What a cluster name stands for. */
export interface Destination {
  readonly service: MeshService;
  readonly port: MeshServicePort;
  readonly policy: Policy;
}

/** The service port behind a cluster name, and what governs its calls; undefined when there is no such port or subset. */
export function destinationOf(name: string, node: ProxyNode, push: PushContext): Destination | undefined {
  const parsed = parseOutbound(name);
  if (parsed === undefined) return undefined;
  const service = push.scopeFor(node).byHost.get(parsed.host);
  const port = service?.ports.find((candidate) => candidate.port === parsed.port);
  if (service === undefined || port === undefined) return undefined;
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const subset = rule?.subsets.find((candidate) => candidate.name === parsed.subset);
  if (parsed.subset !== '' && subset === undefined) return undefined;
  return { service, port, policy: policyFor(rule, subset, port.port) };
}

/** A client that a DestinationRule tells to originate TLS must not call in plaintext; gRPC has no certificates for it, so it calls nobody. */
export function originatesTls({ policy: { tls } }: Destination): boolean {
  return tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL';
}

/** CDS of the named clusters. A name that is none of the mesh's has no resource. */
export function grpcClusters(node: ProxyNode, push: PushContext, names: readonly string[], note: TakeNote = noNotes): XdsResource[] {
  const client = grpcClientOf(node);
  return names.flatMap((name) => {
    const destination = destinationOf(name, node, push);
    if (destination === undefined) return [];
    remarks(name, destination, push, note);
    const message = Cluster.fromPartial(cluster(name, destination, push, client, (text) => note(name, text)));
    return [{ typeUrl: CLUSTER_TYPE_URL, name, message }];
  });
}

function cluster(
  name: string,
  { service, policy }: Destination,
  push: PushContext,
  client: GrpcClient,
  note: (text: string) => void,
): ClusterFields {
  const maxRequests = policy.connectionPool?.http?.http2MaxRequests ?? 0;
  const mutual = policy.tls?.mode === 'ISTIO_MUTUAL';
  const identities = policy.tls?.subjectAltNames ?? push.identitiesOf(service);
  return {
    name,
    altStatName: `${name};`,
    clusterDiscoveryType: { $case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { serviceName: name, edsConfig: { configSourceSpecifier: { $case: 'ads', value: {} } } },
    ...balancer(policy, client, note),
    ...(maxRequests > 0 ? { circuitBreakers: { thresholds: [{ maxRequests }] } } : {}),
    ...(mutual ? { transportSocket: grpcUpstreamSocket(identities) } : {}),
  };
}

/** gRPC's default is round robin; what a client would refuse becomes the nearest that it takes. */
function balancer({ loadBalancer: settings }: Policy, client: GrpcClient, note: (text: string) => void): ClusterFields {
  const simple = settings?.simple;
  if (settings?.consistentHash !== undefined) {
    const asked = loadBalancer(settings);
    if (asked.lbPolicy !== Cluster_LbPolicy.MAGLEV || !client.known) return asked;
    note('loadBalancer: the client has no MAGLEV; it gets RING_HASH');
    return loadBalancer({ consistentHash: { ...settings.consistentHash, maglev: undefined } } as typeof settings);
  }
  if (simple === 'LEAST_REQUEST') {
    if (client.leastRequest) return { lbPolicy: Cluster_LbPolicy.LEAST_REQUEST };
    note(`loadBalancer: the client has no ${simple}; it gets ROUND_ROBIN`);
  } else if (simple === 'RANDOM' || simple === 'PASSTHROUGH' || simple === 'LEAST_CONN') {
    note(`loadBalancer: gRPC has no ${simple}; it gets ROUND_ROBIN`);
  }
  return {};
}

/** Settings that the gRPC dialect cannot say (istiod leaves them out without a word). */
function remarks(name: string, destination: Destination, push: PushContext, note: TakeNote): void {
  const { service, port, policy } = destination;
  const { tcp, http } = policy.connectionPool ?? {};
  if (originatesTls(destination)) {
    note(
      name,
      `tls.mode ${policy.tls!.mode}: a gRPC client has no such certificates; it gets no endpoints, rather than calling in plaintext`,
    );
  }
  if (policy.outlierDetection !== undefined) note(name, 'outlierDetection: gRPC clients eject nobody');
  if (tcp !== undefined) note(name, 'connectionPool.tcp: not sent to gRPC clients');
  const more = Object.keys(http ?? {}).filter((field) => field !== 'http2MaxRequests');
  if (more.length > 0) note(name, `connectionPool.http.${more[0]}: not sent to gRPC clients`);
  const endpoints = push.endpoints(service, port);
  if (endpoints.some(({ address }) => isIP(address) === 0))
    note(name, 'endpoints that are host names are left out: gRPC takes addresses only');
  if (policy.tls === undefined && endpoints.some((endpoint) => strict(endpoint, push))) {
    note(name, 'endpoints require mTLS, and gRPC clients have no auto-mTLS: give the DestinationRule tls.mode ISTIO_MUTUAL');
  }
}

function strict(endpoint: ReturnType<PushContext['endpoints']>[number], push: PushContext): boolean {
  return push.peerAuthentications.modeFor(endpoint.namespace, endpoint.labels, endpoint.workloadPort) === 'STRICT';
}
