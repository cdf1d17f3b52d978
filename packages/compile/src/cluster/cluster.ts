import type {
  BalancerSpec,
  ClusterKind,
  ClusterSpec,
  ConnectionOptions,
  OutlierSpec,
  ServiceRef,
  ThresholdsSpec,
  TransportSocket,
} from '@ripstop/core';
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterHttpProtocolOptions,
  type ClusterLoadAssignment,
  type OutlierDetection,
  RoutingPriority,
  unpackAny,
} from '@ripstop/xds-api';
import { filterMetadata, milliseconds, sourceOf } from '../values.ts';
import { compileEndpoints } from './endpoints.ts';
import { compileTransportSocket } from './tls-context.ts';

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

const KINDS = new Map<number, ClusterKind>([
  [Cluster_DiscoveryType.STATIC, 'static'],
  [Cluster_DiscoveryType.STRICT_DNS, 'strict_dns'],
  [Cluster_DiscoveryType.LOGICAL_DNS, 'logical_dns'],
  [Cluster_DiscoveryType.EDS, 'eds'],
  [Cluster_DiscoveryType.ORIGINAL_DST, 'original_dst'],
]);

/** The EDS name of a cluster, or undefined when its endpoints are inline or dialled. */
export function edsName(message: Cluster): string | undefined {
  if (message.clusterDiscoveryType?.$case !== 'type' || message.clusterDiscoveryType.value !== Cluster_DiscoveryType.EDS) return undefined;
  return message.edsClusterConfig?.serviceName || message.name;
}

/** A cluster with its endpoints. Throws, naming the field, on what cannot be honoured. */
export function compileCluster(message: Cluster, assignment: ClusterLoadAssignment | undefined): ClusterSpec {
  const istio = filterMetadata(message.metadata, 'istio');
  const alpnOverride = istio.alpn_override !== 'false';
  const options = httpOptionsOf(message);
  const fromHost = {
    autoSni: options?.upstreamHttpProtocolOptions?.autoSni ?? false,
    autoSanValidation: options?.upstreamHttpProtocolOptions?.autoSanValidation ?? false,
  };
  const type = message.clusterDiscoveryType;
  const kind: ClusterKind = type?.$case === 'clusterType' ? 'original_dst' : (KINDS.get(type?.value ?? 0) ?? 'static');
  const transports = message.transportSocketMatches.map((entry) => ({
    match: entry.match ?? {},
    transport: compileTransportSocket(entry.transportSocket, alpnOverride, fromHost),
  }));
  const fallback = compileTransportSocket(message.transportSocket, alpnOverride, fromHost);
  const transportOf = (metadata: Readonly<Record<string, unknown>>): TransportSocket =>
    transports.find(({ match }) => Object.entries(match).every(([key, value]) => metadata[key] === value))?.transport ?? fallback;
  return {
    name: message.name,
    kind,
    services: servicesOf(istio.services),
    subset: typeof istio.subset === 'string' ? istio.subset : '',
    external: istio.external === true,
    connection: connectionOf(message, options),
    thresholds: thresholdsOf(message),
    balancer: balancerOf(message),
    outlier: message.outlierDetection === undefined ? undefined : outlierOf(message.outlierDetection),
    panicThreshold: message.commonLbConfig?.healthyPanicThreshold?.value ?? 50,
    localityWeighted: message.commonLbConfig?.localityConfigSpecifier?.$case === 'localityWeightedLbConfig',
    localities: compileEndpoints(assignment ?? message.loadAssignment, transportOf),
    dnsRefreshMs: milliseconds(message.dnsRefreshRate, 5000),
    transport: fallback,
    source: sourceOf(message.metadata),
  };
}

function servicesOf(value: unknown): ServiceRef[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: Readonly<Record<string, unknown>>) => ({
    host: String(entry.host ?? ''),
    name: String(entry.name ?? ''),
    namespace: String(entry.namespace ?? ''),
  }));
}

function httpOptionsOf(message: Cluster): ClusterHttpProtocolOptions | undefined {
  const any = message.typedExtensionProtocolOptions[HTTP_OPTIONS];
  return any === undefined ? undefined : unpackAny(ClusterHttpProtocolOptions, any);
}

