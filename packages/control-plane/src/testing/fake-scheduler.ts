import type { Scheduler } from '../registry/workload-registry.ts';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A scheduler whose time passes when a test says so. */
export class FakeScheduler implements Scheduler {
  private nowMs = 0;
  private readonly timers = new Set<Timer>();

  setTimer(run: () => void, delayMs: number): { cancel(): void } {
    const timer: Timer = { atMs: this.nowMs + delayMs, run };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.timers.size;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    for (const timer of [...this.timers].sort((a, b) => a.atMs - b.atMs)) {
      if (timer.atMs > this.nowMs || !this.timers.delete(timer)) continue;
      timer.run();
    }
  }
}
