import {
  type FilterChain,
  HttpInspector,
  LISTENER_TYPE_URL,
  Listener,
  OriginalDst,
  packAny,
  type RouteConfiguration,
  TlsInspector,
  TrafficDirection,
} from '@ripstop/xds-api';
import { wildcardsOf } from '../model/address-families.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { MtlsMode } from '../push/peer-authentication.ts';
import { isGrpc, isHttp, isHttp2 } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import { unroutedAccessLogs } from './access-logs.ts';
import { connectionManager } from './connection-manager.ts';
import { beforeStats, inboundFilters } from './filter-order.ts';
import { type InboundPort, inboundPorts } from './inbound-ports.ts';
import { listenerSources } from './listener-sources.ts';
import { type ListenerTelemetry, listenerTelemetry } from './listener-telemetry.ts';
import { INBOUND_PASSTHROUGH_CLUSTER, inboundCluster } from './names.ts';
import { ofReplicas } from './replica.ts';
import { packed, type XdsResource } from './resource.ts';
import { stacked } from './routed-streams.ts';
import { securityFilters, tcpSecurityFilters } from './security-filters.ts';
import { type NetworkFilterFields, tcpProxy } from './tcp-proxy.ts';
import { downstreamSocket } from './tls.ts';
import { NodeExtensions } from './traffic-extensions.ts';
import { configPath, duration, type FieldsOf, sourceMetadata, ZERO } from './values.ts';

type ChainFields = FieldsOf<typeof FilterChain>;
type ChainMatch = NonNullable<ChainFields['filterChainMatch']>;
type FilterFields = NonNullable<ChainFields['filters']>[number];

/** Names that Istio clients offer for HTTP; the last three are HTTP's own, the first two are TCP's as well. */
const HTTP_ALPNS = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2'];
const TCP_ALPNS = ['istio-peer-exchange', 'istio'];
const ISTIO_ALPNS = ['istio', 'istio-peer-exchange', ...HTTP_ALPNS];
const SNIFFED_HTTP = ['http/1.1', 'h2c'];
const INBOUND_PORT = 15_006;

/** How one connection is received. */
interface Reception {
  readonly name: string;
  readonly match: ChainMatch;
  readonly http: boolean;
  readonly tls: boolean;
  readonly tcpAlpn?: boolean;
}

/**
 * What a sidecar accepts, port by port, as PeerAuthentication asks for it: `virtualInbound`, and ports that it opens itself. Replicas of
 * a workload share it.
 */
export function inboundListeners(node: ProxyNode, push: PushContext): readonly XdsResource[] {
  const ports = inboundPorts(node, push);
  return ofReplicas('inbound LDS', { node, push, ports }, (replica) => madeListeners(replica, push, ports).map(packed));
}

function madeListeners(node: ProxyNode, push: PushContext, ports: readonly InboundPort[]): XdsResource[] {
  const factory = new ChainFactory(node, push);
  const general = push.peerAuthentications.modeFor(node.namespace, node.labels);
  const chainsOf = (port: InboundPort): ChainFields[] => {
    const mode = push.peerAuthentications.modeFor(node.namespace, node.labels, port.targetPort);
    return portReceptions(port, mode, node).map((reception) => factory.chain(reception, port));
  };
  const captured = [
    factory.blackhole(),
    ...catchAlls(general).map((reception) => factory.chain(reception, undefined)),
    // A port that no Service names may have a mode of its own all the same.
    ...push.peerAuthentications
      .portsOf(node.namespace, node.labels)
      .filter((number) => !ports.some(({ targetPort }) => targetPort === number))
      .flatMap((number) =>
        catchAlls(push.peerAuthentications.modeFor(node.namespace, node.labels, number)).map(({ match, ...reception }) =>
          factory.chain({ ...reception, match: { ...match, destinationPort: number } }, undefined),
        ),
      ),
    ...ports.filter((port) => !opens(port)).flatMap(chainsOf),
  ];
  const common = {
    trafficDirection: TrafficDirection.INBOUND,
    accessLog: unroutedAccessLogs(node, push, 'inbound'),
    listenerFiltersTimeout: duration(push.mesh.protocolDetectionTimeout)!,
    continueOnListenerFiltersTimeout: true,
    maxConnectionsToAcceptPerSocketEvent: 1,
  };
  const [originalDst, ...inspectors] = listenerFilters();
  return [
    {
      ...common,
      name: 'virtualInbound',
      address: socketAddress(wildcardsOf(node)[0], INBOUND_PORT),
      ...listenerSources(node, push),
      listenerFilters: [originalDst!, ...inspectors],
      filterChains: captured,
    },
    ...ports.filter(opens).map((port) => ({
      ...common,
      name: listenerName(port, node),
      address: socketAddress(port.ingress!.bind, port.targetPort),
      listenerFilters: inspectors,
      filterChains: chainsOf(port),
    })),
  ].map((fields) => ({ typeUrl: LISTENER_TYPE_URL, name: fields.name, message: Listener.fromPartial(fields) }));
}

