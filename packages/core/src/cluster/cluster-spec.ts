import type { LeastRequestOptions } from '../balancer/least-request.ts';
import type { RingOptions } from '../balancer/ring-hash.ts';
import type { SlowStartSpec } from '../balancer/slow-start.ts';
import type { HealthCheckSpec } from '../health/health-check-spec.ts';
import type { LoadWeightsSpec } from '../orca/host-load.ts';
import type { OutlierSpec } from '../outlier/outlier-spec.ts';
import type { SourceRef } from '../source-ref.ts';
import type { ClusterKind, ConnectionOptions, HealthStatus, Locality, ServiceRef, TransportSocket, WorkloadLabels } from './cluster.ts';
import type { ThresholdsSpec } from './resources.ts';
import type { SubsetSpec } from './subset-spec.ts';
import type { ZoneAwareSpec } from './zone-aware.ts';

export type BalancerSpec =
  | { readonly kind: 'random' }
  | ({ readonly kind: 'load_weighted' } & LoadWeightsSpec)
  | { readonly kind: 'round_robin'; readonly slowStart?: SlowStartSpec | undefined }
  | ({ readonly kind: 'least_request'; readonly slowStart?: SlowStartSpec | undefined } & LeastRequestOptions)
  | ({ readonly kind: 'ring_hash' } & ConsistentHashing & RingOptions)
  | ({ readonly kind: 'maglev'; readonly tableSize: number } & ConsistentHashing);

export interface ConsistentHashing {
  readonly useHostname?: boolean | undefined;
  /** Percent of its even share that a host may be loaded with, at least 100; absent = no bound. */
  readonly balanceFactor?: number | undefined;
}

/** Which addresses of a name count (dns_lookup_family): `auto` = IPv6, without any IPv4. */
export type DnsFamily = 'auto' | 'v4' | 'v6' | 'v4_preferred' | 'all';

export interface EndpointSpec {
  readonly address: string;
  readonly otherAddresses?: readonly string[] | undefined;
  readonly port: number;
  readonly hostname: string;
  readonly weight: number;
  readonly health: HealthStatus;
  readonly transport: TransportSocket;
  readonly workload: WorkloadLabels | undefined;
  /** What hashed balancers hash instead of the address (metadata envoy.lb, hash_key). */
  readonly hashKey?: string | undefined;
  /** How active health checks treat it. */
  readonly check?: { readonly disabled: boolean; readonly port: number; readonly hostname: string } | undefined;
  /** Endpoint metadata `envoy.lb`, which subsets are made of. */
  readonly lbMetadata?: Readonly<Record<string, unknown>> | undefined;
}

export interface LocalitySpec {
  readonly locality: Locality;
  readonly priority: number;
  /** 0 = none given. */
  readonly weight: number;
  readonly endpoints: readonly EndpointSpec[];
}

/** A cluster's configuration with its endpoints, immutable. `ClusterStates` joins it with run-time state. */
export interface ClusterSpec {
  readonly name: string;
  readonly kind: ClusterKind;
  readonly services: readonly ServiceRef[];
  readonly subset: string;
  readonly external: boolean;
  readonly connection: ConnectionOptions;
  readonly thresholds: ThresholdsSpec;
  /** Of routing priority HIGH; Envoy's defaults without. */
  readonly highThresholds?: ThresholdsSpec | undefined;
  readonly balancer: BalancerSpec;
  readonly outlier: OutlierSpec | undefined;
  readonly healthCheck?: HealthCheckSpec | undefined;
  /** A host that EDS drops goes at once; else it stays while its health checks pass. */
  readonly dropWhenRemoved?: boolean | undefined;
  /** Percent; 0 = panic off, as istiod sends it. */
  readonly panicThreshold: number;
  /** Percent; 140 by default. */
  readonly overprovisioningFactor?: number | undefined;
  /** Percent of requests that EDS wants dropped (drop_overloads). */
  readonly dropOverloadPercent?: number | undefined;
  readonly localityWeighted: boolean;
  /** Of balancers without a hash; absent = Envoy's defaults. Counts where the process knows its own cluster (see ClusterStatesEnv). */
  readonly zoneAware?: ZoneAwareSpec | undefined;
  readonly subsets?: SubsetSpec | undefined;
  /** Health of hosts that session affinity may still choose (override_host_status); without: UNKNOWN, HEALTHY, DEGRADED. */
  readonly overrideHostStatus?: ReadonlySet<HealthStatus> | undefined;
  readonly localities: readonly LocalitySpec[];
  /** Kind original_dst: dialled in the place of the port that the request names (upstream_port_override). */
  readonly dialledPort?: number | undefined;
  /** Of an aggregate cluster: the names of its clusters, the preferred first. */
  readonly children?: readonly string[] | undefined;
  /** For DNS kinds: how often names are resolved again. */
  readonly dnsRefreshMs: number;
  /** After a name did not resolve: full jitter between these; absent = `dnsRefreshMs`. */
  readonly dnsFailureRefresh?: { readonly baseMs: number; readonly maxMs: number } | undefined;
  readonly dnsFamily?: DnsFamily | undefined;
  /** For endpoints that the cluster makes itself (passthrough, DNS). */
  readonly transport: TransportSocket;
  readonly source: SourceRef | undefined;
}
