import { describe, expect, it } from 'vitest';
import { isLease, type Lease } from '../cluster/cluster.ts';
import { ClusterState } from '../cluster/cluster-state.ts';
import type { ResetReason } from '../outcome.ts';
import { clusterSpec, endpoint, exchange, FakeClock, locality, outlierSpec, seeded } from '../testing/fakes.ts';
import type { OutlierSpec } from './outlier-spec.ts';
import { successRateThreshold } from './success-rate.ts';

/** A status (with a gRPC status, with what came after it), a reset before any head, or nothing that counts. */
type What = number | ResetReason | 'cancelled' | { readonly status: number; readonly grpcStatus?: number; readonly after?: ResetReason };

/** A cluster of hosts 1 … n and what happens to it. */
class Scene {
  readonly clock = new FakeClock();
  readonly cluster: ClusterState;
  private readonly count: number;

  constructor(count: number, spec: Partial<OutlierSpec>, random = seeded(1)) {
    this.count = count;
    this.cluster = new ClusterState(this.specOf(outlierSpec(spec)), { clock: this.clock, random });
  }

  specOf(
    outlier: OutlierSpec | undefined,
    ports = Array.from({ length: this.count }, (_none, index) => index + 1),
  ): Parameters<ClusterState['update']>[0] {
    return clusterSpec({ outlier, localities: [locality(ports.map((port) => endpoint(port)))] });
  }

  /** Leases of a host, taken while all others are passed over. */
  lease(port: number): Lease {
    for (;;) {
      const avoid = this.cluster.endpoints.filter((host) => host.port !== port);
      const got = this.cluster.acquire(exchange(), { avoid, maxSelectionAttempts: 100 });
      if (!isLease(got)) throw new Error(got.details);
      if (got.endpoint.port === port) return got;
      got.release({ kind: 'cancelled' });
    }
  }

  happens(port: number, ...what: What[]): this {
    // In flight together, so that an ejection in between does not stop the rest.
    const leases = what.map(() => this.lease(port));
    for (const [index, lease] of leases.entries()) end(lease, what[index]!);
    return this;
  }

  get ejected(): number[] {
    return this.cluster.endpoints.filter((host) => host.ejected).map((host) => host.port);
  }

  /** Milliseconds until the host is back, to the nearest sweep of `stepMs`. */
  outFor(port: number, stepMs: number): number {
    let waited = 0;
    for (; this.ejected.includes(port) && waited < 10_000_000; waited += stepMs) this.clock.advance(stepMs);
    return waited;
  }
}

function end(lease: Lease, what: What): void {
  const { status, grpcStatus, after } = partsOf(what);
  if (status !== undefined) lease.answered(status, grpcStatus);
  lease.release(
    after === undefined ? { kind: 'complete' } : after === 'cancelled' ? { kind: 'cancelled' } : { kind: 'reset', reason: after },
  );
}

function partsOf(what: What): { readonly status?: number; readonly grpcStatus?: number; readonly after?: ResetReason | 'cancelled' } {
  if (typeof what === 'number') return { status: what };
  return typeof what === 'string' ? { after: what } : what;
}

const times = (count: number, what: What): What[] => new Array<What>(count).fill(what);
const grpc = (grpcStatus: number): What => ({ status: 200, grpcStatus });