function connectionOf(message: Cluster, options: ClusterHttpProtocolOptions | undefined): ConnectionOptions {
  const upstream = options?.upstreamProtocolOptions;
  const http2 = upstream?.$case === 'explicitHttpConfig' && upstream.value.protocolConfig?.$case === 'http2ProtocolOptions';
  const common = options?.commonHttpProtocolOptions;
  return {
    connectTimeoutMs: milliseconds(message.connectTimeout, 5000),
    protocol: http2 ? 'http2' : upstream?.$case === 'useDownstreamProtocolConfig' ? 'downstream' : 'http1',
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? message.maxRequestsPerConnection ?? 0,
    idleTimeoutMs: milliseconds(common?.idleTimeout, 3_600_000),
    maxConnectionDurationMs: milliseconds(common?.maxConnectionDuration, 0),
    keepAliveTimeMs: (message.upstreamConnectionOptions?.tcpKeepalive?.keepaliveTime ?? 0) * 1000,
    maxConcurrentStreams: 0,
  };
}

function thresholdsOf(message: Cluster): ThresholdsSpec {
  const found = message.circuitBreakers?.thresholds.find((entry) => entry.priority === RoutingPriority.DEFAULT);
  return {
    maxConnections: found?.maxConnections ?? 1024,
    maxPendingRequests: found?.maxPendingRequests ?? 1024,
    maxRequests: found?.maxRequests ?? 1024,
    maxRetries: found?.maxRetries ?? 3,
  };
}

function balancerOf(message: Cluster): BalancerSpec {
  if (message.loadBalancingPolicy !== undefined) throw new Error('typed load_balancing_policy is not supported');
  const config = message.lbConfig;
  switch (message.lbPolicy) {
    case Cluster_LbPolicy.LEAST_REQUEST:
      return { kind: 'least_request', choiceCount: (config?.$case === 'leastRequestLbConfig' ? config.value.choiceCount : undefined) ?? 2 };
    case Cluster_LbPolicy.RANDOM:
      return { kind: 'random' };
    case Cluster_LbPolicy.RING_HASH: {
      const ring = config?.$case === 'ringHashLbConfig' ? config.value : undefined;
      return { kind: 'ring_hash', minimumRingSize: ring?.minimumRingSize ?? 1024, maximumRingSize: ring?.maximumRingSize ?? 8_388_608 };
    }
    case Cluster_LbPolicy.MAGLEV:
      return { kind: 'maglev', tableSize: (config?.$case === 'maglevLbConfig' ? config.value.tableSize : undefined) ?? 65_537 };
    default:
      return { kind: 'round_robin' };
  }
}

function outlierOf(message: OutlierDetection): OutlierSpec {
  const baseEjectionMs = milliseconds(message.baseEjectionTime, 30_000);
  return {
    consecutive5xx: message.consecutive5xx ?? 5,
    consecutiveGatewayFailure: message.consecutiveGatewayFailure ?? 5,
    consecutiveLocalOriginFailure: message.consecutiveLocalOriginFailure ?? 5,
    splitExternalLocalOrigin: message.splitExternalLocalOriginErrors,
    intervalMs: milliseconds(message.interval, 10_000),
    baseEjectionMs,
    maxEjectionMs: milliseconds(message.maxEjectionTime, Math.max(300_000, baseEjectionMs)),
    maxEjectionPercent: message.maxEjectionPercent ?? 10,
    enforcing5xxPercent: message.enforcingConsecutive5xx ?? 100,
    enforcingGatewayPercent: message.enforcingConsecutiveGatewayFailure ?? 0,
    enforcingLocalOriginPercent: message.enforcingConsecutiveLocalOriginFailure ?? 100,
    successRate: {
      enforcingPercent: message.enforcingSuccessRate ?? 100,
      minimumHosts: message.successRateMinimumHosts ?? 5,
      requestVolume: message.successRateRequestVolume ?? 100,
      stdevFactor: message.successRateStdevFactor ?? 1900,
    },
    failurePercentage: {
      enforcingPercent: message.enforcingFailurePercentage ?? 0,
      threshold: message.failurePercentageThreshold ?? 85,
      minimumHosts: message.failurePercentageMinimumHosts ?? 5,
      requestVolume: message.failurePercentageRequestVolume ?? 50,
    },
  };
}
