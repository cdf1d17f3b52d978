import type { Clock } from '../ports.ts';
import { Deadline, type DeadlineQueues } from './deadline-queue.ts';

/** Runs when nothing has happened for a while. Touching only notes the time; the timer looks when it fires. */
export class IdleDeadline extends Deadline {
  readonly #queues: DeadlineQueues;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #run: () => void;
  #touchedAt: number;

  constructor(queues: DeadlineQueues, clock: Clock, idleMs: number, run: () => void) {
    super();
    this.#queues = queues;
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#run = run;
    this.#touchedAt = clock.now();
    queues.start(this, idleMs, this.#touchedAt);
  }

  touch(): void {
    this.#touchedAt = this.#clock.now();
  }

  stop(): void {
    this.#queues.cancel(this);
  }

  onDue(): void {
    const now = this.#clock.now();
    const leftMs = this.#touchedAt + this.#idleMs - now;
    if (leftMs <= 0) this.#run();
    else this.#queues.start(this, leftMs, now);
  }
}
