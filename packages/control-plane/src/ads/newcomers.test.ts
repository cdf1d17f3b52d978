import { beforeEach, describe, expect, it } from 'vitest';
import { type Newcomer, Newcomers } from './newcomers.ts';

describe('clients in their first exchange', () => {
  let nowMs = 0;
  let newcomers: Newcomers;
  beforeEach(() => {
    nowMs = 1_000;
    newcomers = new Newcomers(() => nowMs);
  });
  const come = (count: number, isWaiting: boolean, sentBytes = 0): (Newcomer & { activeMs: number })[] =>
    Array.from({ length: count }, () => {
      const newcomer = { sinceMs: nowMs, activeMs: nowMs, sentBytes, isWaiting };
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

  it.each([
    ['nothing', 0, 8],
    ['96 KiB', 96 * 1024, 10],
    ['1.2 MiB', 1.2 * 1024 * 1024, 33.6],
  ])('have had it when they were sent %s and were silent for a while', (_what, sentBytes, silentMs) => {
    const [talker] = come(16, false, sentBytes);
    nowMs += silentMs;
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