describe('consecutive errors', () => {
  const gateway = { consecutive5xx: 0, consecutiveGatewayFailure: 3, enforcingGatewayPercent: 100 };
  const split = { splitExternalLocalOrigin: true, consecutiveLocalOriginFailure: 2, consecutive5xx: 2 };

  it.each<[name: string, spec: Partial<OutlierSpec>, what: What[], ejected: boolean]>([
    ['five 5xx in a row', {}, times(5, 500), true],
    ['four', {}, times(4, 500), false],
    ['a success between them', {}, [...times(4, 500), 200, 500], false],
    ['4xx is a success', {}, [...times(4, 500), 404, 500], false],
    ['consecutive_5xx 0 = off', { consecutive5xx: 0 }, times(50, 500), false],
    ['enforcing 0 % = counted, not ejected', { enforcing5xxPercent: 0 }, times(50, 500), false],
    ['three gateway errors', gateway, [502, 503, 504], true],
    ['a 500 between gateway errors', gateway, [502, 503, 500, 504, 502], false],
    ['gateway errors are not enforced by default', { consecutive5xx: 0 }, times(50, 503), false],
    [
      'refused connections, timeouts and broken connections are gateway errors',
      gateway,
      ['connect-failure', 'per-try-timeout', 'connection-termination'],
      true,
    ],
    ['and 5xx', { consecutive5xx: 3 }, ['connect-timeout', 'global-timeout', 'remote-reset'], true],
    ['our own breaker says nothing about the host', { consecutive5xx: 1 }, times(9, 'overflow'), false],
    ['nor do streams that we ended', { consecutive5xx: 1 }, times(9, 'local-reset'), false],
    ['nor callers that went away', { consecutive5xx: 1 }, times(9, 'cancelled'), false],
    [
      'a body that breaks off after 200: the head was a success each time',
      { consecutive5xx: 2 },
      times(5, { status: 200, after: 'remote-reset' }),
      false,
    ],
    ['after a 500 it counts twice', { consecutive5xx: 4 }, times(2, { status: 500, after: 'remote-reset' }), true],
    ['a route timeout after the head says nothing more', { consecutive5xx: 1 }, [{ status: 200, after: 'global-timeout' }], false],
    ['split: two refused connections', split, times(2, 'connect-failure'), true],
    ['split: TLS that fails', split, times(2, 'tls-failure'), true],
    ['split: two timeouts do not add up, the connection stood', split, times(2, 'per-try-timeout'), false],
    ['split: nor two broken connections', split, times(2, 'connection-termination'), false],
    [
      'split: any response in between says that the connection stood',
      split,
      ['connect-failure', 503, 'connect-failure', 200, 'connect-failure'],
      false,
    ],
    ['split: responses are judged by themselves', split, [500, 'per-try-timeout', 500], true],
    ['split: a limit of one counts each timeout', { ...split, consecutiveLocalOriginFailure: 1 }, ['per-try-timeout'], true],
  ])('%s', (_name, spec, what, ejected) => {
    expect(new Scene(3, spec).happens(1, ...what).ejected).toEqual(ejected ? [1] : []);
  });

  it.each(Array.from({ length: 17 }, (_none, status) => status))('grpc-status %i of a trailers-only response', (status) => {
    // Measured on Envoy 1.40.
    const failures = [2, 4, 12, 13, 14, 15];
    expect(new Scene(3, { consecutive5xx: 1 }).happens(1, grpc(status)).ejected).toEqual(failures.includes(status) ? [1] : []);
  });

  it('of gRPC as gateway errors are 4 and 14', () => {
    for (const status of [2, 4, 12, 13, 14, 15]) {
      const scene = new Scene(3, { consecutive5xx: 0, consecutiveGatewayFailure: 1, enforcingGatewayPercent: 100 }).happens(
        1,
        grpc(status),
      );
      expect(scene.ejected).toEqual(status === 4 || status === 14 ? [1] : []);
    }
  });

  it('are enforced with the configured chance', () => {
    let ejected = 0;
    for (let seed = 0; seed < 400; seed++)
      ejected += new Scene(2, { consecutive5xx: 1, enforcing5xxPercent: 25 }, seeded(seed)).happens(1, 500).ejected.length;
    expect(ejected / 400).toBeCloseTo(0.25, 1);
  });
});

describe('max_ejection_percent', () => {
  it.each<[percent: number, hosts: number, ejected: number]>([
    [10, 1, 0],
    [10, 9, 0],
    [10, 10, 1],
    [10, 11, 1],
    [10, 20, 2],
    [33, 3, 0],
    [34, 3, 1],
    [50, 3, 1],
    [67, 3, 2],
    [100, 3, 3],
    [0, 3, 0],
  ])('%i %% of %i hosts: %i', (maxEjectionPercent, hosts, ejected) => {
    const scene = new Scene(hosts, { maxEjectionPercent, consecutive5xx: 1 });
    for (let port = 1; port <= hosts; port++) if (scene.ejected.length < hosts) scene.happens(port, 500);
    expect(scene.ejected).toHaveLength(ejected);
  });

  it('always_eject_one_host: one, and no more than the percentage then', () => {
    const scene = new Scene(3, { maxEjectionPercent: 10, alwaysEjectOneHost: true, consecutive5xx: 1 });
    expect(scene.happens(1, 500).happens(2, 500).ejected).toEqual([1]);
  });
});

