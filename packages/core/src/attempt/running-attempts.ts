import type { AttemptOutcome } from '../outcome.ts';
import type { LiveAttempt } from './attempt-driver.ts';
import { Deadline } from './deadline-queue.ts';

/**
 * The attempts of one exchange. One is the newest, and only that one is tried again. Where the route hedges, attempts that took longer
 * than the per-try timeout go on beside it. (A base class: every request has one, and it must not cost another object.)
 */
export abstract class RunningAttempts extends Deadline {
  /** The newest, or the one whose response the app gets. */
  attempt: LiveAttempt | undefined = undefined;
  /** Attempts that were hedged and still run; never empty. */
  protected late: readonly LiveAttempt[] | undefined = undefined;

  /** Ends every attempt that runs. */
  drop(outcome: AttemptOutcome): void {
    const { attempt, late } = this;
    this.attempt = undefined;
    this.late = undefined;
    if (attempt !== undefined) end(attempt, outcome);
    if (late !== undefined) for (const other of late) end(other, outcome);
  }

  /** The newest goes on beside the next one. */
  protected keepBeside(attempt: LiveAttempt): void {
    this.late = [...(this.late ?? []), attempt];
  }

  protected runsBeside(attempt: LiveAttempt): boolean {
    if (this.attempt !== undefined && this.attempt !== attempt) return true;
    return this.late?.some((other) => other !== attempt) ?? false;
  }

  /** It is over, or not waited for any more. True when it was the newest. */
  protected forget(attempt: LiveAttempt): boolean {
    if (this.attempt === attempt) {
      this.attempt = undefined;
      return true;
    }
    const left = this.late?.filter((other) => other !== attempt) ?? [];
    this.late = left.length === 0 ? undefined : left;
    return false;
  }
}

function end(attempt: LiveAttempt, outcome: AttemptOutcome): void {
  attempt.lease.release(outcome);
  attempt.reset();
}
