import { describe, expect, it } from 'vitest';
import { FakeClock, seeded } from '../testing/fakes.ts';
import type { Balancer, Host } from './balancer.ts';
import { EdfScheduler } from './edf.ts';
import { leastRequest } from './least-request.ts';
import { maglev, ringHash } from './ring-hash.ts';
import { randomBalancer, roundRobin } from './round-robin.ts';
import { slowStart } from './slow-start.ts';

interface TestHost extends Host {
  readonly key: string;
  weight: number;
  activeRequests: number;
  addedAt: number;
}

function hosts(...weights: number[]): TestHost[] {
  return weights.map((weight, index) => {
    const key = String(index + 1);
    return { key, hashKey: key, weight, activeRequests: 0, addedAt: Number.NEGATIVE_INFINITY };
  });
}

function picks(balancer: Balancer<TestHost>, count: number): string[] {
  return Array.from({ length: count }, () => balancer.pick(undefined, 0).key);
}

function counts(keys: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const key of keys) found[key] = (found[key] ?? 0) + 1;
  return found;
}

describe('round robin', () => {
  it('goes round from a random start when weights are equal', () => {
    expect(
      picks(
        roundRobin(hosts(1, 1, 1), () => 0.4),
        7,
      ).join(''),
    ).toBe('2312312');
    expect(
      picks(
        roundRobin(hosts(5, 5, 5), () => 0),
        4,
      ).join(''),
    ).toBe('1231');
  });

  it('repeats Envoy’s order 2,3,1,2,3,3 for the weights 1, 2, 3, wherever it begins', () => {
    const cycle = '231233'.repeat(3);
    for (const start of [0, 0.1, 0.37, 0.5, 0.93]) {
      const order = picks(
        roundRobin(hosts(1, 2, 3), () => start),
        6,
      ).join('');
      expect(cycle).toContain(order);
    }
  });

  it('gives each host exactly its share over whole rounds', () => {
    expect(counts(picks(roundRobin(hosts(1, 9, 90), seeded(1)), 1000))).toEqual({ 1: 10, 2: 90, 3: 900 });
  });

  it('does not begin with the same host in every process', () => {
    const first = new Set(Array.from({ length: 50 }, (_none, seed) => roundRobin(hosts(1, 2, 3), seeded(seed)).pick(undefined, 0).key));
    expect([...first].sort()).toEqual(['1', '2', '3']);
  });
});

describe('the EDF scheduler', () => {
  it('begun after n picks goes on as if it had made them', () => {
    const weights = [3, 1, 7, 2];
    for (const headStart of [1, 5, 13, 26, 1000]) {
      const fresh = new EdfScheduler([0, 1, 2, 3], (index) => weights[index]!);
      const total: Record<number, number> = {};
      for (let made = 0; made < headStart + 26; made++) {
        const item = fresh.next();
        if (made >= headStart) total[item] = (total[item] ?? 0) + 1;
      }
      const late = new EdfScheduler([0, 1, 2, 3], (index) => weights[index]!, headStart);
      const lateTotal: Record<number, number> = {};
      for (let made = 0; made < 26; made++) {
        const item = late.next();
        lateTotal[item] = (lateTotal[item] ?? 0) + 1;
      }
      expect(lateTotal).toEqual(total);
    }
  });
});

describe('least request', () => {
  it('takes the idler of two drawn hosts, the first on a tie', () => {
    const pair = hosts(1, 1);
    pair[0]!.activeRequests = 3;
    const draws = [0, 0.9, 0.9, 0, 0, 0];
    const balancer = leastRequest(pair, { choiceCount: 2 }, () => draws.shift()!);
    expect(picks(balancer, 3)).toEqual(['2', '2', '1']); // the last draw is twice the busy one: drawn with replacement
    pair[0]!.activeRequests = 0;
    const tie = leastRequest(pair, { choiceCount: 2 }, () => tieDraws.shift()!);
    const tieDraws = [0.9, 0];
    expect(tie.pick(undefined, 0).key).toBe('2');
  });

  it('sends a busy host of ten about 1 % of the requests', () => {
    const ten = hosts(...new Array<number>(10).fill(1));
    ten[4]!.activeRequests = 100;
    const found = counts(picks(leastRequest(ten, { choiceCount: 2 }, seeded(7)), 20_000));
    expect(found['5']! / 20_000).toBeCloseTo(0.01, 2);
  });

  it('weighs by weight / (active + 1)^bias when weights differ', () => {
    const table: [bias: number | undefined, active: number, share: number][] = [
      [undefined, 0, 2 / 3], // 2 : 1
      [undefined, 1, 0.5], // 2/2 : 1
      [undefined, 3, 1 / 3], // 2/4 : 1
      [0, 3, 2 / 3],
      [2, 1, 1 / 3], // 2/4 : 1
    ];
    for (const [activeRequestBias, active, share] of table) {
      const pair = hosts(2, 1);
      pair[0]!.activeRequests = active;
      const found = counts(picks(leastRequest(pair, { choiceCount: 2, activeRequestBias }, seeded(3)), 6000));
      expect(found['1']! / 6000).toBeCloseTo(share, 2);
    }
  });

  it('looks at every host when told to, and draws among the idlest', () => {
    const five = hosts(1, 1, 1, 1, 1);
    for (const index of [0, 1, 3]) five[index]!.activeRequests = 1;
    const found = counts(picks(leastRequest(five, { choiceCount: 2, fullScan: true }, seeded(5)), 2000));
    expect(Object.keys(found)).toEqual(['3', '5']);
    expect(found['3']! / 2000).toBeCloseTo(0.5, 1);
  });
});

