import { describe, expect, it } from 'vitest';
import { MersenneTwister } from '../hash/mersenne-twister.ts';
import { seeded } from '../testing/fakes.ts';
import type { Host } from './balancer.ts';
import { boundedLoad } from './bounded-load.ts';

describe('the generator', () => {
  it('gives the numbers of std::mt19937: the 10,000th of seed 5489 is 4123659995', () => {
    const generator = new MersenneTwister(5489);
    const drawn = Array.from({ length: 10_000 }, () => generator.uint32());
    expect([drawn[0], drawn[9_999]]).toEqual([3_499_211_612, 4_123_659_995]);
  });
});

describe('hash_balance_factor', () => {
  type Loaded = { -readonly [K in keyof Host]: Host[K] };
  const scene = (loads: readonly number[], factor: number, shares = loads.map(() => 1 / loads.length)) => {
    const hosts = loads.map((activeRequests, index): Loaded => ({ key: `h${index}`, hashKey: `h${index}`, weight: 1, activeRequests }));
    const active = (): number => hosts.reduce((sum, host) => sum + host.activeRequests, 0);
    const hashed = { pick: (hash: bigint | undefined) => hosts[Number(hash! % BigInt(hosts.length))]! };
    const withShares = hosts.map((host, index) => ({ host, share: shares[index]! }));
    return { hosts, balancer: boundedLoad(hashed, withShares, factor, active, seeded(1)) };
  };

  it.each<[name: string, loads: readonly number[], factor: number, first: boolean]>([
    ['nobody is loaded', [0, 0, 0], 100, true],
    // 6 in flight and one more at 150 %: 11 slots, 4 for each.
    ['as much as its slots', [4, 1, 1], 150, true],
    ['more than them', [5, 1, 0], 150, false],
    ['at 300 % it is not more', [5, 1, 0], 300, true],
  ])('%s: the host of the hash = %s', (_name, loads, factor, first) => {
    const { hosts, balancer } = scene(loads, factor);
    expect(balancer.pick(0n, 0) === hosts[0]).toBe(first);
  });

  it('of hosts that all have too many the least loaded is taken', () => {
    // 30 in flight, all on tiny shares but the last, which has little to do.
    const { hosts, balancer } = scene([12, 10, 8, 0], 100, [0.01, 0.01, 0.01, 0.97]);
    expect(balancer.pick(0n, 0)).toBe(hosts[3]);
    const crowded = scene([12, 10, 8], 100, [0.01, 0.01, 0.01]);
    expect(crowded.balancer.pick(0n, 0)).toBe(crowded.hosts[2]);
  });

  it('an overflowing key goes to the same other host, other keys to others', () => {
    const { balancer } = scene([50, 0, 0, 0, 0, 0], 120);
    const chosen = (key: bigint): string => balancer.pick(key, 0).key;
    expect(new Set(Array.from({ length: 20 }, () => chosen(6n))).size).toBe(1);
    expect(new Set(Array.from({ length: 60 }, (_none, index) => chosen(BigInt(index * 6))))).toEqual(
      new Set(['h1', 'h2', 'h3', 'h4', 'h5']),
    );
  });

  it('no host gets more than the factor allows', () => {
    const { hosts, balancer } = scene([0, 0, 0, 0], 125);
    for (let count = 0; count < 400; count++) (balancer.pick(0n, 0) as Loaded).activeRequests++;
    const most = Math.max(...hosts.map(({ activeRequests }) => activeRequests));
    expect(most).toBeLessThanOrEqual(Math.ceil(Math.floor((400 * 125 + 99) / 100) / 4) + 1);
    expect(hosts[0]!.activeRequests).toBe(most);
  });
});
