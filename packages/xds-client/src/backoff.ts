import type { Random } from '@ripstop/core';

const BASE_MS = 500;
const MAX_MS = 30_000;

/** Envoy's reconnect back-off: base 500 ms, at most 30 s, full jitter. */
export class Backoff {
  private failures = 0;
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  reset(): void {
    this.failures = 0;
  }

  nextMs(): number {
    const ceiling = Math.min(BASE_MS * 2 ** this.failures++, MAX_MS);
    return this.random() * ceiling;
  }
}
