import { describe, expect, it } from 'vitest';
import { createRequestId } from './request-id.ts';

describe('request ids', () => {
  it('are UUIDs of version 4, also across batches', () => {
    for (let made = 0; made < 100; made++)
      expect(createRequestId()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('never come twice', () => {
    expect(new Set(Array.from({ length: 5_000 }, createRequestId)).size).toBe(5_000);
  });

  it('take every hexadecimal digit at every free place', () => {
    const seen = Array.from({ length: 36 }, () => new Set<string>());
    for (let made = 0; made < 2_000; made++) for (const [at, char] of [...createRequestId()].entries()) seen[at]!.add(char);
    expect(seen.map((digits) => digits.size)).toEqual(
      [...'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'].map((kind) => (kind === 'x' ? 16 : kind === 'y' ? 4 : 1)),
    );
  });
});
