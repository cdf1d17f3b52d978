import { describe, expect, it } from 'vitest';
import { isLease } from '../cluster/cluster.ts';
import type { ClusterSpec } from '../cluster/cluster-spec.ts';
import { ClusterState } from '../cluster/cluster-state.ts';
import { clusterSpec, endpoint, exchange, FakeClock, locality, outlierSpec, seeded } from '../testing/fakes.ts';
import type { CheckResult, HealthCheckSpec } from './health-check-spec.ts';

const GOOD: CheckResult = { kind: 'pass', degraded: false };
const DEGRADED: CheckResult = { kind: 'pass', degraded: true };
const BAD: CheckResult = { kind: 'fail', immediate: true };
const BROKEN: CheckResult = { kind: 'fail', immediate: false };

function check(changes: Partial<HealthCheckSpec> = {}): HealthCheckSpec {
  return {
    check: { kind: 'tcp', send: undefined, receive: [] },
    timeoutMs: 1000,
    intervalMs: 5000,
    healthyEdgeIntervalMs: 5000,
    unhealthyIntervalMs: 5000,
    unhealthyEdgeIntervalMs: 5000,
    noTrafficIntervalMs: 60_000,
    noTrafficHealthyIntervalMs: 60_000,
    initialJitterMs: 0,
    intervalJitterMs: 0,
    intervalJitterPercent: 0,
    unhealthyThreshold: 2,
    healthyThreshold: 3,
    reuseConnection: true,
    port: 0,
    ...changes,
  };
}

/** Hosts 1 … n whose checks the test answers. */
class Scene {
  readonly clock = new FakeClock();
  readonly cluster: ClusterState;
  /** When each host was asked. */
  readonly asked: [port: number, at: number][] = [];
  open = 0;
  /** What a host says to every check. */
  private readonly always = new Map<number, CheckResult>();
  private readonly waiting = new Map<number, (result: CheckResult) => void>();
  private readonly spec: (ports: readonly number[]) => ClusterSpec;

  constructor(count: number, healthCheck: HealthCheckSpec, changes: Partial<ClusterSpec> = {}, onWarm: () => void = () => {}) {
    const all = Array.from({ length: count }, (_none, index) => index + 1);
    this.spec = (ports) => clusterSpec({ healthCheck, localities: [locality(ports.map((port) => endpoint(port)))], ...changes });
    const probe = (_spec: HealthCheckSpec, { port }: { readonly port: number }) => {
      this.open++;
      return {
        ask: (done: (result: CheckResult) => void) => {
          this.asked.push([port, this.clock.now()]);
          const answer = this.always.get(port);
          if (answer === undefined) this.waiting.set(port, done);
          else done(answer);
          return () => void this.waiting.delete(port);
        },
        close: () => void this.open--,
      };
    };
    this.cluster = new ClusterState(this.spec(all), { clock: this.clock, random: seeded(1), probe, onWarm });
  }

  /** Answers the check that waits; the next one is asked when it is due. */
  says(port: number, ...results: CheckResult[]): this {
    for (const result of results) {
      for (let waited = 0; !this.waiting.has(port); waited += 500) {
        if (waited > 1_000_000) throw new Error(`host ${port} is not asked any more`);
        this.clock.advance(500);
      }
      const done = this.waiting.get(port)!;
      this.waiting.delete(port);
      done(result);
    }
    return this;
  }

  alwaysSays(port: number, result: CheckResult): this {
    this.says(port, result).always.set(port, result);
    return this;
  }

  hosts(...ports: number[]): this {
    this.cluster.update(this.spec(ports));
    return this;
  }

  call(): string {
    const lease = this.cluster.acquire(exchange());
    if (!isLease(lease)) return '-';
    lease.release({ kind: 'complete' });
    return String(lease.endpoint.port);
  }

  /** Hosts that take requests. */
  get used(): string {
    return [...new Set(Array.from({ length: 60 }, () => this.call()))].sort().join('');
  }

  gaps(port: number): number[] {
    const times = this.asked.filter(([other]) => other === port).map(([, at]) => at);
    return times.slice(1).map((at, index) => at - times[index]!);
  }
}

