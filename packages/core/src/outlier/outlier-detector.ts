import type { AttemptOutcome } from '../outcome.ts';
import type { Clock, Random, Timer } from '../ports.ts';
import type { OutlierSpec } from './outlier-spec.ts';

/** What the detector keeps per host. */
export class HostHealth {
  ejected = false;
  ejectedAt = 0;
  /** Ejection time is base × this. */
  multiplier = 0;
  unejectedAt = 0;
  consecutive5xx = 0;
  consecutiveGateway = 0;
  consecutiveLocalOrigin = 0;
  /** Of the interval that is running. */
  requests = 0;
  successes = 0;
}

export interface OutlierEvents {
  /** A host left or came back: pickers must be rebuilt. */
  onChange(): void;
  onEject?(host: HostHealth, reason: string): void;
}

/** Envoy's outlier detection of one cluster: consecutive counters at once, success rate and failure percentage at each sweep. */
export class OutlierDetector {
  private spec: OutlierSpec;
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly hosts: () => readonly HostHealth[];
  private readonly events: OutlierEvents;
  private timer: Timer | undefined;
  private closed = false;

  constructor(
    spec: OutlierSpec,
    env: { readonly clock: Clock; readonly random: Random },
    hosts: () => readonly HostHealth[],
    events: OutlierEvents,
  ) {
    this.spec = spec;
    this.clock = env.clock;
    this.random = env.random;
    this.hosts = hosts;
    this.events = events;
  }

  update(spec: OutlierSpec): void {
    this.spec = spec;
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
  }

  record(host: HostHealth, outcome: AttemptOutcome): void {
    if (outcome.kind === 'cancelled') return;
    this.timer ??= this.clock.setTimer(() => this.sweep(), this.spec.intervalMs);
    const { spec } = this;
    const localOrigin = outcome.kind === 'reset';
    if (localOrigin && spec.splitExternalLocalOrigin) {
      this.recordLocalOrigin(
        host,
        outcome.reason === 'connect-failure' || outcome.reason === 'connect-timeout' || outcome.reason === 'tls-failure',
      );
      return;
    }
    const status = localOrigin ? 503 : httpStatusOf(outcome.status, outcome.grpcStatus);
    host.requests++;
    if (status < 500) {
      host.successes++;
      host.consecutive5xx = 0;
      host.consecutiveGateway = 0;
      host.consecutiveLocalOrigin = 0;
      return;
    }
    host.consecutive5xx++;
    const gateway = status === 502 || status === 503 || status === 504;
    host.consecutiveGateway = gateway ? host.consecutiveGateway + 1 : 0;
    if (gateway && spec.consecutiveGatewayFailure > 0 && host.consecutiveGateway >= spec.consecutiveGatewayFailure) {
      host.consecutiveGateway = 0;
      this.eject(host, spec.enforcingGatewayPercent, 'consecutive_gateway_failure');
    }
    if (spec.consecutive5xx > 0 && host.consecutive5xx >= spec.consecutive5xx) {
      host.consecutive5xx = 0;
      this.eject(host, spec.enforcing5xxPercent, 'consecutive_5xx');
    }
  }

  private recordLocalOrigin(host: HostHealth, connectFailed: boolean): void {
    if (!connectFailed) {
      // The connection stood: that is a local-origin success, whatever came of the request.
      host.consecutiveLocalOrigin = 0;
      return;
    }
    host.consecutiveLocalOrigin++;
    if (this.spec.consecutiveLocalOriginFailure > 0 && host.consecutiveLocalOrigin >= this.spec.consecutiveLocalOriginFailure) {
      host.consecutiveLocalOrigin = 0;
      this.eject(host, this.spec.enforcingLocalOriginPercent, 'consecutive_local_origin_failure');
    }
  }

  private eject(host: HostHealth, enforcingPercent: number, reason: string): void {
    if (host.ejected) return;
    const hosts = this.hosts();
    const active = hosts.filter((other) => other.ejected).length;
    // Checked with this host counted in: at the default 10 % none of fewer than ten hosts is ever ejected.
    if (100 * (active + 1) > this.spec.maxEjectionPercent * hosts.length) return;
    if (this.random() * 100 >= enforcingPercent) return;
    const { baseEjectionMs, maxEjectionMs } = this.spec;
    if (host.multiplier * baseEjectionMs < maxEjectionMs + baseEjectionMs) host.multiplier++;
    host.ejected = true;
    host.ejectedAt = this.clock.now();
    this.events.onEject?.(host, reason);
    this.events.onChange();
  }

  /** Envoy's order: bring back, judge the interval, decay multipliers. */
  private sweep(): void {
    this.timer = undefined;
    if (this.closed) return;
    const now = this.clock.now();
    const hosts = this.hosts();
    let changed = false;
    for (const host of hosts) if (this.unejectWhenDue(host, now)) changed = true;
    this.judgeSuccessRate(hosts);
    this.judgeFailurePercentage(hosts);
    for (const host of hosts) {
      host.requests = 0;
      host.successes = 0;
      if (!host.ejected && host.multiplier > 0 && now - host.unejectedAt >= this.spec.intervalMs) host.multiplier--;
    }
    if (changed) this.events.onChange();
    // A quiet cluster needs no timer: the next recorded outcome starts one.
    if (hosts.some((host) => host.ejected || host.multiplier > 0))
      this.timer = this.clock.setTimer(() => this.sweep(), this.spec.intervalMs);
  }

  private unejectWhenDue(host: HostHealth, now: number): boolean {
    if (!host.ejected || now - host.ejectedAt < Math.min(this.spec.baseEjectionMs * host.multiplier, this.spec.maxEjectionMs)) return false;
    host.ejected = false;
    host.unejectedAt = now;
    host.consecutive5xx = 0;
    host.consecutiveGateway = 0;
    host.consecutiveLocalOrigin = 0;
    return true;
  }

  private judgeSuccessRate(hosts: readonly HostHealth[]): void {
    const { enforcingPercent, minimumHosts, requestVolume, stdevFactor } = this.spec.successRate;
    if (enforcingPercent === 0) return;
    const judged = hosts.filter((host) => !host.ejected && host.requests >= requestVolume);
    if (judged.length < minimumHosts) return;
    const rates = judged.map((host) => (100 * host.successes) / host.requests);
    const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
    const deviation = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length);
    const threshold = mean - (stdevFactor / 1000) * deviation;
    for (const [index, host] of judged.entries()) if (rates[index]! < threshold) this.eject(host, enforcingPercent, 'success_rate');
  }

  private judgeFailurePercentage(hosts: readonly HostHealth[]): void {
    const { enforcingPercent, threshold, minimumHosts, requestVolume } = this.spec.failurePercentage;
    if (enforcingPercent === 0) return;
    const judged = hosts.filter((host) => !host.ejected && host.requests >= requestVolume);
    if (judged.length < minimumHosts) return;
    for (const host of judged) {
      if (100 - (100 * host.successes) / host.requests >= threshold) this.eject(host, enforcingPercent, 'failure_percentage');
    }
  }
}

/** gRPC statuses in headers count as Envoy maps them to HTTP: 2, 4, 13 and 14 are server errors. */
function httpStatusOf(status: number, grpcStatus: number | undefined): number {
  if (grpcStatus === undefined || grpcStatus === 0) return status;
  return grpcStatus === 2 || grpcStatus === 13 ? 500 : grpcStatus === 4 ? 504 : grpcStatus === 14 ? 503 : status;
}
