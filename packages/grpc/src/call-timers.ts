import type { Clock, Timer } from '@ripstop/core';

/** Which of a call's timers ran out. */
export type CallTimeout =
  /** The app's own deadline. */
  | 'deadline'
  /** The route's timeout. */
  | 'global-timeout'
  | 'max-duration'
  | 'idle'
  | 'per-try-timeout'
  | 'per-try-idle-timeout'
  | 'connect-timeout';

/** The longest delay that a Node timer takes; beyond it there is no timer. */
const LONGEST_MS = 2_147_483_647;

export interface TimeoutOwner {
  onTimeout(timeout: CallTimeout): void;
}

/** The timers of one call. Most calls have one or none: a deadline. */
export class CallTimers {
  readonly #clock: Clock;
  readonly #owner: TimeoutOwner;
  readonly #running = new Map<CallTimeout, Timer>();
  #touchedAt = 0;

  constructor(clock: Clock, owner: TimeoutOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  start(timeout: CallTimeout, delayMs: number): void {
    this.stop(timeout);
    if (delayMs > LONGEST_MS) return;
    const run = (): void => {
      this.#running.delete(timeout);
      this.#owner.onTimeout(timeout);
    };
    this.#running.set(timeout, this.#clock.setTimer(run, Math.max(0, delayMs)));
  }

  /** Runs out `delayMs` after the last `touch`. */
  startIdle(timeout: CallTimeout, delayMs: number): void {
    this.touch();
    this.#armIdle(timeout, delayMs, delayMs);
  }

  /** Something was sent or received. */
  touch(): void {
    this.#touchedAt = this.#clock.now();
  }

  stop(timeout: CallTimeout): void {
    const timer = this.#running.get(timeout);
    if (timer === undefined) return;
    timer.cancel();
    this.#running.delete(timeout);
  }

  stopAll(): void {
    for (const timer of this.#running.values()) timer.cancel();
    this.#running.clear();
  }

  #armIdle(timeout: CallTimeout, idleMs: number, delayMs: number): void {
    this.stop(timeout);
    const run = (): void => {
      const leftMs = this.#touchedAt + idleMs - this.#clock.now();
      if (leftMs > 0) {
        this.#armIdle(timeout, idleMs, leftMs);
        return;
      }
      this.#running.delete(timeout);
      this.#owner.onTimeout(timeout);
    };
    this.#running.set(timeout, this.#clock.setTimer(run, delayMs));
  }
}