describe('active health checks', () => {
  it.each<[what: string, results: CheckResult[], used: string]>([
    ['nothing is known of it yet', [], '2'],
    ['a good first answer', [GOOD], '12'],
    ['a bad answer is enough', [GOOD, BAD], '2'],
    ['the first one too', [BAD], '2'],
    ['one broken check is not', [GOOD, BROKEN], '12'],
    ['as many as the threshold are', [GOOD, BROKEN, BROKEN], '2'],
    ['a good one in between begins anew', [GOOD, BROKEN, GOOD, BROKEN], '12'],
    ['it comes back after as many good ones as the threshold', [GOOD, BAD, GOOD, GOOD], '2'],
    ['…', [GOOD, BAD, GOOD, GOOD, GOOD], '12'],
    ['a bad one in between begins anew', [GOOD, BAD, GOOD, GOOD, BAD, GOOD, GOOD], '2'],
    ['a degraded host takes what the others cannot carry', [DEGRADED], '12'],
  ])('%s', (_what, results, used) => {
    const scene = new Scene(2, check()).alwaysSays(2, GOOD);
    scene.call();
    expect(scene.says(1, ...results).used).toBe(used);
  });

  it('a check that takes too long is a broken one', () => {
    const scene = new Scene(2, check({ unhealthyThreshold: 1 }));
    scene.says(2, GOOD).clock.advance(1000);
    expect(scene.used).toBe('2');
  });

  it('degraded hosts are used when nobody is well', () => {
    expect(new Scene(2, check()).says(1, DEGRADED).says(2, BAD).used).toBe('1');
  });

  it('nobody is well: UH, and with panic everybody', () => {
    expect(new Scene(2, check()).says(1, BAD).says(2, BAD).used).toBe('-');
    expect(new Scene(2, check(), { panicThreshold: 50 }).says(1, BAD).says(2, BAD).used).toBe('12');
  });

  it('a host that comes later waits for its first good answer, which is enough', () => {
    const scene = new Scene(2, check()).says(1, GOOD).says(2, GOOD).hosts(1, 2, 3);
    expect(scene.used).toBe('12');
    expect(scene.says(3, GOOD).used).toBe('123');
  });

  it('a host that EDS drops stays while its checks pass', () => {
    const scene = new Scene(3, check()).says(1, GOOD).says(2, GOOD).says(3, BAD).hosts(1);
    expect([scene.used, scene.open]).toEqual(['12', 2]);
    expect([scene.says(2, BAD).used, scene.open]).toEqual(['1', 1]);
    const dropped = new Scene(2, check(), { dropWhenRemoved: true }).says(1, GOOD).says(2, GOOD).hosts(1);
    expect([dropped.used, dropped.open]).toEqual(['1', 1]);
  });

  it('a host that its own check puts out is not asked again', () => {
    const scene = new Scene(2, check()).says(1, GOOD).says(2, GOOD).hosts(1).says(2, BAD);
    const asked = scene.gaps(2).length;
    scene.clock.advance(600_000);
    expect(scene.gaps(2)).toHaveLength(asked);
  });

  it('the clock ends with the cluster', () => {
    const scene = new Scene(2, check()).says(1, GOOD);
    scene.cluster.close();
    expect([scene.open, scene.clock.pending]).toEqual([0, 0]);
  });

  it('a good check takes an ejected host back, unless the outlier detection says no', () => {
    const outcome = (uneject: boolean): string => {
      const scene = new Scene(2, check(), {
        outlier: outlierSpec({ consecutive5xx: 1, baseEjectionMs: 9_000_000, maxEjectionMs: 9_000_000, uneject }),
      })
        .says(1, GOOD)
        .alwaysSays(2, GOOD);
      for (let made = 0; made < 10 && !scene.cluster.endpoints[0]!.ejected; made++) {
        const lease = scene.cluster.acquire(exchange());
        if (!isLease(lease)) break;
        if (lease.endpoint.port === 1) lease.answered(500, undefined);
        lease.release({ kind: 'complete' });
      }
      expect(scene.used).toBe('2');
      return scene.says(1, GOOD).used;
    };
    expect([outcome(true), outcome(false)]).toEqual(['12', '2']);
  });
});

