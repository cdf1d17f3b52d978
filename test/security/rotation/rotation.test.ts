import { expect, it } from 'vitest';
import { runRotation } from './run.ts';

it('the root and leaves are rotated under traffic without a failed request, and who kept the old root is refused', async () => {
  const figures = await runRotation({ leafRotations: 20, requests: 300, callers: 4 });
  expect(figures.failures).toEqual([]);
  expect(figures.requests).toBeGreaterThanOrEqual(300);
  expect(figures.liveRefusedAfterMs).toBeLessThan(2_000);
  expect(figures.newRefusedAfterMs).toBeLessThan(2_000);
  expect(figures.resumedRefusedAfterMs).toBeLessThan(2_000);
}, 120_000);
