import type { ClientTLSSettings, ConnectionPoolSettings, Subset } from '@ripstop/istio-api';
import { CLUSTER_TYPE_URL, Cluster, Cluster_DiscoveryType, Cluster_DnsLookupFamily, Cluster_LbPolicy } from '@ripstop/xds-api';
import type { Caller, ProxyNode } from '../model/proxy-node.ts';
import { type MergedDestinationRule, type Policy, policyFor } from '../push/destination-rules.ts';
import { spillsByHealth } from '../push/locality-policy.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import { callerView, viewOf } from '../push/shared.ts';
import {
  type AutoTls,
  type ClusterFields,
  commonLbConfig,
  connectionSettings,
  httpOptions,
  loadBalancer,
  offersHttp2,
  outlierDetection,
  passthroughOptions,
  thresholds,
  withMeshDefaults,
} from './cluster-policy.ts';
import { dynamicDnsCluster } from './dynamic-dns.ts';
import { comparedLabels, loadAssignment, localityOf } from './endpoints.ts';
import { patchedClusters } from './envoy-filter/clusters.ts';
import { socketAddress } from './inbound-listener.ts';
import { type InboundPort, inboundPorts } from './inbound-ports.ts';
import {
  BLACK_HOLE_CLUSTER,
  INBOUND_PASSTHROUGH_CLUSTER,
  inboundCluster,
  outboundCluster,
  outboundSni,
  PASSTHROUGH_CLUSTER,
} from './names.ts';
import { isWithheld, originated, originates } from './origination.ts';
import { type PackedResource, type Part, packed, type XdsResource } from './resource.ts';
import { ruledName } from './ruled-name.ts';
import { istioMutualSocket, rawSocket } from './tls.ts';
import { configPath, duration, milliseconds, sourceMetadata } from './values.ts';

/** CDS of a node: a cluster per service port and subset, and the special ones; for sidecars the inbound ones. */
export function clusterParts(node: ProxyNode, push: PushContext): Part[] {
  if (node.dialect === 'router') {
    return [
      () => {
        const patches = push.patchesFor(node);
        const clusters = plainClusters(node, push);
        return patches === undefined ? clusters : patchedClusters(clusters, patches, 'GATEWAY');
      },
    ];
  }
  return [() => outboundOf(node, push), () => inboundOf(node, push)];
}

const isInbound = ({ name }: XdsResource): boolean => name === INBOUND_PASSTHROUGH_CLUSTER;

function outboundOf(node: ProxyNode, push: PushContext): readonly XdsResource[] {
  const patches = push.patchesFor(node);
  const clusters = plainClusters(node, push);
  if (patches === undefined || node.dialect !== 'sidecar') return clusters;
  return patchedClusters(
    clusters.filter((cluster) => !isInbound(cluster)),
    patches,
    'SIDECAR_OUTBOUND',
  );
}

function inboundOf(node: ProxyNode, push: PushContext): XdsResource[] {
  const patches = push.patchesFor(node);
  const ports = node.dialect === 'sidecar' ? inboundPorts(node, push) : [];
  const ours = ports.map((port) => resource(ownCluster(port, push, node)));
  if (patches === undefined) return ours;
  const hosts = new Map(ports.map(({ targetPort, services }) => [inboundCluster(targetPort), services.map(({ hostname }) => hostname)]));
  return patchedClusters(
    [...plainClusters(node, push).filter(isInbound), ...ours],
    patches,
    'SIDECAR_INBOUND',
    (name) => hosts.get(name) ?? [],
  );
}

function plainClusters(node: ProxyNode, push: PushContext): readonly PackedResource[] {
  return push.shared.get(push.scopeFor(node), clustersView(node, push), '*', () => outboundClusters(node, push));
}

/** Who has the same clusters. failoverPriority compares labels; a DNS cluster carries its endpoints with it. */
export function clustersView(node: ProxyNode, push: PushContext): string {
  return `CDS ${viewOf(node)} ${comparedLabels(node, push)}`;
}

/** Callers of any namespace, who share what no rule of theirs makes different. */
function generalView(node: ProxyNode, push: PushContext): string {
  return `CDS ${callerView(node)} ${comparedLabels(node, push)}`;
}

