import { describe, expect, it } from 'vitest';
import { clusterSpec, endpoint, exchange, FakeClock, locality, seeded } from '../testing/fakes.ts';
import { isLease, type Lease } from './cluster.ts';
import { ClusterStates } from './cluster-states.ts';
import { ClusterResources, DEFAULT_THRESHOLDS, type ThresholdsSpec } from './resources.ts';

const OK = { kind: 'complete' } as const;

function thresholds(changes: Partial<ThresholdsSpec>): ThresholdsSpec {
  return { ...DEFAULT_THRESHOLDS, ...changes };
}

function states(): ClusterStates {
  return new ClusterStates({ clock: new FakeClock(), random: seeded(1) });
}

const spec = (changes: Partial<ThresholdsSpec>) =>
  clusterSpec({ thresholds: thresholds(changes), localities: [locality([endpoint(1), endpoint(2)])] });

describe('max_requests', () => {
  it('refuses what is above it with UO, and takes more as soon as one ends', () => {
    const cluster = states()
      .adopt([spec({ maxRequests: 2 })])
      .get('reviews')!;
    const leases = [1, 2].map(() => cluster.acquire(exchange()) as Lease);
    expect(leases.every(isLease)).toBe(true);
    const refused = cluster.acquire(exchange());
    expect(refused).toMatchObject({
      status: 503,
      details: 'upstream_reset_before_response_started{overflow}',
      body: 'upstream connect error or disconnect/reset before headers. reset reason: overflow',
      headers: [['x-envoy-overloaded', 'true']],
    });
    leases[0]!.release(OK);
    expect(isLease(cluster.acquire(exchange()))).toBe(true);
  });

  it('says after a retry that it was retried', () => {
    const cluster = states()
      .adopt([spec({ maxRequests: 0 })])
      .get('reviews')!;
    const x = exchange();
    x.attempt = 2;
    expect(cluster.acquire(x)).toMatchObject({
      body: 'upstream connect error or disconnect/reset before headers. retried and the latest reset reason: overflow',
    });
  });

  it('counts a lease that is released twice once', () => {
    const cluster = states()
      .adopt([spec({ maxRequests: 5 })])
      .get('reviews')!;
    const [first, second] = [cluster.acquire(exchange()) as Lease, cluster.acquire(exchange()) as Lease];
    first.release(OK);
    first.release({ kind: 'cancelled' });
    expect(cluster.resources.requests.used).toBe(1);
    expect(cluster.endpoints.reduce((sum, { activeRequests }) => sum + activeRequests, 0)).toBe(1);
    second.release(OK);
    expect(cluster.resources.requests.used).toBe(0);
  });
});

describe('thresholds that a push changes', () => {
  it('apply to what is in flight: lower refuses until enough have ended, higher takes at once', () => {
    const all = states();
    const cluster = all.adopt([spec({ maxRequests: 3 })]).get('reviews')!;
    const leases = [1, 2, 3].map(() => cluster.acquire(exchange()) as Lease);
    expect(all.adopt([spec({ maxRequests: 1 })]).get('reviews')).toBe(cluster);
    leases[0]!.release(OK);
    leases[1]!.release(OK);
    expect(isLease(cluster.acquire(exchange()))).toBe(false);
    all.adopt([spec({ maxRequests: 2 })]);
    expect(isLease(cluster.acquire(exchange()))).toBe(true);
    expect(cluster.resources.requests).toMatchObject({ used: 2, limit: 2 });
  });

  it('change each counter’s limit and no count', () => {
    const resources = new ClusterResources(thresholds({ maxConnections: 1, maxPendingRequests: 1, maxRequests: 1, maxRetries: 1 }));
    const names = ['connections', 'pending', 'requests', 'retries'] as const;
    for (const name of names) {
      expect([resources[name].tryTake(), resources[name].tryTake()]).toEqual([true, false]);
    }
    resources.limit(thresholds({ maxConnections: 2, maxPendingRequests: 2, maxRequests: 2, maxRetries: 2 }));
    for (const name of names) {
      expect(resources[name]).toMatchObject({ used: 1, limit: 2 });
      expect([resources[name].tryTake(), resources[name].tryTake()]).toEqual([true, false]);
      resources[name].give();
      expect(resources[name].used).toBe(1);
    }
  });
});

