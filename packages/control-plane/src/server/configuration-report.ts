import type { Scheduler } from '../registry/workload-registry.ts';
import type { StoreState } from '../source/object-store.ts';

/** How long after a change its findings are worked out, when there are clients that wait for the change. */
const WAIT_MS = 200;
/** While one change follows the other, at least so often. */
const MAX_WAIT_MS = 2_000;
/** Findings are worked out for so long, and then the event loop looks after everybody else. */
const SLICE_MS = 5;

/**
 * Says what there is to say about a folder. What was saved goes to the clients first: findings are worked out when nothing more is saved,
 * some at a time.
 */
export class ConfigurationReport {
  private readonly scheduler: Scheduler;
  private readonly tell: (state: StoreState) => void;
  private waiting: { cancel(): void } | undefined;
  /** Since when there is something to say. */
  private sinceMs: number | undefined;

  constructor(scheduler: Scheduler, tell: (state: StoreState) => void) {
    this.scheduler = scheduler;
    this.tell = tell;
  }

  /** `hurried`: nobody waits for the change. */
  changed(state: StoreState, hurried: boolean): void {
    const nowMs = performance.now();
    this.sinceMs ??= nowMs;
    this.after(hurried ? 0 : Math.min(WAIT_MS, Math.max(0, this.sinceMs + MAX_WAIT_MS - nowMs)), () =>
      this.workOut(state, state.workOut()),
    );
  }

  close(): void {
    this.waiting?.cancel();
  }

  private workOut(state: StoreState, steps: Iterator<unknown>): void {
    const endMs = performance.now() + SLICE_MS;
    while (performance.now() < endMs) {
      if (steps.next().done !== true) continue;
      this.waiting = undefined;
      this.sinceMs = undefined;
      this.tell(state);
      return;
    }
    this.after(0, () => this.workOut(state, steps));
  }

  private after(delayMs: number, run: () => void): void {
    this.waiting?.cancel();
    this.waiting = this.scheduler.setTimer(run, delayMs);
  }
}
