import type { Clock, Timer } from '@ripstop/core';

/** A clock that moves only when told. */
export class FakeClock implements Clock {
  private time = 0;
  private timers: { readonly run: () => void; readonly at: number }[] = [];

  now(): number {
    return this.time;
  }

  wallTime(): number {
    return Date.UTC(2026, 0, 1) + this.time;
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const timer = { run, at: this.time + delayMs };
    this.timers.push(timer);
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer);
      },
    };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.timers.length;
  }

  advance(ms: number): void {
    this.time += ms;
    const due = this.timers.filter(({ at }) => at <= this.time);
    this.timers = this.timers.filter(({ at }) => at > this.time);
    for (const { run } of due) run();
  }
}