function resource(fields: ClusterFields): XdsResource {
  return { typeUrl: CLUSTER_TYPE_URL, name: fields.name!, message: Cluster.fromPartial(fields) };
}

function outboundClusters(node: ProxyNode, push: PushContext): PackedResource[] {
  const make = (): PackedResource[] => specialClusters(node, push).map((fields) => packed(resource(fields)));
  const view = generalView(node, push);
  const special = push.shared.across(view, 'special', make, []);
  return [...push.scopeFor(node).services.flatMap((service) => serviceClusters(service, node, push, view)), ...special];
}

/** A service's clusters differ by the rule that the client's namespace gives them, and else not by who calls. */
export function serviceClusters(
  service: MeshService,
  node: ProxyNode,
  push: PushContext,
  view: string = generalView(node, push),
): readonly PackedResource[] {
  if (service.resolution === 'ALIAS') return [];
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const make = (): PackedResource[] => madeClusters(service, rule, node, push).map((fields) => packed(resource(fields)));
  return push.shared.across(view, ruledName(service, rule, node), make, [service, rule]);
}

function madeClusters(service: MeshService, rule: MergedDestinationRule | undefined, node: Caller, push: PushContext): ClusterFields[] {
  const subsets = [undefined, ...(rule?.subsets ?? [])];
  return service.ports.flatMap((port) => subsets.flatMap((subset) => outbound({ node, push, service, port, rule, subset })));
}

function specialClusters(node: Caller, push: PushContext): ClusterFields[] {
  const blackHole: ClusterFields = {
    name: BLACK_HOLE_CLUSTER,
    altStatName: 'BlackHoleCluster;',
    clusterDiscoveryType: type(Cluster_DiscoveryType.STATIC),
    connectTimeout: duration(push.mesh.connectTimeout)!,
  };
  if (node.dialect !== 'sidecar') return [blackHole];
  return [blackHole, passthrough(PASSTHROUGH_CLUSTER, push), passthrough(INBOUND_PASSTHROUGH_CLUSTER, push)];
}

interface OutboundInput {
  readonly node: Caller;
  readonly push: PushContext;
  readonly service: MeshService;
  readonly port: MeshServicePort;
  readonly rule: MergedDestinationRule | undefined;
  readonly subset: Subset | undefined;
}

/** One cluster, or none: a DNS cluster without a host to look up is left out (Istio: buildCluster). */
function outbound(input: OutboundInput): ClusterFields[] {
  if (input.service.resolution === 'DYNAMIC_DNS') return dynamicDns(input);
  const { node, push, service, port, rule, subset } = input;
  const policy = policyOf(input);
  const name = outboundCluster(service.hostname, port.port, subset?.name);
  const passthroughHosts = passesThrough(input);
  const found = discovery(input, name, passthroughHosts);
  if (found === undefined) return [];
  const { tls } = policy;
  return [
    {
      name,
      altStatName: `${name};`,
      ...connectionSettings(policy.connectionPool, push.mesh.connectTimeout),
      ...thresholds(policy.connectionPool, policy.retryBudget),
      ...outlierDetection(policy.outlierDetection),
      commonLbConfig: commonLbConfig(
        spillsByHealth(service.trafficDistribution) ? {} : policy,
        localityOf(push, service, policy),
        service.persistentSession && subset === undefined,
      ),
      ...(passthroughHosts ? { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED } : loadBalancer(policy.loadBalancer)),
      ...httpOptions(upstreamProtocol(node, port), policy.connectionPool, autoTls(input, tls)),
      ...found,
      ...transport(input, tls, passthroughHosts),
      metadata: { filterMetadata: clusterMetadata(node, service, rule, subset, tls) },
    },
  ];
}

/** A gateway does not sniff. */
function upstreamProtocol({ dialect }: Caller, { protocol }: MeshServicePort): MeshServicePort['protocol'] {
  return dialect === 'router' && protocol === 'Auto' ? 'TCP' : protocol;
}