describe('random', () => {
  it('is uniform and asks no weights', () => {
    const found = counts(picks(randomBalancer(hosts(1, 100, 1), seeded(11)), 9000));
    for (const key of ['1', '2', '3']) expect(found[key]! / 9000).toBeCloseTo(1 / 3, 1);
  });
});

describe('slow start', () => {
  const spec = { windowMs: 10_000, aggression: 1, minimumShare: 0.1 };

  it('lets a new host have max(minimum, age / window)^(1 / aggression) of its weight', () => {
    const rows: [age: number, aggression: number, factor: number][] = [
      [0, 1, 0.1],
      [500, 1, 0.1],
      [2500, 1, 0.25],
      [9999, 1, 0.9999],
      [10_000, 1, 1],
      [2500, 2, 0.5],
      [5000, 0.5, 0.25],
    ];
    for (const [age, aggression, factor] of rows) {
      const clock = new FakeClock();
      const warmup = slowStart<TestHost>({ ...spec, aggression }, clock);
      const [host] = hosts(1);
      host!.addedAt = 0;
      clock.advance(age);
      expect(warmup.factorOf(host!)).toBeCloseTo(factor, 6);
    }
  });

  it('shows in the picks of round robin and least request while the host is new, and no longer after', () => {
    for (const make of [
      roundRobin,
      (all: TestHost[], random: () => number, warmup: never) => leastRequest(all, { choiceCount: 2 }, random, warmup),
    ]) {
      const clock = new FakeClock();
      const pair = hosts(1, 1);
      pair[1]!.addedAt = 0;
      clock.advance(2500);
      const balancer = make(pair, seeded(2), slowStart<TestHost>(spec, clock) as never);
      expect(counts(picks(balancer, 1000))['2']! / 1000).toBeCloseTo(0.2, 2); // 0.25 : 1
      clock.advance(10_000);
      expect(counts(picks(balancer, 1000))['2']! / 1000).toBeCloseTo(0.5, 2);
    }
  });
});

describe('hashed balancers', () => {
  const three = hosts(1, 1, 1).map((host) => ({ host, share: 1 / 3 }));
  const ring = ringHash(three, { minimumRingSize: 1024, maximumRingSize: 8_388_608 }, seeded(1));
  const table = maglev(three, 65_537, seeded(1));

  it('send a request without a hash anywhere', () => {
    for (const balancer of [ring, table]) expect(Object.keys(counts(picks(balancer, 200)))).toHaveLength(3);
  });

  it('move few keys when a host is added', () => {
    const four = hosts(1, 1, 1, 1).map((host) => ({ host, share: 1 / 4 }));
    for (const [before, after, most] of [
      [ring, ringHash(four, { minimumRingSize: 1024, maximumRingSize: 8_388_608 }, seeded(1)), 0.33],
      [table, maglev(four, 65_537, seeded(1)), 0.33],
    ] as const) {
      let moved = 0;
      for (let key = 0n; key < 2000n; key++) {
        const hash = (key * 0x9e3779b97f4a7c15n) & ((1n << 64n) - 1n);
        if (before.pick(hash, 0).key !== after.pick(hash, 0).key) moved++;
      }
      expect(moved / 2000).toBeGreaterThan(0.2);
      expect(moved / 2000).toBeLessThan(most);
    }
  });

  it('fill Envoy’s own Maglev example (M = 7)', () => {
    const keys = ['90', '91', '92', '93', '94', '95'].map((port) => `127.0.0.1:${port}`);
    const six = keys.map((key) => ({ host: { key, hashKey: key, weight: 1, activeRequests: 0 }, share: 1 / 6 }));
    const small = maglev(six, 7, seeded(1));
    expect([0n, 1n, 2n, 3n, 4n, 5n, 6n].map((slot) => small.pick(slot, 0).key.slice(-1)).join('')).toBe('2401503');
  });
});
