import type { Cluster } from '../cluster/cluster.ts';
import type { EndpointState } from '../cluster/endpoint-state.ts';
import type { Cancel, Timer } from '../ports.ts';
import type { CheckResult, HealthCheckSpec } from './health-check-spec.ts';
import type { HealthCheckerEnv } from './health-checker.ts';
import type { ProbeSession } from './health-probe.ts';

/** What a result did to the host. `pending`: some of the results that it takes are here. */
type Transition = 'unchanged' | 'pending' | 'changed';

const TIMEOUT: CheckResult = { kind: 'fail', immediate: false };

/**
 * The checks of one host, by Envoy's rules: the first result counts at once when it is good, later ones by their thresholds; a host that
 * answers badly (and not by a retriable status) is out at once. The next check is an interval after the result.
 */
export class HostCheck {
  private readonly spec: HealthCheckSpec;
  private readonly host: EndpointState;
  private readonly env: HealthCheckerEnv;
  private readonly session: ProbeSession;
  private first = true;
  private passes = 0;
  private failures = 0;
  private timer: Timer | undefined;
  private cancel: Cancel | undefined;
  private closed = false;

  constructor(spec: HealthCheckSpec, host: EndpointState, cluster: Cluster, env: HealthCheckerEnv) {
    this.spec = spec;
    this.host = host;
    this.env = env;
    this.session = env.probe(spec, host, cluster);
    if (spec.initialJitterMs > 0) this.wait(Math.floor(env.random() * spec.initialJitterMs));
    else this.ask();
  }

  /** It has had an answer, or waited for one in vain. */
  get asked(): boolean {
    return !this.first;
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.cancel?.();
    this.session.close();
  }

  private wait(delayMs: number): void {
    this.timer = this.env.clock.setTimer(() => this.ask(), delayMs);
  }

  private ask(): void {
    this.timer = this.env.clock.setTimer(() => {
      this.cancel?.();
      this.settle(TIMEOUT);
    }, this.spec.timeoutMs);
    this.cancel = this.session.ask((result) => {
      this.timer?.cancel();
      this.settle(result);
    });
  }

  private settle(result: CheckResult): void {
    this.cancel = undefined;
    const transition = result.kind === 'pass' ? this.pass(result.degraded) : this.fail(result.immediate);
    const wasFirst = this.first;
    this.first = false;
    if (transition === 'changed') this.env.onChange(this.host);
    if (result.kind === 'pass') this.env.onPass(this.host);
    if (wasFirst) this.env.onFirst();
    // What was changed may have put the host out, and this check with it.
    if (this.closed) return;
    this.wait(this.jittered(this.intervalMs(result.kind === 'pass', transition)));
  }

  private pass(degraded: boolean): Transition {
    const { host } = this;
    this.failures = 0;
    let transition: Transition = 'unchanged';
    if (host.checkFailed) {
      transition = this.first || ++this.passes >= this.spec.healthyThreshold ? 'changed' : 'pending';
      if (transition === 'changed') host.recover(this.env.clock.now());
    }
    if (host.checkDegraded === degraded) return transition;
    host.checkDegraded = degraded;
    return transition === 'pending' ? transition : 'changed';
  }

  private fail(immediate: boolean): Transition {
    const { host } = this;
    this.passes = 0;
    if (host.checkFailed) return 'unchanged';
    if (!immediate && ++this.failures < this.spec.unhealthyThreshold) return 'pending';
    host.checkFailed = true;
    return 'changed';
  }

  private intervalMs(healthy: boolean, transition: Transition): number {
    const { spec } = this;
    const pending = transition === 'pending';
    if (!this.env.hasTraffic()) return healthy && !pending ? spec.noTrafficHealthyIntervalMs : spec.noTrafficIntervalMs;
    if (healthy) return pending ? spec.healthyEdgeIntervalMs : spec.intervalMs;
    return pending ? spec.unhealthyEdgeIntervalMs : spec.unhealthyIntervalMs;
  }

  private jittered(baseMs: number): number {
    const { random } = this.env;
    const { intervalJitterMs, intervalJitterPercent } = this.spec;
    const share = (baseMs * intervalJitterPercent) / 100;
    return baseMs + (share > 0 ? random() * share : 0) + (intervalJitterMs > 0 ? random() * intervalJitterMs : 0);
  }
}
