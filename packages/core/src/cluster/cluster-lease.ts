import type { LoadWeightsSpec } from '../orca/host-load.ts';
import { loadReportOf } from '../orca/load-report.ts';
import type { AttemptOutcome } from '../outcome.ts';
import type { OutlierDetector } from '../outlier/outlier-detector.ts';
import type { Clock } from '../ports.ts';
import type { Cluster, Lease, Resources } from './cluster.ts';
import type { EndpointState } from './endpoint-state.ts';

/** Hosts are weighed by what they say in responses. */
export interface LoadReports {
  readonly spec: LoadWeightsSpec;
  readonly clock: Clock;
}

/** A host for one attempt: what it is told of the attempt goes to the counters, the outlier detection and the weights. */
export class ClusterLease implements Lease {
  readonly cluster: Cluster;
  readonly endpoint: EndpointState;
  readonly resources: Resources;
  private readonly detector: OutlierDetector | undefined;
  private readonly loads: LoadReports | undefined;
  private released = false;
  private hasCounted = false;
  private hasReported = false;

  constructor(
    cluster: Cluster,
    resources: Resources,
    endpoint: EndpointState,
    detector: OutlierDetector | undefined,
    loads: LoadReports | undefined,
  ) {
    this.cluster = cluster;
    this.resources = resources;
    this.endpoint = endpoint;
    this.detector = detector;
    this.loads = loads;
  }

  get wantsLoad(): boolean {
    return this.loads !== undefined && !this.hasReported;
  }

  /** The first report counts: of headers, or of trailers. */
  reportLoad(header: (name: string) => string | undefined): void {
    const report = this.wantsLoad ? loadReportOf(header) : undefined;
    if (report === undefined) return;
    this.hasReported = true;
    this.endpoint.load.report(report, this.loads!.spec, this.loads!.clock.now());
  }

  answered(status: number, grpcStatus: number | undefined): void {
    this.hasCounted = true;
    this.detector?.onResponse(this.endpoint.outlier, status, grpcStatus);
  }

  late(): void {
    this.hasCounted = true;
    this.detector?.onReset(this.endpoint.outlier, 'per-try-timeout', false);
  }

  release(outcome: AttemptOutcome): void {
    if (this.released) return;
    this.released = true;
    this.resources.requests.give();
    this.endpoint.activeRequests--;
    if (outcome.kind === 'reset') this.detector?.onReset(this.endpoint.outlier, outcome.reason, this.hasCounted);
  }
}
