import type { HostHealth } from '../outlier/outlier-detector.ts';
import type { Endpoint, HealthStatus, Locality, TransportSocket, WorkloadLabels } from './cluster.ts';
import type { EndpointSpec, LocalitySpec } from './cluster-spec.ts';

/** A host with its run-time state. The object stays the same while the host is known, whatever a push changes about it. */
export class EndpointState implements Endpoint {
  readonly key: string;
  readonly address: string;
  readonly port: number;
  readonly outlier: HostHealth;
  hostname = '';
  locality: Locality = { region: '', zone: '', subZone: '' };
  priority = 0;
  weight = 1;
  health: HealthStatus = 'UNKNOWN';
  transport: TransportSocket = { kind: 'raw' };
  workload: WorkloadLabels | undefined = undefined;
  activeRequests = 0;
  present = true;

  constructor(spec: EndpointSpec, outlier: HostHealth) {
    this.key = endpointKey(spec);
    this.address = spec.address;
    this.port = spec.port;
    this.outlier = outlier;
  }

  get ejected(): boolean {
    return this.outlier.ejected;
  }

  /** DEGRADED counts as usable only when nothing healthy is left; that is the cluster's business. */
  get usable(): boolean {
    return !this.outlier.ejected && (this.health === 'UNKNOWN' || this.health === 'HEALTHY');
  }

  update(spec: EndpointSpec, { locality, priority }: LocalitySpec): void {
    this.hostname = spec.hostname;
    this.locality = locality;
    this.priority = priority;
    this.weight = spec.weight;
    this.health = spec.health;
    this.transport = spec.transport;
    if (!sameWorkload(this.workload, spec.workload)) this.workload = spec.workload;
    this.present = true;
  }
}

export function endpointKey({ address, port }: { readonly address: string; readonly port: number }): string {
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
