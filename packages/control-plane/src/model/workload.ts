import type { WorkloadEntrySpec } from '@ripstop/istio-api';

/** One port that a workload serves. On Kubernetes `port` = `workloadPort`; on a laptop the process may be bound elsewhere. */
export interface WorkloadPort {
  /** What a Service's targetPort refers to, by number or name. */
  readonly workloadPort: number;
  readonly name: string;
  /** Where it really listens. */
  readonly address: string;
  readonly port: number;
}

/** An instance of a service: a Pod of the YAML, or a process that registered itself over its xDS stream. */
export interface WorkloadInstance {
  /** Unique. `<pod name>.<namespace>`. */
  readonly key: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty ports of a Pod mean: any targetPort on `address`. */
  readonly address: string;
  readonly ports: readonly WorkloadPort[];
  readonly health: 'HEALTHY' | 'UNHEALTHY' | 'DRAINING';
  /** The workload can do mTLS (label security.istio.io/tlsMode: istio, or registered with an identity). */
  readonly mtls: boolean;
  readonly workloadName: string;
  readonly clusterId: string;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly nodeName: string;
  /** A pod whose own containers declare no port may serve any number, whatever a native sidecar declares. */
  readonly listensAnywhere?: boolean;
  /** Self-registered instances only: where `/stats/prometheus` is, e.g. `127.0.0.1:15020`; '' = none. */
  readonly adminAddress: string;
  /** Of a member of a WorkloadGroup that does not say which ports it serves: the WorkloadEntry that stands for it. */
  readonly entry?: { readonly name: string; readonly spec: WorkloadEntrySpec } | undefined;
}
