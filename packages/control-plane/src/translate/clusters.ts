import type { ClientTLSSettings, Subset } from '@ripstop/istio-api';
import { CLUSTER_TYPE_URL, Cluster, Cluster_DiscoveryType, Cluster_DnsLookupFamily, Cluster_LbPolicy } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { type MergedDestinationRule, type Policy, policyFor } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import { labelsKey, viewOf } from '../push/shared.ts';
import { backendTrust } from './backend-trust.ts';
import {
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
import { loadAssignment, localityOf } from './endpoints.ts';
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
import { packed, type XdsResource } from './resource.ts';
import { istioMutualSocket, originationSocket, rawSocket } from './tls.ts';
import { configPath, duration, milliseconds, sourceMetadata } from './values.ts';

/** CDS of a node: a cluster per service port and subset, the special ones, and for sidecars the inbound ones. */
export function buildClusters(node: ProxyNode, push: PushContext): XdsResource[] {
  const scope = push.scopeFor(node);
  // failoverPriority compares labels; a DNS cluster carries its endpoints with it.
  const view = `CDS ${viewOf(node)} ${push.comparesLabels ? labelsKey(node) : ''}`;
  const clusters = push.shared.get(scope, view, '*', () => outboundClusters(node, push, view));
  if (node.dialect !== 'sidecar') return clusters;
  return [...clusters, ...inboundPorts(node, push).map((port) => resource(inbound(port, push, node)))];
}

function resource(fields: ClusterFields): XdsResource {
  return { typeUrl: CLUSTER_TYPE_URL, name: fields.name!, message: Cluster.fromPartial(fields) };
}

function outboundClusters(node: ProxyNode, push: PushContext, view: string): XdsResource[] {
  const scope = push.scopeFor(node);
  return [
    ...scope.withDestinations.flatMap((service) =>
      push.shared.get(
        scope,
        view,
        service.hostname,
        () => clustersOf(service, node, push).map((fields) => packed(resource(fields))),
        service,
      ),
    ),
    ...push.shared.get(scope, view, 'special', () => specialClusters(node, push).map((fields) => packed(resource(fields)))),
  ];
}

function clustersOf(service: MeshService, node: ProxyNode, push: PushContext): ClusterFields[] {
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace);
  const subsets = [undefined, ...(rule?.subsets ?? [])];
  return service.ports.flatMap((port) => subsets.map((subset) => outbound({ node, push, service, port, rule, subset })));
}

function specialClusters(node: ProxyNode, push: PushContext): ClusterFields[] {
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
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly service: MeshService;
  readonly port: MeshServicePort;
  readonly rule: MergedDestinationRule | undefined;
  readonly subset: Subset | undefined;
}

function outbound(input: OutboundInput): ClusterFields {
  if (input.service.resolution === 'DYNAMIC_DNS') return dynamicDns(input);
  const { node, push, service, port, rule, subset } = input;
  const policy = policyOf(input);
  const name = outboundCluster(service.hostname, port.port, subset?.name);
  const passthroughHosts = service.resolution === 'NONE' || policy.loadBalancer?.simple === 'PASSTHROUGH';
  const tls = policy.tls;
  const autoSni = tls !== undefined && (tls.mode === 'SIMPLE' || tls.mode === 'MUTUAL') && (tls.sni ?? '') === '';
  return {
    name,
    altStatName: `${name};`,
    ...connectionSettings(policy.connectionPool, push.mesh.connectTimeout),
    ...thresholds(policy.connectionPool, policy.retryBudget),
    ...outlierDetection(policy.outlierDetection),
    commonLbConfig: commonLbConfig(policy, passthroughHosts ? undefined : localityOf(push, service, policy), service.persistentSession),
    ...(passthroughHosts ? { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED } : loadBalancer(policy.loadBalancer)),
    ...httpOptions(node.dialect === 'router' && port.protocol === 'Auto' ? 'TCP' : port.protocol, policy.connectionPool, autoSni),
    ...discovery(input, name, passthroughHosts),
    ...transport(input, tls, passthroughHosts),
    metadata: { filterMetadata: clusterMetadata(node, service, rule, subset, tls) },
  };
}

/** Its hosts are not known before they are called, so there is little to say about them. */
function dynamicDns(input: OutboundInput): ClusterFields {
  const { push, service, port, subset } = input;
  const name = outboundCluster(service.hostname, port.port, subset?.name);
  const { connectionPool, retryBudget } = policyOf(input);
  return {
    name,
    altStatName: `${name};`,
    clusterDiscoveryType: dynamicDnsCluster(service.hostname),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    ...connectionSettings(connectionPool, push.mesh.connectTimeout),
    ...thresholds(connectionPool, retryBudget),
    metadata: { filterMetadata: { istio: { external: true } } },
  };
}

/** What governs the calls of a cluster, MeshConfig's defaults included. */
function policyOf({ push, port, rule, subset }: OutboundInput): Policy {
  return withMeshDefaults(policyFor(rule, subset, port.port, push.mesh.defaultPolicy), push.mesh, port.protocol);
}

