import { describe, expect, it } from 'vitest';
import { loadWithoutTried } from './previous-priorities.ts';
import { availability, type PriorityHosts, priorityLoad } from './priority-load.ts';

/** Hosts in hundreds: `71` = 71 of 100 healthy, `[20, 10]` = 20 healthy, 10 degraded. */
function levels(...shares: (number | [number, number])[]): PriorityHosts[] {
  return shares.map((share) => {
    const [healthy, degraded] = typeof share === 'number' ? [share, 0] : share;
    return { total: 100, healthy, degraded };
  });
}

describe('load over priorities', () => {
  it.each<[healthy: number[], load: number[]]>([
    [
      [100, 100],
      [100, 0],
    ],
    [
      [72, 72],
      [100, 0],
    ],
    [
      [71, 71],
      [99, 1],
    ],
    [
      [50, 50],
      [70, 30],
    ],
    [
      [50, 100],
      [70, 30],
    ],
    [
      [25, 100],
      [35, 65],
    ],
    [
      [75, 100],
      [100, 0],
    ],
    [
      [25, 25],
      [50, 50],
    ],
    [
      [25, 25, 20],
      [37, 35, 28], // measured on Envoy 1.40; its documentation rounds
    ],
    [
      [0, 100],
      [0, 100],
    ],
    [
      [0, 0, 100],
      [0, 0, 100],
    ],
    [
      [0, 10],
      [0, 100],
    ],
  ])('of health %j is %j without panic', (healthy, load) => {
    const found = priorityLoad(levels(...healthy), 0);
    expect(found.healthy).toEqual(load);
    expect(found.panic).not.toContain(true);
  });

  it.each<[name: string, hosts: PriorityHosts[], threshold: number, load: number[], panic: boolean[]]>([
    ['one level below the threshold while the others suffice', levels(20, 100), 50, [28, 72], [false, false]],
    ['5 % and 65 % (measured on Envoy 1.40)', levels(5, 65), 50, [8, 92], [true, false]],
    ['everything below: by host count', levels(25, 25), 50, [50, 50], [true, true]],
    [
      'nobody healthy: by host count',
      [
        { total: 2, healthy: 0, degraded: 0 },
        { total: 6, healthy: 0, degraded: 0 },
      ],
      50,
      [25, 75],
      [true, true],
    ],
    [
      'by host count in whole percent, the rest to the first',
      [1, 1, 1].map((total) => ({ total, healthy: 0, degraded: 0 })),
      50,
      [34, 33, 33],
      [true, true, true],
    ],
    [
      '0/4 and 1/4, total below 100',
      [
        { total: 4, healthy: 0, degraded: 0 },
        { total: 4, healthy: 1, degraded: 0 },
      ],
      50,
      [50, 50],
      [true, true],
    ],
    ['an empty level is in panic, and others decide', [{ total: 0, healthy: 0, degraded: 0 }, ...levels(60)], 50, [0, 100], [true, false]],
    ['no hosts at all', [{ total: 0, healthy: 0, degraded: 0 }], 50, [100], [true]],
    ['the threshold is a whole percent', levels(10, 10), 10.9, [50, 50], [false, false]],
  ])('in panic: %s', (_name, hosts, threshold, load, panic) => {
    const found = priorityLoad(hosts, threshold);
    expect(found.healthy).toEqual(load);
    expect(found.panic).toEqual(panic);
  });

  it.each<[levels: [number, number][], healthy: number[], degraded: number[]]>([
    [[[25, 25]], [50], [50]], // measured on Envoy 1.40: 1009 and 991 of 2000
    [
      [
        [25, 25],
        [100, 0],
      ],
      [35, 65],
      [0, 0],
    ], // healthy hosts of any priority come before degraded ones
    [
      [
        [10, 20],
        [20, 10],
        [10, 0],
      ],
      [16, 28, 14],
      [28, 14, 0],
    ], // Envoy's own comment
    [[[0, 50]], [0], [100]],
    [[[60, 40]], [84], [16]],
  ])('of healthy and degraded hosts %j', (shares, healthy, degraded) => {
    const factor = shares.length === 3 ? 100 : undefined;
    expect(priorityLoad(levels(...shares), 0, factor)).toMatchObject({ healthy, degraded });
  });

  it('is all at the first priority when nobody can be reached and panic is off', () => {
    expect(priorityLoad(levels(0, 0), 0)).toEqual({ healthy: [100, 0], degraded: [0, 0], panic: [false, false] });
  });

  it('always adds up to 100', () => {
    for (let first = 0; first <= 100; first += 3)
      for (let second = 0; second <= 100; second += 7)
        for (const threshold of [0, 50]) {
          const { healthy, degraded } = priorityLoad(levels(first, [second, 100 - second], 10), threshold);
          expect([...healthy, ...degraded].reduce((sum, share) => sum + share, 0)).toBe(100);
        }
  });
});

describe('priorities that a retry tried', () => {
  const load = (hosts: PriorityHosts[], tried: number[], frequency: number): readonly number[] => {
    const found = priorityLoad(hosts, 0);
    return loadWithoutTried(found, availability(hosts, 140), tried, frequency).healthy;
  };

  it.each<[tried: number[], frequency: number, load: number[]]>([
    [[], 2, [100, 0, 0]],
    [[0], 2, [100, 0, 0]],
    [[0, 0], 2, [0, 100, 0]],
    [[0, 0, 1], 2, [0, 100, 0]],
    [[0, 0, 1, 1], 2, [0, 0, 100]],
    [[0, 0, 1, 1, 2, 2], 2, [100, 0, 0]], // all tried: they start over
    [[0], 1, [0, 100, 0]],
    [[0, 1, 2, 0], 1, [0, 100, 0]],
  ])('%j with update frequency %i carry nothing', (tried, frequency, expected) => {
    expect(load(levels(100, 100, 100), tried, frequency)).toEqual(expected);
  });

  it('keep their load when nobody else is there', () => {
    expect(load(levels(100), [0, 0], 2)).toEqual([100]);
    expect(load(levels(100, 0), [0, 0], 2)).toEqual([100, 0]);
  });
});
