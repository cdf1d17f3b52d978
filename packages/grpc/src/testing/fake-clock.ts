import type { Clock, Timer } from '@ripstop/core';

/** A clock that stands until it is advanced. */
export class FakeClock implements Clock {
  #time = 0;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  now(): number {
    return this.#time;
  }

  wallTime(): number {
    return Date.now();
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const timer = { at: this.#time + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  advance(ms: number): void {
    this.#time += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#time);
    this.#timers = this.#timers.filter(({ at }) => at > this.#time);
    for (const { run } of due) run();
  }
}