function opens({ ingress }: InboundPort): boolean {
  return ingress?.opens === true;
}

function listenerName({ targetPort, ingress }: InboundPort, node: ProxyNode): string {
  return `${ingress?.bind ?? wildcardsOf(node)[0]}_${targetPort}`;
}

/** Ports that no Service names. STRICT leaves no plaintext, DISABLE no TLS. */
function catchAlls(mode: MtlsMode): Reception[] {
  const httpTls: Reception = {
    name: 'virtualInbound-catchall-http',
    http: true,
    tls: true,
    match: { transportProtocol: 'tls', ...(mode === 'STRICT' ? {} : {}), applicationProtocols: HTTP_ALPNS },
  };
  const httpRaw: Reception = {
    name: 'virtualInbound-catchall-http',
    http: true,
    tls: false,
    match: { transportProtocol: 'raw_buffer', applicationProtocols: SNIFFED_HTTP },
  };
  const tcpTls: Reception = {
    name: 'virtualInbound',
    http: false,
    tls: true,
    match: { transportProtocol: 'tls', ...(mode === 'STRICT' ? {} : { applicationProtocols: TCP_ALPNS }) },
  };
  const tcpRaw: Reception = { name: 'virtualInbound', http: false, tls: false, match: { transportProtocol: 'raw_buffer' } };
  const tlsThrough: Reception = { name: 'virtualInbound', http: false, tls: false, match: { transportProtocol: 'tls' } };
  if (mode === 'STRICT') return [httpTls, tcpTls];
  if (mode === 'DISABLE') return [httpRaw, tcpRaw];
  return [httpTls, httpRaw, tcpTls, tcpRaw, tlsThrough];
}

/** Which chains a port gets, by protocol and mode (reference: istio.md 2.5; istiod: filterchain_options.go). */
function portReceptions(port: InboundPort, mode: MtlsMode, node: ProxyNode): Reception[] {
  const { targetPort, protocol } = port;
  const name = listenerName(port, node);
  const at = { destinationPort: targetPort };
  const tls = { ...at, transportProtocol: 'tls' };
  const raw = { ...at, transportProtocol: 'raw_buffer' };
  if (isHttp(protocol)) {
    const secure: Reception = {
      name,
      http: true,
      tls: true,
      match: mode === 'STRICT' ? tls : { ...tls, applicationProtocols: ISTIO_ALPNS },
    };
    const plain: Reception = { name, http: true, tls: false, match: raw };
    return mode === 'STRICT' ? [secure] : mode === 'DISABLE' ? [plain] : [secure, plain];
  }
  if (protocol === 'Auto') {
    const httpTls: Reception = { name, http: true, tls: true, match: { ...tls, applicationProtocols: HTTP_ALPNS } };
    const httpRaw: Reception = { name, http: true, tls: false, match: { ...raw, applicationProtocols: SNIFFED_HTTP } };
    const tcpTls: Reception = {
      name,
      http: false,
      tls: true,
      match: mode === 'STRICT' ? tls : { ...tls, applicationProtocols: TCP_ALPNS },
    };
    const tcpRaw: Reception = { name, http: false, tls: false, match: raw };
    const through: Reception = { name, http: false, tls: false, match: tls };
    if (mode === 'STRICT') return [httpTls, tcpTls];
    return mode === 'DISABLE' ? [httpRaw, tcpRaw] : [httpTls, httpRaw, tcpTls, tcpRaw, through];
  }
  const secure: Reception = {
    name,
    http: false,
    tls: true,
    match: mode === 'STRICT' ? tls : { ...tls, applicationProtocols: ISTIO_ALPNS },
  };
  const plain: Reception = { name, http: false, tls: false, match: raw };
  const through: Reception = { name, http: false, tls: false, match: tls };
  return mode === 'STRICT' ? [secure] : mode === 'DISABLE' ? [plain] : [secure, through, plain];
}

/** Builds the chains of one node; policies and the TLS context are the same in all of them. */
class ChainFactory {
  private readonly node: ProxyNode;
  private readonly push: PushContext;
  private readonly trustDomains: readonly string[];
  private readonly telemetry: ListenerTelemetry;
  private readonly security: ReturnType<typeof securityFilters>;
  private readonly extensions: NodeExtensions;

  constructor(node: ProxyNode, push: PushContext) {
    this.node = node;
    this.push = push;
    this.telemetry = listenerTelemetry(node, push, 'inbound');
    this.trustDomains = push.mesh.callersTrustDomains;
    this.security = securityFilters(node, push);
    this.extensions = new NodeExtensions(node, push, 'inbound');
  }