function discovery(input: OutboundInput, name: string, passthroughHosts: boolean): ClusterFields {
  const { node, push, service, port, subset } = input;
  if (passthroughHosts) {
    const moved = service.registry === 'External' && service.resolution === 'NONE' && port.targetPort !== port.port;
    return {
      clusterDiscoveryType: type(Cluster_DiscoveryType.ORIGINAL_DST),
      ...(moved ? { lbConfig: { $case: 'originalDstLbConfig', value: { upstreamPortOverride: Number(port.targetPort) } } } : {}),
    };
  }
  if (service.resolution === 'EDS') {
    return {
      clusterDiscoveryType: type(Cluster_DiscoveryType.EDS),
      edsClusterConfig: {
        serviceName: name,
        edsConfig: { configSourceSpecifier: { $case: 'ads', value: {} }, initialFetchTimeout: milliseconds(0), resourceApiVersion: 2 },
      },
    };
  }
  return {
    clusterDiscoveryType: type(service.resolution === 'DNS' ? Cluster_DiscoveryType.STRICT_DNS : Cluster_DiscoveryType.LOGICAL_DNS),
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_ONLY,
    dnsRefreshRate: duration(push.mesh.dnsRefreshRate)!,
    respectDnsTtl: true,
    loadAssignment: loadAssignment({ name, node, push, service, port, subset, policy: policyOf(input) }),
  };
}

/** A tls mode of the DestinationRule decides alone; else auto-mTLS decides endpoint by endpoint. */
function transport(input: OutboundInput, tls: ClientTLSSettings | undefined, passthroughHosts: boolean): ClusterFields {
  const { push, service, port } = input;
  const { http } = policyOf(input).connectionPool ?? {};
  const http2 = offersHttp2(port.protocol, http);
  switch (tls?.mode) {
    case 'DISABLE':
      return {};
    case 'SIMPLE':
    case 'MUTUAL':
      return {
        transportSocket: originationSocket({
          sni: tls.sni ?? '',
          subjectAltNames: tls.subjectAltNames ?? service.subjectAltNames,
          caCertificates: tls.caCertificates ?? '',
          trust: backendTrust(tls, input.node, push),
          defaults: push.mesh.tls.defaults,
          ...(tls.mode === 'MUTUAL' ? { clientCertificate: tls.clientCertificate ?? '', privateKey: tls.privateKey ?? '' } : {}),
          http2,
        }),
      };
    case 'ISTIO_MUTUAL':
      return { transportSocket: mutual(input, http2, tls) };
  }
  if (!push.mesh.autoMtls || service.meshExternal) return {};
  if (passthroughHosts) {
    // The caller names the host itself, so it is all or nothing: mTLS only when every endpoint speaks it.
    const endpoints = push.endpoints(service, port);
    const all = endpoints.length > 0 && endpoints.every(({ mtls }) => mtls);
    return all ? { transportSocket: mutual(input, http2, undefined) } : {};
  }
  return {
    transportSocketMatches: [
      { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: mutual(input, http2, undefined) },
      { name: 'tlsMode-disabled', match: {}, transportSocket: rawSocket() },
    ],
  };
}

function mutual({ push, service, port, subset }: OutboundInput, http2: boolean, tls: ClientTLSSettings | undefined) {
  return istioMutualSocket({
    subjectAltNames: tls?.subjectAltNames ?? push.identitiesOf(service),
    sni: tls?.sni ?? outboundSni(service.hostname, port.port, subset?.name),
    http2,
  });
}

function clusterMetadata(
  node: ProxyNode,
  service: MeshService,
  rule: MergedDestinationRule | undefined,
  subset: Subset | undefined,
  tls: ClientTLSSettings | undefined,
): Record<string, Record<string, unknown>> {
  const origination = tls?.mode === 'SIMPLE' || tls?.mode === 'MUTUAL';
  const index = subset === undefined ? -1 : (rule?.object.spec.subsets ?? []).indexOf(subset);
  return {
    istio: {
      services: [serviceReference(service)],
      ...(subset === undefined ? {} : { subset: subset.name }),
      ...(rule === undefined ? {} : { config: configPath(rule.object) }),
      ...(service.meshExternal ? { external: true } : {}),
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
function inbound(port: InboundPort, push: PushContext, node: ProxyNode): ClusterFields {
  const name = inboundCluster(port.targetPort);
  const [service] = port.services;
  const rule = service === undefined ? undefined : push.destinationRules.find(service.hostname, service.namespace, node.namespace);
  const written = policyFor(rule, undefined, port.port, push.mesh.defaultPolicy);
  const { connectionPool } = withMeshDefaults({ connectionPool: port.connectionPool ?? written.connectionPool }, push.mesh, 'TCP');
  return {
    name,
    altStatName: `${name};`,
    commonLbConfig: {},
    ...inboundEndpoint(name, port),
    ...connectionSettings(
      {
        tcp: {
          ...(connectionPool?.tcp?.connectTimeout === undefined ? {} : { connectTimeout: connectionPool.tcp.connectTimeout }),
          ...(connectionPool?.tcp?.tcpKeepalive === undefined ? {} : { tcpKeepalive: connectionPool.tcp.tcpKeepalive }),
        },
      },
      push.mesh.connectTimeout,
    ),
    ...thresholds(connectionPool),
    ...httpOptions(port.protocol, undefined, false),
    ...(service === undefined
      ? {}
      : {
          metadata: {
            filterMetadata: {
              istio: {
                services: port.services.map(serviceReference),
                ...(rule?.trafficPolicy === undefined ? {} : { config: configPath(rule.object) }),
              },
            },
          },
        }),
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

function type(value: Cluster_DiscoveryType): NonNullable<ClusterFields['clusterDiscoveryType']> {
  return { $case: 'type', value };
}
