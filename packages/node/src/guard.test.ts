import { describe, expect, it } from 'vitest';
import { guard } from './guard.ts';

describe('guard', () => {
  it('opens after failures, answers by the fallback without calling, and tells it the error', async () => {
    let calls = 0;
    const seen: string[] = [];
    const guarded = guard(
      async (id: number) => {
        calls++;
        if (id >= 0) throw new Error(`down ${id}`);
        return 'live';
      },
      {
        volumeThreshold: 2,
        resetTimeoutMs: 60_000,
        fallback: (id, error) => {
          seen.push(error.message);
          return `cached ${id}`;
        },
      },
    );
    expect(await guarded(1)).toBe('cached 1');
    expect(await guarded(2)).toBe('cached 2');
    const before = calls;
    expect(await guarded(3)).toBe('cached 3');
    expect(calls).toBe(before);
    expect(seen[0]).toBe('down 1');
    expect(guarded.breaker.opened).toBe(true);
    guarded.breaker.shutdown();
  });
});