describe('the time of an ejection', () => {
  const quick = { consecutive5xx: 1, baseEjectionMs: 500, maxEjectionMs: 2500, intervalMs: 100 };

  it('grows by the base each time, up to the longest', () => {
    const scene = new Scene(2, quick);
    const times = Array.from({ length: 7 }, () => scene.happens(1, 500).outFor(1, 100));
    expect(times).toEqual([500, 1000, 1500, 2000, 2500, 2500, 2500]);
  });

  it('shrinks by one at each sweep that finds the host well for an interval', () => {
    const scene = new Scene(2, quick);
    for (let round = 0; round < 4; round++) scene.happens(1, 500).outFor(1, 100);
    scene.clock.advance(200); // two sweeps: 4 becomes 2
    expect(scene.happens(1, 500).outFor(1, 100)).toBe(1500);
    scene.clock.advance(2000);
    expect(scene.happens(1, 500).outFor(1, 100)).toBe(500);
  });

  it('is counted in sweeps: a host comes back at the first one after its time', () => {
    const scene = new Scene(2, { ...quick, baseEjectionMs: 1050, maxEjectionMs: 300_000 });
    expect(scene.happens(1, 500).outFor(1, 100)).toBe(1100);
  });

  it('has a random part when told to', () => {
    const times = new Set<number>();
    for (let seed = 0; seed < 30; seed++)
      times.add(new Scene(2, { ...quick, maxEjectionJitterMs: 400 }, seeded(seed)).happens(1, 500).outFor(1, 100));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...times)).toBeLessThanOrEqual(1000);
    expect(times.size).toBeGreaterThan(2);
  });

  it('forgets the counters at its end', () => {
    const scene = new Scene(2, { ...quick, consecutive5xx: 3 }).happens(1, ...times(5, 500));
    scene.outFor(1, 100);
    expect(scene.happens(1, 500, 500).ejected).toEqual([]);
    expect(scene.happens(1, 500).ejected).toEqual([1]);
  });

  it('leaves no timer behind when everybody is well', () => {
    const scene = new Scene(2, quick).happens(1, 500);
    scene.clock.advance(5000);
    expect(scene.clock.pending).toBe(0);
  });
});

describe('success rate', () => {
  const spec = { consecutive5xx: 0, successRate: { enforcingPercent: 100, minimumHosts: 5, requestVolume: 100, stdevFactor: 1900 } };

  /** Five hosts, of which the first answers `failures` of 100 requests with 500. */
  function interval(scene: Scene, failures: number, volume = 100, hosts = 5): Scene {
    scene.happens(1, ...times(failures, 500), ...times(volume - failures, 200));
    for (let port = 2; port <= hosts; port++) scene.happens(port, ...times(volume, 200));
    scene.clock.advance(10_000);
    return scene;
  }

  it('has Envoy’s threshold: mean − factor · σ', () => {
    expect(successRateThreshold([50, 100, 100, 100, 100], 1900)).toBe(52);
  });

  it.each<[name: string, spec: Partial<OutlierSpec>, failures: number, volume: number, hosts: number, ejected: boolean]>([
    ['50 % among four of 100 %', spec, 50, 100, 5, true],
    ['99 volume', spec, 50, 99, 5, false],
    ['four hosts', spec, 50, 100, 4, false],
    [
      'a factor of 2: 50 is the threshold, not below it',
      { ...spec, successRate: { ...spec.successRate, stdevFactor: 2000 } },
      50,
      100,
      5,
      false,
    ],
    ['not enforced', { ...spec, successRate: { ...spec.successRate, enforcingPercent: 0 } }, 50, 100, 5, false],
    ['no minimum volume', { ...spec, successRate: { ...spec.successRate, requestVolume: 0 } }, 5, 10, 5, true],
  ])('%s', (_name, changes, failures, volume, hosts, ejected) => {
    expect(interval(new Scene(hosts, changes), failures, volume, hosts).ejected).toEqual(ejected ? [1] : []);
  });

  it('looks at one interval at a time', () => {
    const scene = new Scene(5, spec);
    for (let port = 1; port <= 5; port++) scene.happens(port, ...times(60, port === 1 ? 500 : 200));
    scene.clock.advance(10_000);
    for (let port = 1; port <= 5; port++) scene.happens(port, ...times(60, port === 1 ? 500 : 200));
    scene.clock.advance(10_000);
    expect(scene.ejected).toEqual([]);
  });

  it('ignores hosts without requests, whatever the minimum volume', () => {
    const scene = new Scene(6, { ...spec, successRate: { ...spec.successRate, requestVolume: 0 } });
    expect(interval(scene, 50).ejected).toEqual([1]);
  });

  it('of connections is judged by itself when local-origin errors are split off', () => {
    const scene = new Scene(5, { ...spec, splitExternalLocalOrigin: true, consecutiveLocalOriginFailure: 0 });
    scene.happens(1, ...times(60, 'connect-failure'), ...times(60, 200));
    for (let port = 2; port <= 5; port++) scene.happens(port, ...times(120, 200));
    scene.clock.advance(10_000);
    expect(scene.ejected).toEqual([1]);
  });
});