  chain({ name, match, http, tls }: Reception, port: InboundPort | undefined): ChainFields {
    const cluster = port === undefined ? INBOUND_PASSTHROUGH_CLUSTER : inboundCluster(port.targetPort);
    return {
      name,
      ...(port?.ingress === undefined ? {} : { metadata: { filterMetadata: { istio: { config: configPath(port.ingress.sidecar) } } } }),
      filterChainMatch: match,
      filters: http
        ? [...this.extensions.inFront(port?.targetPort ?? 0), this.manager(name, cluster, port)]
        : [...this.tcpFilters(port), ...stacked(port?.protocol ?? 'TCP', cluster, this.bytes(cluster))],
      ...(tls ? { transportSocket: downstreamSocket(this.trustDomains, !http, this.push.mesh.tls) } : {}),
    };
  }

  private bytes(cluster: string): NetworkFilterFields {
    const { idleTimeout } = this.push.proxySettings(this.node);
    return tcpProxy(cluster, this.telemetry.accessLogs, { limits: { idleTimeout } });
  }

  /** A connection to the capture port itself would loop. */
  blackhole(): ChainFields {
    return {
      name: 'virtualInbound-blackhole',
      filterChainMatch: { destinationPort: INBOUND_PORT },
      filters: [tcpProxy('BlackHoleCluster', [])],
    };
  }

  /** As istiod: plugins for bytes are told by the Service's port, those for HTTP by the app's. */
  private tcpFilters(port: InboundPort | undefined): FilterFields[] {
    return tcpSecurityFilters(this.node, this.push, this.extensions.network(port?.port ?? 0));
  }

  private manager(name: string, cluster: string, port: InboundPort | undefined): FilterFields {
    const httpFilters = inboundFilters(this.security, this.extensions.http(port?.targetPort ?? 0));
    const value = connectionManager({
      statPrefix: `inbound_${name};`,
      mesh: this.push.mesh,
      proxy: this.push.proxySettings(this.node),
      telemetry: this.telemetry,
      httpFilters: port?.protocol === 'GRPCWeb' ? beforeStats(httpFilters) : httpFilters,
      routes: { $case: 'routeConfig', value: inboundRoutes(this.node, cluster, port) },
      position: 'inbound',
      http2: port !== undefined && isHttp2(port.protocol),
    });
    return { name: 'envoy.filters.network.http_connection_manager', configType: { $case: 'typedConfig', value } };
  }
}

/** Everything goes to the app; a connection that broke before the request was sent is tried again, except for gRPC. */
function inboundRoutes(node: ProxyNode, cluster: string, port: InboundPort | undefined): FieldsOf<typeof RouteConfiguration> {
  const object = port?.ingress?.sidecar ?? port?.services[0]?.object;
  const name = port === undefined ? cluster : inboundCluster(port.targetPort);
  const retry = port !== undefined && isGrpc(port.protocol) ? {} : { retryPolicy: { retryOn: 'reset-before-request', numRetries: 2 } };
  return {
    name,
    validateClusters: false,
    virtualHosts: [
      {
        name: port === undefined ? 'inbound|http|0' : `inbound|http|${port.port}`,
        domains: ['*'],
        routes: [
          {
            name: 'default',
            match: { pathSpecifier: { $case: 'prefix', value: '/' } },
            decorator: { operation: port === undefined ? ':0/*' : `${hostOf(port)}:${port.port}/*` },
            ...(node.ripstop && object !== undefined ? { metadata: { filterMetadata: { ...sourceMetadata(node, object) } } } : {}),
            action: {
              $case: 'route',
              value: {
                clusterSpecifier: { $case: 'cluster', value: cluster },
                timeout: ZERO,
                maxStreamDuration: { maxStreamDuration: ZERO, grpcTimeoutHeaderMax: ZERO },
                ...retry,
              },
            },
          },
        ],
      },
    ],
  };
}

/** A port of the Sidecar goes by the Sidecar's name, whatever Service names it too. */
function hostOf({ ingress, services }: InboundPort): string {
  const { name, namespace } = ingress?.sidecar.metadata ?? {};
  return ingress === undefined ? (services[0]?.hostname ?? '') : `${name}.${namespace}`;
}

function listenerFilters(): NonNullable<FieldsOf<typeof Listener>['listenerFilters']> {
  return [
    {
      name: 'envoy.filters.listener.original_dst',
      configType: { $case: 'typedConfig', value: packAny(OriginalDst, OriginalDst.fromPartial({})) },
    },
    {
      name: 'envoy.filters.listener.tls_inspector',
      configType: { $case: 'typedConfig', value: packAny(TlsInspector, TlsInspector.fromPartial({ initialReadBufferSize: 512 })) },
    },
    {
      name: 'envoy.filters.listener.http_inspector',
      configType: { $case: 'typedConfig', value: packAny(HttpInspector, HttpInspector.fromPartial({})) },
    },
  ];
}

export function socketAddress(address: string, port: number): NonNullable<FieldsOf<typeof Listener>['address']> {
  return { address: { $case: 'socketAddress', value: { address, portSpecifier: { $case: 'portValue', value: port } } } };
}
