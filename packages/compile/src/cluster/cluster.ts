import type {
  ClusterKind,
  ClusterSpec,
  ConnectionOptions,
  DnsFamily,
  HealthStatus,
  ServiceRef,
  ThresholdsSpec,
  TransportSocket,
} from '@ripstop/core';
import {
  ClusterConfig as AggregateConfig,
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  ClusterHttpProtocolOptions,
  type ClusterLoadAssignment,
  DynamicForwardProxyClusterConfig,
  isAny,
  RoutingPriority,
  typeName,
  unpackAny,
} from '@ripstop/xds-api';
import type { SecretLookup } from '../secret.ts';
import { filterMetadata, milliseconds, percent, sourceOf } from '../values.ts';
import { balancingOf } from './balancer.ts';
import { compileEndpoints, healthOf } from './endpoints.ts';
import { healthCheckOf } from './health-check.ts';
import { outlierOf } from './outlier.ts';
import { compileTransportSocket, upstreamSecretNames } from './tls-context.ts';

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

const KINDS = new Map<number, ClusterKind>([
  [Cluster_DiscoveryType.STATIC, 'static'],
  [Cluster_DiscoveryType.STRICT_DNS, 'strict_dns'],
  [Cluster_DiscoveryType.LOGICAL_DNS, 'logical_dns'],
  [Cluster_DiscoveryType.EDS, 'eds'],
  [Cluster_DiscoveryType.ORIGINAL_DST, 'original_dst'],
]);

const DNS_FAMILIES = new Map<number, DnsFamily>([
  [Cluster_DnsLookupFamily.AUTO, 'auto'],
  [Cluster_DnsLookupFamily.V4_ONLY, 'v4'],
  [Cluster_DnsLookupFamily.V6_ONLY, 'v6'],
  [Cluster_DnsLookupFamily.V4_PREFERRED, 'v4_preferred'],
  [Cluster_DnsLookupFamily.ALL, 'all'],
]);

/** The EDS name of a cluster, or undefined when its endpoints are inline or dialled. */
export function edsName(message: Cluster): string | undefined {
  if (message.clusterDiscoveryType?.$case !== 'type' || message.clusterDiscoveryType.value !== Cluster_DiscoveryType.EDS) return undefined;
  return message.edsClusterConfig?.serviceName || message.name;
}

/** SDS names that the control plane serves, for the TLS of a cluster's connections. */
export function clusterSecretNames({ transportSocket, transportSocketMatches }: Cluster): readonly string[] {
  return [transportSocket, ...transportSocketMatches.map((entry) => entry.transportSocket)].flatMap(upstreamSecretNames);
}

/** A cluster with its endpoints. Throws, naming the field, on what cannot be honoured. */
export function compileCluster(message: Cluster, assignment: ClusterLoadAssignment | undefined, secrets?: SecretLookup): ClusterSpec {
  const istio = filterMetadata(message.metadata, 'istio');
  const alpnOverride = istio.alpn_override !== 'false';
  const options = httpOptionsOf(message);
  const fromHost = {
    autoSni: options?.upstreamHttpProtocolOptions?.autoSni ?? false,
    autoSanValidation: options?.upstreamHttpProtocolOptions?.autoSanValidation ?? false,
  };
  const children = childrenOf(message);
  const kind = children === undefined ? kindOf(message) : 'aggregate';
  const transports = message.transportSocketMatches.map((entry) => ({
    match: entry.match ?? {},
    transport: compileTransportSocket(entry.transportSocket, alpnOverride, fromHost, secrets),
  }));
  const fallback = compileTransportSocket(message.transportSocket, alpnOverride, fromHost, secrets);
  const transportOf = (metadata: Readonly<Record<string, unknown>>): TransportSocket =>
    transports.find(({ match }) => Object.entries(match).every(([key, value]) => metadata[key] === value))?.transport ?? fallback;
  const load = assignment ?? message.loadAssignment;
  return {
    name: message.name,
    kind,
    services: servicesOf(istio.services),
    subset: typeof istio.subset === 'string' ? istio.subset : '',
    external: istio.external === true,
    connection: connectionOf(message, options),
    thresholds: thresholdsOf(message, RoutingPriority.DEFAULT),
    highThresholds: thresholdsOf(message, RoutingPriority.HIGH),
    overrideHostStatus: overrideHostStatusOf(message),
    ...balancingOf(message),
    outlier: message.outlierDetection === undefined ? undefined : outlierOf(message.outlierDetection),
    healthCheck: healthCheckOf(message.healthChecks),
    dropWhenRemoved: message.ignoreHealthOnHostRemoval,
    panicThreshold: message.commonLbConfig?.healthyPanicThreshold?.value ?? 50,
    overprovisioningFactor: load?.policy?.overprovisioningFactor,
    dropOverloadPercent: dropOverload(load),
    localities: compileEndpoints(load, transportOf),
    dialledPort: message.lbConfig?.$case === 'originalDstLbConfig' ? message.lbConfig.value.upstreamPortOverride : undefined,
    children,
    dnsRefreshMs: milliseconds(message.dnsRefreshRate, 5000),
    dnsFailureRefresh: failureRefreshOf(message.dnsFailureRefreshRate),
    dnsFamily: DNS_FAMILIES.get(message.dnsLookupFamily),
    transport: fallback,
    source: sourceOf(message.metadata),
  };
}

