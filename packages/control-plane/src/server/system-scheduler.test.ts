import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemScheduler } from './system-scheduler.ts';

const LONGEST_MS = 2 ** 31 - 1;

describe('a timer of the control plane', () => {
  const run = vi.fn();
  beforeEach(() => {
    run.mockClear();
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  it.each([1, LONGEST_MS, LONGEST_MS + 1, 3 * LONGEST_MS])('of %d ms fires then, once', (delayMs) => {
    systemScheduler.setTimer(run, delayMs);
    vi.advanceTimersByTime(delayMs - 1);
    expect(run).toHaveBeenCalledTimes(0);
    vi.advanceTimersByTime(3 * LONGEST_MS);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('does not fire when it is cancelled, however long it has waited', () => {
    const timer = systemScheduler.setTimer(run, 3 * LONGEST_MS);
    vi.advanceTimersByTime(2 * LONGEST_MS);
    timer.cancel();
    vi.advanceTimersByTime(3 * LONGEST_MS);
    expect(run).toHaveBeenCalledTimes(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
