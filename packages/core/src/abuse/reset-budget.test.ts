import { describe, expect, it } from 'vitest';
import { ResetBudget } from './reset-budget.ts';

function budget(suspect = false): { readonly resets: ResetBudget; readonly spent: () => number } {
  let spent = 0;
  return { resets: new ResetBudget(suspect, () => spent++), spent: () => spent };
}

const times = (count: number, run: () => void): void => {
  for (let index = 0; index < count; index++) run();
};

describe('a connection ends', () => {
  it.each([
    [100, false],
    [20, true],
  ])('with the %dth stream of a second that nobody has heard of, suspect %s', (limit, suspect) => {
    const { resets, spent } = budget(suspect);
    times(limit - 1, () => resets.onUnheard(5_000));
    expect(spent()).toBe(0);
    resets.onUnheard(5_999);
    expect(spent()).toBe(1);
  });

  it('not while they come more slowly', () => {
    const { resets, spent } = budget();
    for (let second = 0; second < 100; second++) times(99, () => resets.onUnheard(second * 1_000));
    expect(spent()).toBe(0);
  });

  it('with 250 of the first 500 streams taken back too early', () => {
    const { resets, spent } = budget();
    times(249, () => resets.onEnded(true));
    times(200, () => resets.onEnded(false));
    expect(spent()).toBe(0);
    resets.onEnded(true);
    expect(spent()).toBe(1);
  });

  it('with half of many streams taken back too early', () => {
    const { resets, spent } = budget();
    times(10_000, () => resets.onEnded(false));
    times(9_999, () => resets.onEnded(true));
    expect(spent()).toBe(0);
    resets.onEnded(true);
    expect(spent()).toBe(1);
  });

  it('once', () => {
    const { resets, spent } = budget();
    times(1_000, () => resets.onUnheard(0));
    times(1_000, () => resets.onEnded(true));
    expect(spent()).toBe(1);
  });
});
