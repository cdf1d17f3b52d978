import type { Cluster, Endpoint } from '../cluster/cluster.ts';
import type { Cancel } from '../ports.ts';
import type { CheckResult, HealthCheckSpec } from './health-check-spec.ts';

/** Asks one host again and again; may keep its connection in between. */
export interface ProbeSession {
  /** Asks once. `done` is called once, unless it is cancelled before; cancelling ends the connection. */
  ask(done: (result: CheckResult) => void): Cancel;
  close(): void;
}

/** Carries health checks out; drivers have it. */
export type HealthProbe = (spec: HealthCheckSpec, endpoint: Endpoint, cluster: Cluster) => ProbeSession;
