import type { ConnectionPoolSettings, LoadBalancerSettings, OutlierDetection as OutlierSpec, RetryBudget } from '@ripstop/istio-api';
import { type Cluster, Cluster_LbPolicy, ClusterHttpProtocolOptions, HealthStatus, OutlierDetection, packAny } from '@ripstop/xds-api';
import type { Policy } from '../push/destination-rules.ts';
import type { LocalityPolicy } from '../push/locality-policy.ts';
import type { MeshConfig } from '../push/mesh-config.ts';
import { isHttp, isHttp2, type Protocol } from '../push/protocol.ts';
import { duration, type FieldsOf } from './values.ts';

export type ClusterFields = FieldsOf<typeof Cluster>;

const UNLIMITED = 2 ** 32 - 1;
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** A policy with what MeshConfig says about connections, where the policy itself does not: keepalive field by field, HTTP/2. */
export function withMeshDefaults<P extends Pick<Policy, 'connectionPool'>>(policy: P, mesh: MeshConfig, protocol: Protocol): P {
  const { tcpKeepalive, upgradesToHttp2 } = mesh;
  const pool = policy.connectionPool;
  const upgrades = upgradesToHttp2 && isHttp(protocol) && (pool?.http?.h2UpgradePolicy ?? 'DEFAULT') === 'DEFAULT';
  if (tcpKeepalive === undefined && !upgrades) return policy;
  const connectionPool: ConnectionPoolSettings = {
    ...pool,
    ...(tcpKeepalive === undefined ? {} : { tcp: { ...pool?.tcp, tcpKeepalive: { ...tcpKeepalive, ...pool?.tcp?.tcpKeepalive } } }),
    ...(upgrades ? { http: { ...pool?.http, h2UpgradePolicy: 'UPGRADE' } } : {}),
  };
  return { ...policy, connectionPool };
}

/** Circuit breakers. Istio's defaults are no limits, not Envoy's 1024 and 3. */
export function thresholds(pool: ConnectionPoolSettings | undefined, budget?: RetryBudget): ClusterFields {
  const limit = (value: number | undefined): number => (value === undefined || value === 0 ? UNLIMITED : value);
  return {
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: limit(pool?.tcp?.maxConnections),
          maxPendingRequests: limit(pool?.http?.http1MaxPendingRequests),
          maxRequests: limit(pool?.http?.http2MaxRequests),
          maxRetries: limit(pool?.http?.maxRetries),
          ...(budget === undefined
            ? {}
            : {
                retryBudget: {
                  budgetPercent: { value: budget.percent ?? 20 },
                  minRetryConcurrency: (budget.minRetryConcurrency ?? 0) > 0 ? budget.minRetryConcurrency! : 3,
                },
              }),
        },
      ],
    },
  };
}

/** The balancer. Istio's default is LEAST_REQUEST; PASSTHROUGH is the caller's business (it changes the cluster's type). */
export function loadBalancer(settings: LoadBalancerSettings | undefined): ClusterFields {
  const hash = settings?.consistentHash;
  if (hash?.maglev !== undefined) {
    const tableSize = hash.maglev.tableSize ?? 0;
    return {
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      ...(tableSize === 0 ? {} : { lbConfig: { $case: 'maglevLbConfig', value: { tableSize } } }),
    };
  }
  if (hash !== undefined) {
    const minimumRingSize = hash.ringHash === undefined ? hash.minimumRingSize || 1024 : (hash.ringHash.minimumRingSize ?? 0);
    return {
      lbPolicy: Cluster_LbPolicy.RING_HASH,
      ...(minimumRingSize === 0 ? {} : { lbConfig: { $case: 'ringHashLbConfig', value: { minimumRingSize } } }),
    };
  }
  const slow = slowStart(settings);
  switch (settings?.simple) {
    case 'ROUND_ROBIN':
      return {
        lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
        ...(slow === undefined ? {} : { lbConfig: { $case: 'roundRobinLbConfig', value: slow } }),
      };
    case 'RANDOM':
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    default:
      return {
        lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
        ...(slow === undefined ? {} : { lbConfig: { $case: 'leastRequestLbConfig', value: slow } }),
      };
  }
}

