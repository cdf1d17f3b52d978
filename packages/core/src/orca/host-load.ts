import type { SlowStartSpec } from '../balancer/slow-start.ts';
import type { LoadReport } from './load-report.ts';
import type { OutOfBandSpec } from './load-stream.ts';

/** Envoy's ClientSideWeightedRoundRobin, decoded. Times in milliseconds. */
export interface LoadWeightsSpec {
  /** A host's reports do not count until it has given them for so long. */
  readonly blackoutMs: number;
  /** A report counts for so long. */
  readonly expirationMs: number;
  readonly updateMs: number;
  /** How much errors count as load: utilization + eps / qps × this. */
  readonly errorPenalty: number;
  /** Metrics, by their full names, whose largest value counts where there is no application_utilization. */
  readonly metrics: readonly string[];
  readonly slowStart?: SlowStartSpec | undefined;
  /** Reports come by themselves; those in responses do not count. */
  readonly outOfBand?: OutOfBandSpec | undefined;
}

const LARGEST_WEIGHT = 0xffff_ffff;

/** The weight that a host's own reports give it. */
export class HostLoad {
  private weight = 0;
  private since = Number.POSITIVE_INFINITY;
  private reportedAt = Number.NEGATIVE_INFINITY;

  /** A report without requests or without load says nothing. */
  report(report: LoadReport, spec: LoadWeightsSpec, now: number): void {
    const weight = weightOf(report, spec);
    if (weight === undefined) return;
    this.weight = weight;
    this.reportedAt = now;
    if (this.since === Number.POSITIVE_INFINITY) this.since = now;
  }

  /** Undefined while it is new, and when its last report is too old; then it is new again. */
  current({ blackoutMs, expirationMs }: LoadWeightsSpec, now: number): number | undefined {
    if (this.since > now - blackoutMs) return undefined;
    if (this.reportedAt >= now - expirationMs) return this.weight;
    this.since = Number.POSITIVE_INFINITY;
    return undefined;
  }
}

function weightOf(report: LoadReport, { errorPenalty, metrics }: LoadWeightsSpec): number | undefined {
  const { rps, eps } = report;
  if (!(rps > 0)) return undefined;
  const utilization = utilizationOf(report, metrics) + (eps > 0 ? (eps / rps) * errorPenalty : 0);
  if (!(utilization > 0)) return undefined;
  return Math.min(LARGEST_WEIGHT, Math.floor(rps / utilization));
}

function utilizationOf({ applicationUtilization, cpuUtilization, named }: LoadReport, metrics: readonly string[]): number {
  if (applicationUtilization > 0) return applicationUtilization;
  const largest = Math.max(0, ...metrics.map((name) => named.get(name) ?? 0));
  return largest > 0 ? largest : cpuUtilization;
}
