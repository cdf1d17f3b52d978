import type { OutlierSpec } from '../outlier/outlier-spec.ts';
import type { SourceRef } from '../source-ref.ts';
import type { ClusterKind, ConnectionOptions, HealthStatus, Locality, ServiceRef, TransportSocket, WorkloadLabels } from './cluster.ts';
import type { ThresholdsSpec } from './resources.ts';

export type BalancerSpec =
  | { readonly kind: 'round_robin' | 'random' }
  | { readonly kind: 'least_request'; readonly choiceCount: number }
  | { readonly kind: 'ring_hash'; readonly minimumRingSize: number; readonly maximumRingSize: number }
  | { readonly kind: 'maglev'; readonly tableSize: number };

export interface EndpointSpec {
  readonly address: string;
  readonly port: number;
  readonly hostname: string;
  readonly weight: number;
  readonly health: HealthStatus;
  readonly transport: TransportSocket;
  readonly workload: WorkloadLabels | undefined;
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
  readonly balancer: BalancerSpec;
  readonly outlier: OutlierSpec | undefined;
  /** Percent; 0 = panic off, as istiod sends it. */
  readonly panicThreshold: number;
  readonly localityWeighted: boolean;
  readonly localities: readonly LocalitySpec[];
  /** For DNS kinds: how often names are resolved again. */
  readonly dnsRefreshMs: number;
  /** For endpoints that the cluster makes itself (passthrough, DNS). */
  readonly transport: TransportSocket;
  readonly source: SourceRef | undefined;
}