/** Fields of `loadBalancer` that are not in LoadBalancerSettings. */
interface Warmup {
  readonly warmup?: { readonly duration?: string; readonly minimumPercent?: number; readonly aggression?: number };
  readonly warmupDurationSecs?: string;
}

/** New endpoints get their share little by little. The runtime key is istiod's, letter by letter. */
function slowStart(settings: (LoadBalancerSettings & Warmup) | undefined) {
  const { warmup, warmupDurationSecs } = settings ?? {};
  if (warmup === undefined) {
    const slowStartWindow = duration(warmupDurationSecs);
    return slowStartWindow === undefined ? undefined : { slowStartConfig: { slowStartWindow } };
  }
  return {
    slowStartConfig: {
      slowStartWindow: duration(warmup.duration),
      minWeightPercent: { value: warmup.minimumPercent ?? 10 },
      aggression: { defaultValue: warmup.aggression ?? 1, runtimeKey: '(' },
    },
  };
}

/** Outlier detection: absent means off; success rate is never used (Istio: applyOutlierDetection). */
export function outlierDetection(spec: OutlierSpec | undefined): ClusterFields {
  if (spec === undefined) return {};
  const detection = OutlierDetection.fromPartial({
    enforcingSuccessRate: 0,
    ...(spec.consecutive5xxErrors === undefined
      ? {}
      : { consecutive5xx: spec.consecutive5xxErrors, enforcingConsecutive5xx: spec.consecutive5xxErrors > 0 ? 100 : 0 }),
    ...(spec.consecutiveGatewayErrors === undefined
      ? {}
      : {
          consecutiveGatewayFailure: spec.consecutiveGatewayErrors,
          enforcingConsecutiveGatewayFailure: spec.consecutiveGatewayErrors > 0 ? 100 : 0,
        }),
    ...(spec.interval === undefined ? {} : { interval: duration(spec.interval) }),
    ...(spec.baseEjectionTime === undefined ? {} : { baseEjectionTime: duration(spec.baseEjectionTime) }),
    ...((spec.maxEjectionPercent ?? 0) > 0 ? { maxEjectionPercent: spec.maxEjectionPercent } : {}),
    ...(spec.splitExternalLocalOriginErrors === true ? splitErrors(spec) : {}),
  });
  return { outlierDetection: detection };
}

/** Panic is off unless minHealthPercent says otherwise; near endpoints first, when the client's place counts. */
export function commonLbConfig(
  { outlierDetection: spec }: Policy,
  locality: LocalityPolicy | undefined,
  persistentSession: boolean,
): NonNullable<ClusterFields['commonLbConfig']> {
  const { HEALTHY, DRAINING, UNKNOWN, DEGRADED } = HealthStatus;
  return {
    healthyPanicThreshold: { value: Math.max(spec?.minHealthPercent ?? 0, 0) },
    ...(locality?.config === 'weighted' ? { localityConfigSpecifier: { $case: 'localityWeightedLbConfig', value: {} } } : {}),
    ...(locality?.config === 'zone-aware' ? { localityConfigSpecifier: { $case: 'zoneAwareLbConfig', value: {} } } : {}),
    ...(persistentSession ? { overrideHostStatus: { statuses: [HEALTHY, DRAINING, UNKNOWN, DEGRADED] } } : {}),
  };
}

function splitErrors(spec: OutlierSpec): FieldsOf<typeof OutlierDetection> {
  const failures = spec.consecutiveLocalOriginFailures ?? 0;
  return {
    splitExternalLocalOriginErrors: true,
    enforcingLocalOriginSuccessRate: 0,
    ...(failures > 0 ? { consecutiveLocalOriginFailure: failures, enforcingConsecutiveLocalOriginFailure: 100 } : {}),
  };
}

