import type { Cluster } from '../cluster/cluster.ts';
import type { EndpointState } from '../cluster/endpoint-state.ts';
import type { Clock, Random } from '../ports.ts';
import type { HealthCheckSpec } from './health-check-spec.ts';
import type { HealthProbe } from './health-probe.ts';
import { HostCheck } from './host-check.ts';

export interface HealthCheckerEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly probe: HealthProbe;
  /** The cluster has been called; until then checks are rare. */
  readonly hasTraffic: () => boolean;
  /** A host's health changed: pickers must be built again. */
  readonly onChange: (host: EndpointState) => void;
  /** The first check of a host is over, however it went. */
  readonly onFirst: () => void;
  /** A check passed. */
  readonly onPass: (host: EndpointState) => void;
}

/** Envoy's active health checks of one cluster: one check per host, each at its own pace. */
export class HealthChecker {
  readonly spec: HealthCheckSpec;
  private readonly cluster: Cluster;
  private readonly env: HealthCheckerEnv;
  private readonly checks = new Map<EndpointState, HostCheck>();

  constructor(spec: HealthCheckSpec, cluster: Cluster, env: HealthCheckerEnv) {
    this.spec = spec;
    this.cluster = cluster;
    this.env = env;
  }

  /** Takes new hosts in and lets others go. */
  update(hosts: readonly EndpointState[]): void {
    const wanted = new Set(hosts.filter((host) => !host.notChecked));
    for (const [host, check] of this.checks) {
      if (wanted.has(host)) continue;
      check.close();
      this.checks.delete(host);
    }
    for (const host of wanted) if (!this.checks.has(host)) this.checks.set(host, new HostCheck(this.spec, host, this.cluster, this.env));
  }

  /** Every host has been asked once. */
  get hasAskedAll(): boolean {
    for (const check of this.checks.values()) if (!check.asked) return false;
    return true;
  }

  close(): void {
    for (const check of this.checks.values()) check.close();
    this.checks.clear();
  }
}
