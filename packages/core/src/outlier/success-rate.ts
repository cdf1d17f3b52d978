import type { HostHealth } from './host-health.ts';
import type { OutlierSpec } from './outlier-spec.ts';

/** A host that a sweep finds bad, and by which rule. */
export interface Verdict {
  readonly host: HostHealth;
  readonly reason: string;
  readonly enforcingPercent: number;
}

/**
 * Envoy's sweep over one kind of answers: first the success rate (below mean − factor · σ, population σ), then the failure percentage
 * (at or above the threshold). Who is judged is fixed before the first ejection.
 */
export function judge(hosts: readonly HostHealth[], spec: OutlierSpec, kind: 'external' | 'localOrigin'): readonly Verdict[] {
  const local = kind === 'localOrigin';
  const rated = hosts
    .filter((host) => !host.ejected && host[kind].requests > 0)
    .map((host) => ({ host, volume: host[kind].requests, rate: (100 * host[kind].successes) / host[kind].requests }));
  const { successRate, failurePercentage } = spec;
  const verdicts: Verdict[] = [];

  const bySuccess = rated.filter(({ volume }) => volume >= successRate.requestVolume);
  if (bySuccess.length > 0 && bySuccess.length >= successRate.minimumHosts) {
    const threshold = successRateThreshold(
      bySuccess.map(({ rate }) => rate),
      successRate.stdevFactor,
    );
    const enforcingPercent = (local ? successRate.enforcingLocalOriginPercent : successRate.enforcingPercent) ?? 100;
    const reason = local ? 'success_rate_local_origin' : 'success_rate';
    for (const { host, rate } of bySuccess) if (rate < threshold) verdicts.push({ host, reason, enforcingPercent });
  }

  const byFailure = rated.filter(({ volume }) => volume >= failurePercentage.requestVolume);
  if (byFailure.length > 0 && byFailure.length >= failurePercentage.minimumHosts) {
    const enforcingPercent = (local ? failurePercentage.enforcingLocalOriginPercent : failurePercentage.enforcingPercent) ?? 0;
    const reason = local ? 'failure_percentage_local_origin' : 'failure_percentage';
    for (const { host, rate } of byFailure)
      if (100 - rate >= failurePercentage.threshold) verdicts.push({ host, reason, enforcingPercent });
  }
  return verdicts;
}

/** `factor` in thousandths: 1900 = 1.9. */
export function successRateThreshold(rates: readonly number[], factor: number): number {
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const deviation = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length);
  return mean - (factor / 1000) * deviation;
}