/** TCP settings of the pool: connect timeout and keepalive. */
export function connectionSettings(pool: ConnectionPoolSettings | undefined, connectTimeout: string): ClusterFields {
  const keepalive = pool?.tcp?.tcpKeepalive;
  return {
    connectTimeout: duration(pool?.tcp?.connectTimeout ?? connectTimeout)!,
    ...(keepalive === undefined
      ? {}
      : {
          upstreamConnectionOptions: {
            tcpKeepalive: {
              ...(keepalive.probes === undefined ? {} : { keepaliveProbes: keepalive.probes }),
              ...(keepalive.time === undefined ? {} : { keepaliveTime: duration(keepalive.time)!.seconds }),
              ...(keepalive.interval === undefined ? {} : { keepaliveInterval: duration(keepalive.interval)!.seconds }),
            },
          },
        }),
  };
}

const FOLLOW_CLIENT: FieldsOf<typeof ClusterHttpProtocolOptions> = {
  upstreamProtocolOptions: { $case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
};

type HttpPool = NonNullable<ConnectionPoolSettings['http']>;

/** useClientProtocol beats what the port says and every upgrade. */
function usesClientProtocol(http: (HttpPool & { readonly useClientProtocol?: boolean }) | undefined): boolean {
  return http?.useClientProtocol === true;
}

/** Connections of this port speak HTTP/2. A sniffed port follows its client, upgrade or not. */
export function offersHttp2(protocol: Protocol, http: HttpPool | undefined): boolean {
  return !usesClientProtocol(http) && protocol !== 'Auto' && (isHttp2(protocol) || http?.h2UpgradePolicy === 'UPGRADE');
}

/** What is taken from the host of a request. */
export interface AutoTls {
  readonly sni: boolean;
  readonly san: boolean;
}

/** HttpProtocolOptions; absent means HTTP/1.1 without limits. */
export function httpOptions(protocol: Protocol, pool: ConnectionPoolSettings | undefined, auto: AutoTls): ClusterFields {
  const http = pool?.http;
  const idleTimeout = http?.idleTimeout ?? pool?.tcp?.idleTimeout;
  const common = {
    ...(idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout)! }),
    ...(pool?.tcp?.maxConnectionDuration === undefined ? {} : { maxConnectionDuration: duration(pool.tcp.maxConnectionDuration)! }),
    ...((http?.maxRequestsPerConnection ?? 0) > 0 ? { maxRequestsPerConnection: http!.maxRequestsPerConnection! } : {}),
  };
  const streams = http?.maxConcurrentStreams ?? 0;
  const hasCommon = Object.keys(common).length > 0 || streams > 0;
  const autoTls = auto.sni || auto.san;
  let options: FieldsOf<typeof ClusterHttpProtocolOptions> | undefined;
  if (usesClientProtocol(http)) options = FOLLOW_CLIENT;
  else if (offersHttp2(protocol, http)) {
    const http2 = streams === 0 ? {} : { maxConcurrentStreams: streams };
    options = {
      upstreamProtocolOptions: {
        $case: 'explicitHttpConfig',
        value: { protocolConfig: { $case: 'http2ProtocolOptions', value: http2 } },
      },
    };
  } else if (protocol === 'Auto') {
    options = FOLLOW_CLIENT;
  } else if (hasCommon || autoTls) {
    options = {
      upstreamProtocolOptions: {
        $case: 'explicitHttpConfig',
        value: { protocolConfig: { $case: 'httpProtocolOptions', value: {} } },
      },
    };
  }
  if (options === undefined) return {};
  const message = ClusterHttpProtocolOptions.fromPartial({
    ...options,
    ...(hasCommon ? { commonHttpProtocolOptions: common } : {}),
    ...(autoTls ? { upstreamHttpProtocolOptions: { autoSni: auto.sni, autoSanValidation: auto.san } } : {}),
  });
  return { typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(ClusterHttpProtocolOptions, message) } };
}

/** Passthrough clusters: whatever protocol the caller speaks. */
export function passthroughOptions(): ClusterFields {
  const message = ClusterHttpProtocolOptions.fromPartial({
    commonHttpProtocolOptions: { idleTimeout: { seconds: 300, nanos: 0 } },
    upstreamProtocolOptions: { $case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
  });
  return { typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(ClusterHttpProtocolOptions, message) } };
}