/** Istio: setAutoSniAndAutoSanValidation. */
function autoTls({ node, rule }: OutboundInput, tls: ClientTLSSettings | undefined): AutoTls {
  if (!originates(tls) || (isWithheld(tls, node, rule) && !node.ripstop)) return { sni: false, san: false };
  const sni = (tls.sni ?? '') === '';
  return { sni, san: sni && (tls.subjectAltNames ?? []).length === 0 && tls.insecureSkipVerify !== true };
}

/** The host that the caller names is dialled. A gateway has no caller's address, so for headless services it takes endpoints. */
function passesThrough({ node, service, port, rule, subset }: OutboundInput): boolean {
  if (service.resolution === 'NONE' && node.dialect !== 'router') return true;
  // What the service as a whole is, its subsets are too.
  if (policyFor(rule, undefined, port.port).loadBalancer?.simple === 'PASSTHROUGH') return true;
  return policyFor(rule, subset, port.port).loadBalancer?.simple === 'PASSTHROUGH';
}

/** Ports whose requests or handshakes name a host. */
const NAMES_HOST: ReadonlySet<string> = new Set(['HTTP', 'TLS', 'GRPC', 'HTTP2']);

/** Its hosts are not known before they are called, so there is little to say about them, and there are no subsets. */
function dynamicDns(input: OutboundInput): ClusterFields[] {
  const { node, push, service, port, rule, subset } = input;
  if (subset !== undefined || !NAMES_HOST.has(port.protocol)) return [];
  const name = outboundCluster(service.hostname, port.port);
  const { connectionPool, retryBudget, tls } = policyOf(input);
  const socket = transport(input, tls, false);
  const encrypts = Object.keys(socket).length > 0;
  const istio = {
    ...(service.meshExternal ? { external: true } : {}),
    ...(rule === undefined ? {} : { config: configPath(rule.object) }),
    ...(originates(tls) ? { alpn_override: 'false' } : {}),
  };
  const auto = { sni: encrypts && (tls?.sni ?? '') === '', san: encrypts && tls?.insecureSkipVerify !== true };
  return [
    {
      name,
      altStatName: `${name};`,
      clusterDiscoveryType: dynamicDnsCluster(service.hostname, encrypts && !auto.sni),
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      ...connectionSettings(connectionPool, push.mesh.connectTimeout),
      ...thresholds(connectionPool, retryBudget),
      ...httpOptions(upstreamProtocol(node, port), connectionPool, auto),
      ...socket,
      ...(Object.keys(istio).length === 0 ? {} : { metadata: { filterMetadata: { istio } } }),
    },
  ];
}

/** What governs the calls of a cluster, MeshConfig's defaults included. */
function policyOf({ push, port, rule, subset }: OutboundInput): Policy {
  return withMeshDefaults(policyFor(rule, subset, port.port, push.mesh.defaultPolicy), push.mesh, port.protocol);
}

function discovery(input: OutboundInput, name: string, passthroughHosts: boolean): ClusterFields | undefined {
  const { node, push, service, port, subset, rule } = input;
  const lookedUp = service.resolution === 'DNS' || service.resolution === 'DNS_ROUND_ROBIN';
  const assignment = lookedUp ? loadAssignment({ name, node, push, service, port, rule, subset, policy: policyOf(input) }) : undefined;
  if (passthroughHosts) {
    // istiod looks at the hosts before it looks at the balancer.
    if (assignment !== undefined && subset === undefined && assignment.endpoints.length === 0) return undefined;
    const override = service.resolution === 'NONE' && service.registry === 'External' ? port.writtenTargetPort : undefined;
    return {
      clusterDiscoveryType: type(Cluster_DiscoveryType.ORIGINAL_DST),
      ...(lookedUp && subset === undefined ? dnsLookup(push) : {}),
      ...(override === undefined ? {} : { lbConfig: { $case: 'originalDstLbConfig', value: { upstreamPortOverride: override } } }),
    };
  }
  if (assignment === undefined) {
    return {
      clusterDiscoveryType: type(Cluster_DiscoveryType.EDS),
      edsClusterConfig: {
        serviceName: name,
        edsConfig: { configSourceSpecifier: { $case: 'ads', value: {} }, initialFetchTimeout: milliseconds(0), resourceApiVersion: 2 },
      },
    };
  }
  if (assignment.endpoints.length === 0) return undefined;
  return {
    clusterDiscoveryType: type(service.resolution === 'DNS' ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.LOGICAL_DNS),
    ...dnsLookup(push),
    loadAssignment: assignment,
  };
}

