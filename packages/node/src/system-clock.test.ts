import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from './system-clock.ts';

const LONGEST_MS = 2 ** 31 - 1;

describe('a timer of the real clock', () => {
  const run = vi.fn();
  beforeEach(() => {
    run.mockClear();
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  it.each([1, 5, LONGEST_MS, LONGEST_MS + 1, 3 * LONGEST_MS])('of %d ms fires then, once', (delayMs) => {
    systemClock.setTimer(run, delayMs);
    vi.advanceTimersByTime(Math.max(0, delayMs - 1));
    expect(run).toHaveBeenCalledTimes(0);
    vi.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(3 * LONGEST_MS);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it.each([0, LONGEST_MS, 2 * LONGEST_MS])('of several times the longest fires no more when it is cancelled after %d ms', (afterMs) => {
    const timer = systemClock.setTimer(run, 3 * LONGEST_MS);
    vi.advanceTimersByTime(afterMs);
    timer.cancel();
    vi.advanceTimersByTime(4 * LONGEST_MS);
    expect(run).toHaveBeenCalledTimes(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
