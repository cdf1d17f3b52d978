import { beforeEach, describe, expect, it } from 'vitest';
import { Newcomers } from './newcomers.ts';

describe('clients in their first exchange', () => {
  let nowMs = 0;
  let newcomers: Newcomers;
  beforeEach(() => {
    nowMs = 1_000;
    newcomers = new Newcomers(() => nowMs);
  });
  const come = (count: number, isWaiting: boolean): { sinceMs: number; activeMs: number; isWaiting: boolean }[] =>
    Array.from({ length: count }, () => {
      const newcomer = { sinceMs: nowMs, activeMs: nowMs, isWaiting };
      newcomers.add(newcomer);
      return newcomer;
    });

  it('are sixteen at a time', () => {
    come(15, true);
    expect(newcomers.haveRoom).toBe(true);
    const [last] = come(1, true);
    expect(newcomers.haveRoom).toBe(false);
    newcomers.delete(last!);
    expect(newcomers.haveRoom).toBe(true);
  });

  it('have had it when they were silent for 30 ms', () => {
    const [talker] = come(16, false);
    nowMs += 30;
    expect(newcomers.haveRoom).toBe(false);
    talker!.activeMs = nowMs;
    nowMs += 1;
    expect(newcomers.haveRoom).toBe(true);
    come(15, false);
    expect(newcomers.haveRoom, 'the talker is still one').toBe(false);
  });

  it('wait for us however silent, but for no more than a second', () => {
    come(16, true);
    nowMs += 1_000;
    expect(newcomers.haveRoom).toBe(false);
    nowMs += 1;
    expect(newcomers.haveRoom).toBe(true);
  });
});