function dnsLookup({ mesh }: PushContext): ClusterFields {
  return { dnsLookupFamily: Cluster_DnsLookupFamily.V4_ONLY, dnsRefreshRate: duration(mesh.dnsRefreshRate)!, respectDnsTtl: true };
}

/** A tls mode of the DestinationRule decides alone; else auto-mTLS decides endpoint by endpoint. */
function transport(input: OutboundInput, tls: ClientTLSSettings | undefined, passthroughHosts: boolean): ClusterFields {
  const { push, service, port } = input;
  const { http } = policyOf(input).connectionPool ?? {};
  const http2 = offersHttp2(upstreamProtocol(input.node, port), http);
  switch (tls?.mode) {
    case 'DISABLE':
      return {};
    case 'SIMPLE':
    case 'MUTUAL': {
      const { node, rule } = input;
      const transportSocket = originated({ tls, node, push, rule, subjectAltNames: originationNames(input, tls), http2 });
      return transportSocket === undefined ? {} : { transportSocket };
    }
    case 'ISTIO_MUTUAL':
      return { transportSocket: mutual(input, http2, tls) };
  }
  if (!push.mesh.autoMtls || service.meshExternal || forbidsMtls(input)) return {};
  if (passthroughHosts) return { transportSocket: mutual(input, http2, undefined) };
  return {
    transportSocketMatches: [
      { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: mutual(input, http2, undefined) },
      { name: 'tlsMode-disabled', match: {}, transportSocket: rawSocket() },
    ],
  };
}

/**
 * Nobody on the other side may speak mTLS (Istio: BestEffortInferServiceMTLSMode): the namespace forbids it, or the caller names the host
 * itself, where it is all or nothing, and some endpoint does not speak it.
 */
function forbidsMtls({ push, service, port, rule, subset }: OutboundInput): boolean {
  const balancer = (subset === undefined ? rule?.trafficPolicy : subset.trafficPolicy)?.loadBalancer;
  if (service.resolution === 'NONE' || balancer?.simple === 'PASSTHROUGH') {
    const endpoints = push.endpoints(service, port);
    if (endpoints.length === 0 || endpoints.some(({ mtls }) => !mtls)) return true;
  }
  return push.peerAuthentications.namespaceMode(service.namespace) === 'DISABLE';
}

/** What the server may be called: the rule's names, else those of a ServiceEntry and of its endpoints. */
function originationNames({ push, service }: OutboundInput, tls: ClientTLSSettings): readonly string[] {
  if ((tls.subjectAltNames ?? []).length > 0) return tls.subjectAltNames!;
  return service.registry === 'External' ? push.identitiesOf(service) : [];
}

function mutual({ push, service, port, subset }: OutboundInput, http2: boolean, tls: ClientTLSSettings | undefined) {
  return istioMutualSocket({
    subjectAltNames: tls?.subjectAltNames ?? (service.resolution === 'DYNAMIC_DNS' ? [] : push.identitiesOf(service)),
    sni: tls?.sni || (service.resolution === 'DYNAMIC_DNS' ? '' : outboundSni(service.hostname, port.port, subset?.name)),
    http2,
  });
}

function clusterMetadata(
  node: Caller,
  service: MeshService,
  rule: MergedDestinationRule | undefined,
  subset: Subset | undefined,
  tls: ClientTLSSettings | undefined,
): Record<string, Record<string, unknown>> {
  const origination = originates(tls);
  const index = subset === undefined ? -1 : (rule?.object.spec.subsets ?? []).indexOf(subset);
  return {
    istio: {
      services: [serviceReference(service)],
      ...(subset === undefined ? {} : { subset: subset.name }),
      ...(rule === undefined ? {} : { config: configPath(rule.object) }),
      ...(service.meshExternal && subset === undefined ? { external: true } : {}),
      ...(origination ? { alpn_override: 'false' } : {}),
    },
    ...sourceMetadata(node, rule?.source ?? service.object, index >= 0 ? ['spec', 'subsets', index] : []),
  };
}

