import type { ResetReason } from '../outcome.ts';
import type { Clock, Random, Timer } from '../ports.ts';
import type { HostHealth } from './host-health.ts';
import type { OutlierSpec } from './outlier-spec.ts';
import { judge } from './success-rate.ts';

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

  /** Response headers. A gRPC status counts when it stands in them. */
  onResponse(host: HostHealth, status: number, grpcStatus: number | undefined): void {
    this.start();
    if (this.spec.splitExternalLocalOrigin) this.recordLocalOrigin(host, true);
    this.recordStatus(host, httpStatusOf(status, grpcStatus));
  }

  /** An attempt broke off; `answered` = after its response headers, which have counted. */
  onReset(host: HostHealth, reason: ResetReason, answered: boolean): void {
    // Our own breaker, and streams that we ended for our own reasons, say nothing about the host.
    if (reason === 'overflow' || reason === 'local-reset' || reason === 'max-stream-duration') return;
    // Of a response that has begun the route timeout says nothing more.
    if (answered && reason === 'global-timeout') return;
    this.start();
    const split = this.spec.splitExternalLocalOrigin;
    // The connection stood: that is a local-origin success, whatever comes of the request.
    if (split && !answered && !isConnectFailure(reason)) this.recordLocalOrigin(host, true);
    if (split) this.recordLocalOrigin(host, false);
    else this.recordStatus(host, 503);
  }

  /** An active health check of the host has passed. */
  onHealthCheckPassed(host: HostHealth): void {
    if (!host.ejected || this.spec.uneject === false) return;
    this.takeBack(host);
    this.events.onChange();
  }

  private recordStatus(host: HostHealth, status: number): void {
    const { spec } = this;
    host.external.add(status < 500);
    if (status < 500) {
      host.consecutive5xx = 0;
      host.consecutiveGateway = 0;
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

  private recordLocalOrigin(host: HostHealth, success: boolean): void {
    const { consecutiveLocalOriginFailure, enforcingLocalOriginPercent } = this.spec;
    host.localOrigin.add(success);
    host.consecutiveLocalOrigin = success ? 0 : host.consecutiveLocalOrigin + 1;
    if (consecutiveLocalOriginFailure > 0 && host.consecutiveLocalOrigin >= consecutiveLocalOriginFailure) {
      host.consecutiveLocalOrigin = 0;
      this.eject(host, enforcingLocalOriginPercent, 'consecutive_local_origin_failure');
    }
  }

  private start(): void {
    this.timer ??= this.clock.setTimer(() => this.sweep(), this.spec.intervalMs);
  }

  private eject(host: HostHealth, enforcingPercent: number, reason: string): void {
    if (host.ejected) return;
    const hosts = this.hosts();
    // It may have left the cluster while the request ran.
    if (!hosts.includes(host)) return;
    const active = hosts.filter((other) => other.ejected).length;
    // Checked with this host counted in: at the default 10 % none of fewer than ten hosts is ever ejected.
    const tooMany = 100 * (active + 1) > this.spec.maxEjectionPercent * hosts.length;
    if (tooMany && !(this.spec.alwaysEjectOneHost === true && active === 0)) return;
    if (this.random() * 100 >= enforcingPercent) return;
    const { baseEjectionMs, maxEjectionMs, maxEjectionJitterMs = 0 } = this.spec;
    if (host.multiplier * baseEjectionMs < maxEjectionMs + baseEjectionMs) host.multiplier++;
    host.ejected = true;
    host.ejectedAt = this.clock.now();
    host.jitterMs = maxEjectionJitterMs === 0 ? 0 : Math.floor(this.random() * (maxEjectionJitterMs + 1));
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
    this.ejectBad(hosts, 'external');
    if (this.spec.splitExternalLocalOrigin) this.ejectBad(hosts, 'localOrigin');
    for (const host of hosts) {
      host.external.reset();
      host.localOrigin.reset();
      if (!host.ejected && host.multiplier > 0 && now - host.unejectedAt >= this.spec.intervalMs) host.multiplier--;
    }
    if (changed) this.events.onChange();
    // A quiet cluster needs no timer: the next recorded outcome starts one.
    if (hosts.some((host) => host.ejected || host.multiplier > 0))
      this.timer = this.clock.setTimer(() => this.sweep(), this.spec.intervalMs);
  }

  private unejectWhenDue(host: HostHealth, now: number): boolean {
    const { baseEjectionMs, maxEjectionMs } = this.spec;
    if (!host.ejected || now - host.ejectedAt < Math.min(baseEjectionMs * host.multiplier, maxEjectionMs) + host.jitterMs) return false;
    this.takeBack(host);
    return true;
  }

  private takeBack(host: HostHealth): void {
    host.ejected = false;
    host.unejectedAt = this.clock.now();
    host.consecutive5xx = 0;
    host.consecutiveGateway = 0;
    host.consecutiveLocalOrigin = 0;
  }

  private ejectBad(hosts: readonly HostHealth[], kind: 'external' | 'localOrigin'): void {
    for (const { host, reason, enforcingPercent } of judge(hosts, this.spec, kind)) this.eject(host, enforcingPercent, reason);
  }
}

function isConnectFailure(reason: ResetReason): boolean {
  return reason === 'connect-failure' || reason === 'connect-timeout' || reason === 'tls-failure';
}

/** A gRPC status in headers counts as Envoy maps it to HTTP, whatever the HTTP status (measured on Envoy 1.40). */
function httpStatusOf(status: number, grpcStatus: number | undefined): number {
  switch (grpcStatus) {
    case undefined:
      return status;
    case 4:
      return 504;
    case 12:
      return 501;
    case 14:
      return 503;
    case 2:
    case 13:
    case 15:
      return 500;
    default:
      return 200;
  }
}