describe('a retry budget', () => {
  it.each<[percent: number, minimum: number, requests: number, pending: number, limit: number]>([
    [20, 3, 0, 0, 3],
    [20, 3, 15, 0, 3],
    [20, 3, 20, 0, 4],
    [20, 3, 24, 0, 4],
    [20, 3, 20, 5, 5],
    [100, 0, 7, 0, 7],
    [0, 0, 100, 0, 0],
    [12.5, 0, 16, 0, 2],
  ])('of %f %% and at least %i, with %i requests and %i pending, is %i', (percent, minimumConcurrency, requests, pending, limit) => {
    const resources = new ClusterResources(thresholds({ maxRetries: 1, retryBudget: { percent, minimumConcurrency } }));
    for (let count = 0; count < requests; count++) resources.requests.tryTake();
    for (let count = 0; count < pending; count++) resources.pending.tryTake();
    let taken = 0;
    while (resources.retries.tryTake()) taken++;
    expect([taken, resources.retries.limit]).toEqual([limit, limit]);
  });

  it('comes and goes with a push', () => {
    const resources = new ClusterResources(thresholds({ maxRetries: 1 }));
    expect(resources.retries.limit).toBe(1);
    resources.limit(thresholds({ maxRetries: 1, retryBudget: { percent: 20, minimumConcurrency: 3 } }));
    expect(resources.retries.limit).toBe(3);
    resources.limit(thresholds({ maxRetries: 1 }));
    expect(resources.retries.limit).toBe(1);
  });
});

describe('drop_overloads of EDS', () => {
  it('drops its share of requests, not of attempts', () => {
    const cluster = states()
      .adopt([{ ...spec({}), dropOverloadPercent: 30 }])
      .get('reviews')!;
    let dropped = 0;
    for (let count = 0; count < 2000; count++) {
      const got = cluster.acquire(exchange());
      if (isLease(got)) got.release(OK);
      else {
        dropped++;
        expect(got).toMatchObject({
          status: 503,
          details: 'drop_overload',
          body: 'drop overload',
          headers: [['x-envoy-drop-overload', 'true']],
        });
      }
      const retry = exchange();
      retry.attempt = 2;
      const again = cluster.acquire(retry);
      expect(isLease(again)).toBe(true);
      if (isLease(again)) again.release(OK);
    }
    expect(dropped / 2000).toBeCloseTo(0.3, 1);
  });

  it('drops everything at 100 %', () => {
    const cluster = states()
      .adopt([{ ...spec({}), dropOverloadPercent: 100 }])
      .get('reviews')!;
    expect(cluster.acquire(exchange())).toMatchObject({
      status: 503,
      details: 'unconditional_drop_overload',
      body: 'unconditional drop overload',
      headers: [['x-envoy-unconditional-drop-overload', 'true']],
    });
  });
});

describe('routing priority HIGH', () => {
  it('has breakers of its own', () => {
    const cluster = states()
      .adopt([{ ...spec({ maxRequests: 1 }), highThresholds: thresholds({ maxRequests: 2, maxRetries: 7 }) }])
      .get('reviews')!;
    const high = exchange();
    high.route = { action: { kind: 'forward', highPriority: true } } as never;
    const got = [exchange(), exchange(), high, high, high].map((x) => isLease(cluster.acquire(x)));
    expect(got).toEqual([true, false, true, true, false]);
    expect([cluster.resources.requests.used, cluster.highPriority.requests.used, cluster.highPriority.retries.limit]).toEqual([1, 2, 7]);
  });
});
