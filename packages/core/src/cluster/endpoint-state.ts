import { HostLoad } from '../orca/host-load.ts';
import type { HostHealth } from '../outlier/host-health.ts';
import { isSocketPath } from '../socket-path.ts';
import type { Endpoint, HealthStatus, Locality, TransportSocket, WorkloadLabels } from './cluster.ts';
import type { EndpointSpec, LocalitySpec } from './cluster-spec.ts';

/** A host with its run-time state. The object stays the same while the host is known, whatever a push changes about it. */
export class EndpointState implements Endpoint {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  otherAddresses: readonly string[] | undefined = undefined;
  readonly outlier: HostHealth;
  /** What its load reports say. */
  readonly load: HostLoad = new HostLoad();
  hostname = '';
  locality: Locality = { region: '', zone: '', subZone: '' };
  priority = 0;
  weight = 1;
  health: HealthStatus = 'UNKNOWN';
  transport: TransportSocket = { kind: 'raw' };
  workload: WorkloadLabels | undefined = undefined;
  hashKey = '';
  lbMetadata: EndpointSpec['lbMetadata'] = undefined;
  activeRequests = 0;
  /** Active health checks say that it is out; kept by them. */
  checkFailed = false;
  checkDegraded = false;
  /** Active health checks leave it alone (disable_active_health_check). */
  notChecked = false;
  /** EDS dropped it; its health checks pass, so it stays. */
  leaving = false;
  /** Where it is checked, when not at its own port or by its own name. */
  checkPort = 0;
  checkHostname = '';
  present = true;
  /** `Clock.now()` at which it came as a healthy host; slow start counts from there. */
  addedAt: number;

  constructor(spec: EndpointSpec, outlier: HostHealth, now: number) {
    this.addedAt = isHealthy(spec.health) ? now : Number.NEGATIVE_INFINITY;
    this.key = endpointKey(spec);
    this.address = spec.address;
    this.port = spec.port;
    this.outlier = outlier;
  }

  get ejected(): boolean {
    return this.outlier.ejected;
  }

  /** DEGRADED is used only when healthy hosts do not suffice; that is the cluster's business. */
  get usable(): boolean {
    return !this.outlier.ejected && !this.checkFailed && !this.checkDegraded && isHealthy(this.health);
  }

  /** It counts as degraded: used only when healthy hosts do not suffice. */
  get degraded(): boolean {
    if (this.outlier.ejected || this.checkFailed) return false;
    return this.health === 'DEGRADED' || (this.checkDegraded && isHealthy(this.health));
  }

  /** What the host's health comes to, for session affinity. */
  get status(): HealthStatus {
    if (this.checkFailed || this.outlier.ejected) return 'UNHEALTHY';
    return this.checkDegraded && isHealthy(this.health) ? 'DEGRADED' : this.health;
  }

  /** Health checks take it back: it warms up anew. */
  recover(now: number): void {
    this.checkFailed = false;
    this.addedAt = now;
  }

  update(spec: EndpointSpec, { locality, priority }: LocalitySpec, hashByHostname: boolean): void {
    this.hostname = spec.hostname;
    this.otherAddresses = spec.otherAddresses;
    this.locality = locality;
    this.priority = priority;
    this.weight = spec.weight;
    this.hashKey = spec.hashKey ?? (hashByHostname ? spec.hostname : this.key);
    this.health = spec.health;
    this.notChecked = spec.check?.disabled ?? false;
    this.checkPort = spec.check?.port ?? 0;
    this.checkHostname = spec.check?.hostname ?? '';
    if (this.notChecked) this.checkFailed = false;
    this.lbMetadata = spec.lbMetadata;
    this.transport = spec.transport;
    if (!sameWorkload(this.workload, spec.workload)) this.workload = spec.workload;
    this.present = true;
    this.leaving = false;
  }
}

function isHealthy(health: HealthStatus): boolean {
  return health === 'UNKNOWN' || health === 'HEALTHY';
}

export function endpointKey({ address, port }: { readonly address: string; readonly port: number }): string {
  if (isSocketPath(address)) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Telemetry finds its cells by the object, so an equal one is kept. */
function sameWorkload(a: WorkloadLabels | undefined, b: WorkloadLabels | undefined): boolean {
  return (
    a === b ||
    (a !== undefined &&
      b !== undefined &&
      a.workload === b.workload &&
      a.namespace === b.namespace &&
      a.canonicalService === b.canonicalService &&
      a.canonicalRevision === b.canonicalRevision &&
      a.cluster === b.cluster)
  );
}