function failureRefreshOf(message: Cluster['dnsFailureRefreshRate']): ClusterSpec['dnsFailureRefresh'] {
  if (message === undefined) return undefined;
  const baseMs = milliseconds(message.baseInterval, 5000);
  return { baseMs, maxMs: milliseconds(message.maxInterval, baseMs * 10) };
}

/** Clusters of a type of their own, but for aggregates, dial what the request names. */
function kindOf({ clusterDiscoveryType: type }: Cluster): ClusterKind {
  if (type?.$case !== 'clusterType') return KINDS.get(type?.value ?? 0) ?? 'static';
  const any = type.value.typedConfig;
  return any !== undefined && isAny(DynamicForwardProxyClusterConfig, any) ? 'dynamic_forward_proxy' : 'original_dst';
}

function childrenOf({ clusterDiscoveryType: type }: Cluster): readonly string[] | undefined {
  const any = type?.$case === 'clusterType' ? type.value.typedConfig : undefined;
  if (any === undefined || typeName(any.typeUrl) !== AggregateConfig.$type) return undefined;
  const { clusters } = unpackAny(AggregateConfig, any);
  if (clusters.length === 0) throw new Error('an aggregate cluster must name clusters');
  return clusters;
}

/** Throws on endpoints that no cluster could honour, so that they are refused alone and not with everything else. */
export function checkAssignment(message: ClusterLoadAssignment): void {
  dropOverload(message);
  compileEndpoints(message, () => ({ kind: 'raw' }));
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
  const common = options?.commonHttpProtocolOptions;
  return {
    connectTimeoutMs: milliseconds(message.connectTimeout, 5000),
    protocol: protocolOf(upstream),
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? message.maxRequestsPerConnection ?? 0,
    idleTimeoutMs: milliseconds(common?.idleTimeout, 3_600_000),
    maxConnectionDurationMs: milliseconds(common?.maxConnectionDuration, 0),
    keepAliveTimeMs: (message.upstreamConnectionOptions?.tcpKeepalive?.keepaliveTime ?? 0) * 1000,
    maxConcurrentStreams: 0,
    maxStreamDurationMs: milliseconds(common?.maxStreamDuration, 0),
  };
}

function protocolOf(options: ClusterHttpProtocolOptions['upstreamProtocolOptions']): ConnectionOptions['protocol'] {
  switch (options?.$case) {
    case 'explicitHttpConfig':
      return options.value.protocolConfig?.$case === 'http2ProtocolOptions' ? 'http2' : 'http1';
    case 'useDownstreamProtocolConfig':
      return 'downstream';
    case 'autoConfig':
      return 'auto';
    default:
      return 'http1';
  }
}

function thresholdsOf(message: Cluster, priority: RoutingPriority): ThresholdsSpec {
  const found = message.circuitBreakers?.thresholds.find((entry) => entry.priority === priority);
  return {
    maxConnections: found?.maxConnections ?? 1024,
    maxPendingRequests: found?.maxPendingRequests ?? 1024,
    maxRequests: found?.maxRequests ?? 1024,
    maxRetries: found?.maxRetries ?? 3,
    retryBudget:
      found?.retryBudget === undefined
        ? undefined
        : {
            percent: found.retryBudget.budgetPercent?.value ?? 20,
            minimumConcurrency: found.retryBudget.minRetryConcurrency ?? 3,
          },
  };
}

function overrideHostStatusOf(message: Cluster): ReadonlySet<HealthStatus> | undefined {
  const statuses = message.commonLbConfig?.overrideHostStatus?.statuses;
  return statuses === undefined ? undefined : new Set(statuses.map(healthOf));
}

/** Envoy takes one category at most. */
function dropOverload(assignment: ClusterLoadAssignment | undefined): number {
  const drops = assignment?.policy?.dropOverloads ?? [];
  if (drops.length > 1) throw new Error(`endpoints ${assignment?.clusterName}: ${drops.length} drop_overloads; one at most is supported`);
  return percent(drops[0]?.dropPercentage);
}