/** istiod names the service of a ServiceEntry by its host. */
function serviceReference({ hostname, name, namespace, registry }: MeshService): Record<string, string> {
  return { host: hostname, name: registry === 'External' ? hostname : name, namespace };
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
    clusterDiscoveryType: type(Cluster_DiscoveryType.ORIGINAL_DST),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    ...connectionSettings(connectionPool, mesh.connectTimeout),
    ...thresholds(connectionPool),
    ...passthroughOptions(),
    ...(name === INBOUND_PASSTHROUGH_CLUSTER ? LOOP_GUARD : {}),
  };
}

/** The address that tells Istio's traffic capture: this connection comes from the proxy itself. */
const LOOP_GUARD: ClusterFields = {
  upstreamBindConfig: { sourceAddress: { address: '127.0.0.6', portSpecifier: { $case: 'portValue', value: 0 } } },
};

/** The app behind this node: one cluster per port that its services name. */
function ownCluster(port: InboundPort, push: PushContext, node: ProxyNode): ClusterFields {
  const name = inboundCluster(port.targetPort);
  const [service] = port.services;
  // A workload that is not told about its own service is not told about its rules either.
  const known = service === undefined ? undefined : push.scopeFor(node).byHost.get(service.hostname);
  const rule = known === undefined ? undefined : push.destinationRules.findInbound(known.hostname, known.namespace, node.namespace);
  const written = policyFor(rule, undefined, port.port, push.mesh.defaultPolicy).connectionPool;
  const { connectionPool } = withMeshDefaults({ connectionPool: port.connectionPool ?? written }, push.mesh, 'TCP');
  // istiod says nothing at all of a port of a host outside the mesh.
  const istio =
    service === undefined || service.meshExternal
      ? {}
      : {
          services: port.services.map(serviceReference),
          ...(rule?.trafficPolicy === undefined ? {} : { config: configPath(rule.object) }),
        };
  return {
    name,
    altStatName: `${name};`,
    commonLbConfig: {},
    ...inboundEndpoint(name, port),
    ...connectionSettings(connectionPool, push.mesh.connectTimeout),
    ...thresholds(connectionPool),
    // Towards the app nothing is upgraded.
    ...httpOptions(port.protocol, withoutUpgrade(connectionPool), { sni: false, san: false }),
    ...(Object.keys(istio).length === 0 ? {} : { metadata: { filterMetadata: { istio } } }),
  };
}

/** Where the connection came to, or where the Sidecar says that the app listens. */
function inboundEndpoint(name: string, { ingress }: InboundPort): ClusterFields {
  const endpoint = ingress?.endpoint;
  if (endpoint === undefined)
    return {
      clusterDiscoveryType: type(Cluster_DiscoveryType.ORIGINAL_DST),
      lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
      cleanupInterval: { seconds: 9_223_372_035, nanos: 0 },
      ...LOOP_GUARD,
    };
  const { address, port } = endpoint;
  const path = address.startsWith('/');
  return {
    clusterDiscoveryType: type(Cluster_DiscoveryType.STATIC),
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                $case: 'endpoint',
                value: { address: path ? { address: { $case: 'pipe', value: { path: address } } } : socketAddress(address, port) },
              },
            },
          ],
        },
      ],
    },
    ...(address === '127.0.0.1' || address === '::1' ? {} : LOOP_GUARD),
  };
}

function withoutUpgrade(pool: ConnectionPoolSettings | undefined): ConnectionPoolSettings | undefined {
  return pool?.http === undefined ? pool : { ...pool, http: { ...pool.http, h2UpgradePolicy: 'DO_NOT_UPGRADE' } };
}

function type(value: Cluster_DiscoveryType): NonNullable<ClusterFields['clusterDiscoveryType']> {
  return { $case: 'type', value };
}