describe('failure percentage', () => {
  const failurePercentage = { enforcingPercent: 100, threshold: 85, minimumHosts: 5, requestVolume: 50 };
  const spec = {
    consecutive5xx: 0,
    successRate: { enforcingPercent: 0, minimumHosts: 5, requestVolume: 100, stdevFactor: 1900 },
    failurePercentage,
  };

  it.each<[name: string, changes: Partial<OutlierSpec>, failures: number, volume: number, hosts: number, ejected: boolean]>([
    ['85 % of 100 at a threshold of 85', spec, 85, 100, 5, true],
    ['84 %', spec, 84, 100, 5, false],
    ['a volume of 49', spec, 49, 49, 5, false],
    ['a volume of 50', spec, 50, 50, 5, true],
    ['four hosts', spec, 100, 100, 4, false],
    ['not enforced by default', { ...spec, failurePercentage: { ...failurePercentage, enforcingPercent: 0 } }, 100, 100, 5, false],
  ])('%s', (_name, changes, failures, volume, hosts, ejected) => {
    const scene = new Scene(hosts, changes);
    scene.happens(1, ...times(failures, 500), ...times(volume - failures, 200));
    for (let port = 2; port <= hosts; port++) scene.happens(port, ...times(volume, 200));
    scene.clock.advance(10_000);
    expect(scene.ejected).toEqual(ejected ? [1] : []);
  });

  it('counts a host that success rate has just ejected among the hosts that are judged', () => {
    const both = { ...spec, successRate: { ...spec.successRate, enforcingPercent: 100, stdevFactor: 1200 } };
    const scene = new Scene(5, both);
    scene.happens(1, ...times(100, 500));
    scene.happens(2, ...times(86, 500), ...times(14, 200));
    for (let port = 3; port <= 5; port++) scene.happens(port, ...times(100, 200));
    scene.clock.advance(10_000);
    // σ = 45.8, mean 62.8: below mean − 1.2 σ = 7.9 is only the first; the second goes by its failures, as one of five.
    expect(scene.ejected).toEqual([1, 2]);
  });
});

describe('state across changes', () => {
  it('survives a push of the same hosts, and of other thresholds', () => {
    const scene = new Scene(3, { consecutive5xx: 3 }).happens(1, ...times(3, 500)).happens(2, 500, 500);
    scene.cluster.update(scene.specOf(outlierSpec({ consecutive5xx: 3, baseEjectionMs: 60_000 })));
    expect(scene.ejected).toEqual([1]);
    expect(scene.happens(2, 500).ejected).toEqual([1, 2]);
  });

  it('ends when outlier detection is taken away', () => {
    const scene = new Scene(3, { consecutive5xx: 1 }).happens(1, 500);
    scene.cluster.update(scene.specOf(undefined));
    expect(scene.ejected).toEqual([]);
    expect(scene.clock.pending).toBe(0);
    expect(scene.happens(1, ...times(9, 500)).ejected).toEqual([]);
  });

  it('of an endpoint that leaves is gone when it returns', () => {
    const scene = new Scene(3, { consecutive5xx: 2 }).happens(1, 500, 500);
    scene.cluster.update(scene.specOf(outlierSpec({ consecutive5xx: 2 }), [2, 3]));
    scene.cluster.update(scene.specOf(outlierSpec({ consecutive5xx: 2 })));
    expect(scene.ejected).toEqual([]);
    expect(scene.happens(1, 500).ejected).toEqual([]);
  });

  it('is not disturbed by requests of an endpoint that has left', () => {
    const scene = new Scene(2, { consecutive5xx: 1, maxEjectionPercent: 50 });
    const late = scene.lease(1);
    scene.cluster.update(scene.specOf(outlierSpec({ consecutive5xx: 1, maxEjectionPercent: 50 }), [2, 3]));
    end(late, 500);
    expect(late.endpoint.ejected).toBe(false);
    expect(scene.happens(2, 500).ejected).toEqual([2]);
  });

  it('an ejected host gets no requests, and gets them again afterwards', () => {
    const scene = new Scene(2, { consecutive5xx: 5 }).happens(1, ...times(5, 500));
    const ports = (): Set<number> => {
      const picked = new Set<number>();
      for (let count = 0; count < 100; count++) {
        const got = scene.cluster.acquire(exchange());
        if (isLease(got)) {
          picked.add(got.endpoint.port);
          got.release({ kind: 'cancelled' });
        }
      }
      return picked;
    };
    expect([...ports()]).toEqual([2]);
    scene.clock.advance(30_001);
    expect([...ports()].sort()).toEqual([1, 2]);
  });
});
