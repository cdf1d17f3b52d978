import type { Clock, Timer } from '@ripstop/core';

/**
 * When resources run out that the server gave a time to live (xDS `Resource.ttl`): it must say within that time that they still hold.
 * One timer for all of them, at the first that runs out.
 */
export class ResourceLifetimes {
  private readonly clock: Clock;
  private readonly onExpired: (typeUrl: string, names: readonly string[]) => void;
  /** `Clock.now()` at which each runs out, by type and name. */
  private readonly ends = new Map<string, Map<string, number>>();
  private timer: { readonly atMs: number; readonly timer: Timer } | undefined;

  constructor(clock: Clock, onExpired: (typeUrl: string, names: readonly string[]) => void) {
    this.clock = clock;
    this.onExpired = onExpired;
  }

  /** From now on it lasts so long; undefined: for ever. */
  set(typeUrl: string, name: string, ttlMs: number | undefined): void {
    let ends = this.ends.get(typeUrl);
    if (ttlMs === undefined) {
      ends?.delete(name);
      return;
    }
    if (ends === undefined) {
      ends = new Map();
      this.ends.set(typeUrl, ends);
    }
    const atMs = this.clock.now() + ttlMs;
    ends.set(name, atMs);
    if (this.timer === undefined || atMs < this.timer.atMs) this.wakeAt(atMs);
  }

  close(): void {
    this.timer?.timer.cancel();
    this.timer = undefined;
    this.ends.clear();
  }

  private wakeAt(atMs: number): void {
    this.timer?.timer.cancel();
    this.timer = { atMs, timer: this.clock.setTimer(() => this.wake(), Math.max(0, atMs - this.clock.now())) };
  }

  /** Most of the time what it was set for has been confirmed since. */
  private wake(): void {
    this.timer = undefined;
    const nowMs = this.clock.now();
    const expired: [string, string[]][] = [];
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [typeUrl, ends] of this.ends) {
      const names = [...ends].filter(([, atMs]) => atMs <= nowMs).map(([name]) => name);
      for (const name of names) ends.delete(name);
      for (const atMs of ends.values()) if (atMs < nextMs) nextMs = atMs;
      if (names.length > 0) expired.push([typeUrl, names]);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.wakeAt(nextMs);
    for (const [typeUrl, names] of expired) this.onExpired(typeUrl, names);
  }
}
