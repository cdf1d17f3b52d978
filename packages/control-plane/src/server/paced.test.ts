import { afterEach, expect, it, vi } from 'vitest';
import { Paced } from './paced.ts';

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** How many items each round of the event loop acts on; `costMs` of each comes after it, in another phase of the loop. */
async function roundsOf(count: number, costMs: number): Promise<{ readonly rounds: readonly number[]; readonly items: readonly number[] }> {
  let nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  const rounds: number[] = [];
  const items: number[] = [];
  const done = Promise.withResolvers<void>();
  let round = 0;
  const paced = new Paced<number>((item) => {
    items.push(item);
    if (round === 0) {
      rounds.push(0);
      // After everything that this round acts on.
      queueMicrotask(() => {
        nowMs += round * costMs;
        round = 0;
      });
    }
    round++;
    rounds[rounds.length - 1]!++;
    if (items.length === count) done.resolve();
  });
  for (let item = 0; item < count; item++) paced.add(item);
  await done.promise;
  return { rounds, items };
}

it('items take their turns in order, more of them while rounds are short, up to eight', async () => {
  const { rounds, items } = await roundsOf(40, 0.5);
  expect(rounds).toEqual([4, 8, 8, 8, 8, 4]);
  expect(items).toEqual(Array.from({ length: 40 }, (_, item) => item));
});

it('where each item costs much, fewer take their turn at once, and never fewer than two', async () => {
  const { rounds } = await roundsOf(20, 5);
  expect(rounds.slice(0, 3)).toEqual([4, 2, 4]);
  expect((await roundsOf(9, 50)).rounds).toEqual([4, 2, 2, 1]);
});

it('what comes when all is done has its turn as well', async () => {
  const seen: string[] = [];
  const paced = new Paced<string>((item) => seen.push(item));
  paced.add('first');
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(['first']);
  paced.add('second');
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(['first', 'second']);
});

it('while there is no room items wait, but for two every 50 ms or so, and all have their turn soon after there is', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] });
  const seen: number[] = [];
  let hasRoom = false;
  const paced = new Paced<number>(
    (item) => seen.push(item),
    () => hasRoom,
  );
  for (let item = 0; item < 20; item++) paced.add(item);
  vi.advanceTimersByTime(49);
  expect(seen).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(seen).toEqual([0, 1]);
  vi.advanceTimersByTime(120);
  expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  hasRoom = true;
  vi.advanceTimersByTime(10);
  expect(seen).toEqual(Array.from({ length: 20 }, (_, item) => item));
});
