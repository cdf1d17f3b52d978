import type { Clock } from '../ports.ts';

/** Something that is told when its time is up. Links are kept inside, so that starting and cancelling allocate nothing. */
export abstract class Deadline {
  dueAt = 0;
  /** @internal */ queue: DeadlineQueue | undefined = undefined;
  /** @internal */ previous: Deadline | undefined = undefined;
  /** @internal */ following: Deadline | undefined = undefined;

  abstract onDue(): void;
}

const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Timers for many requests with few different durations. Each duration has one list in order of time and one clock timer for
 * its head, so that starting and cancelling are a few assignments (a `setTimeout` with its `clearTimeout` costs 300-400 ns).
 * Deadlines are never early and late only as the clock's own timers are.
 */
export class DeadlineQueues {
  readonly #clock: Clock;
  readonly #byDuration = new Map<number, DeadlineQueue>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts a deadline `delayMs` after `now`. It must not be running. */
  start(deadline: Deadline, delayMs: number, now: number): void {
    const duration = Math.max(0, Math.ceil(delayMs));
    let queue = this.#byDuration.get(duration);
    if (queue === undefined) {
      queue = new DeadlineQueue(this.#clock, duration, this.#byDuration);
      this.#byDuration.set(duration, queue);
    }
    queue.append(deadline, now + duration);
  }

  /** Stops a deadline; harmless when it isn't running. */
  cancel(deadline: Deadline): void {
    deadline.queue?.remove(deadline);
  }
}

class DeadlineQueue {
  readonly #clock: Clock;
  readonly #duration: number;
  readonly #owner: Map<number, DeadlineQueue>;
  #head: Deadline | undefined;
  #tail: Deadline | undefined;
  #armed = false;
  readonly #fire: () => void;

  constructor(clock: Clock, duration: number, owner: Map<number, DeadlineQueue>) {
    this.#clock = clock;
    this.#duration = duration;
    this.#owner = owner;
    this.#fire = () => this.#expire();
  }

  append(deadline: Deadline, dueAt: number): void {
    deadline.dueAt = dueAt;
    deadline.queue = this;
    deadline.previous = this.#tail;
    deadline.following = undefined;
    if (this.#tail === undefined) this.#head = deadline;
    else this.#tail.following = deadline;
    this.#tail = deadline;
    if (!this.#armed) this.#arm(this.#duration);
  }

  remove(deadline: Deadline): void {
    const { previous, following } = deadline;
    if (previous === undefined) this.#head = following;
    else previous.following = following;
    if (following === undefined) this.#tail = previous;
    else following.previous = previous;
    deadline.queue = undefined;
    deadline.previous = undefined;
    deadline.following = undefined;
  }

  #arm(delayMs: number): void {
    this.#armed = true;
    // Beyond it Node's timers run at once; the queue looks at the time and waits on.
    this.#clock.setTimer(this.#fire, Math.min(delayMs, LONGEST_TIMER_MS));
  }

  #expire(): void {
    this.#armed = false;
    const now = this.#clock.now();
    while (this.#head !== undefined && this.#head.dueAt <= now) {
      const due = this.#head;
      this.remove(due);
      due.onDue();
    }
    if (this.#armed) return;
    if (this.#head !== undefined) this.#arm(Math.max(1, Math.ceil(this.#head.dueAt - now)));
    else if (this.#owner.get(this.#duration) === this) this.#owner.delete(this.#duration);
  }
}