describe('a new cluster', () => {
  it('is warm when each of its hosts has been asked once, however that went', () => {
    let warm = 0;
    const scene = new Scene(3, check(), {}, () => warm++);
    expect([scene.cluster.isWarm, scene.used]).toEqual([false, '-']);
    scene.says(1, GOOD).says(2, BAD);
    expect([scene.cluster.isWarm, warm]).toEqual([false, 0]);
    scene.clock.advance(1000); // the third does not answer in time
    expect([scene.cluster.isWarm, warm, scene.used]).toEqual([true, 1, '1']);
  });

  it('stays warm when hosts come later', () => {
    const scene = new Scene(1, check()).says(1, GOOD).hosts(1, 2);
    expect([scene.cluster.isWarm, scene.used]).toEqual([true, '1']);
  });

  it('has nothing to wait for without checks, without hosts, or where nobody checks', () => {
    const plain = clusterSpec({ localities: [locality([endpoint(1)])] });
    const env = { clock: new FakeClock(), random: seeded(1) };
    expect(new ClusterState(plain, env).isWarm).toBe(true);
    expect(new Scene(0, check()).cluster.isWarm).toBe(true);
    expect(new ClusterState({ ...plain, healthCheck: check() }, env).isWarm).toBe(true);
  });

  it('that gets health checks later goes on with the hosts that it has', () => {
    const scene = new Scene(2, check(), { healthCheck: undefined });
    expect(scene.used).toBe('12');
    scene.cluster.update(clusterSpec({ healthCheck: check(), localities: [locality([endpoint(1), endpoint(2)])] }));
    expect([scene.cluster.isWarm, scene.used]).toEqual([true, '12']);
  });
});

describe('a cluster whose checks change', () => {
  it('keeps each verdict until the first answer to the other check', () => {
    const scene = new Scene(2, check());
    scene.says(1, BAD).alwaysSays(2, GOOD);
    const before = scene.used;
    scene.cluster.update(clusterSpec({ healthCheck: check(), localities: [locality([endpoint(1), endpoint(2)])] }));
    expect([before, scene.used]).toEqual(['2', '2']);
    scene.cluster.update(clusterSpec({ localities: [locality([endpoint(1), endpoint(2)])] }));
    expect(scene.used).toBe('12');
  });
});

describe('the time between checks', () => {
  const spec = {
    intervalMs: 5000,
    healthyEdgeIntervalMs: 1000,
    unhealthyIntervalMs: 9000,
    unhealthyEdgeIntervalMs: 2000,
    noTrafficIntervalMs: 30_000,
    noTrafficHealthyIntervalMs: 60_000,
  };

  it.each<[what: string, results: CheckResult[], gaps: number[]]>([
    ['healthy', [GOOD, GOOD], [5000]],
    ['on the way out', [GOOD, BROKEN, BROKEN], [5000, 2000]],
    ['out', [GOOD, BROKEN, BROKEN, BROKEN, BROKEN], [5000, 2000, 9000, 9000]],
    ['on the way back', [GOOD, BAD, GOOD, GOOD, GOOD, GOOD], [5000, 9000, 1000, 1000, 5000]],
  ])('%s', (_what, results, gaps) => {
    const scene = new Scene(2, check(spec)).alwaysSays(2, GOOD);
    scene.call();
    expect(scene.says(1, ...results).gaps(1)).toEqual(gaps);
  });

  it('is long while nobody calls the cluster', () => {
    expect(new Scene(1, check(spec)).says(1, GOOD, GOOD, BAD, BAD).gaps(1)).toEqual([60_000, 60_000, 30_000]);
    const scene = new Scene(1, check(spec)).says(1, GOOD);
    scene.call();
    expect(scene.says(1, GOOD, GOOD).gaps(1)).toEqual([60_000, 5000]);
  });

  it('is spread by the jitters', () => {
    const scene = new Scene(1, check({ intervalJitterMs: 1000, intervalJitterPercent: 10, initialJitterMs: 2000 })).says(1, GOOD);
    scene.call();
    scene.says(1, ...new Array<CheckResult>(40).fill(GOOD));
    expect(scene.asked[0]![1]).toBeGreaterThan(0);
    expect(scene.asked[0]![1]).toBeLessThan(2000);
    const [, ...gaps] = scene.gaps(1); // nobody had called it before the first
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5000);
    // An answer comes up to 500 ms late here.
    expect(Math.max(...gaps)).toBeLessThan(7000);
    expect(new Set(gaps).size).toBeGreaterThan(20);
  });
});
