import type { Scheduler } from '../registry/workload-registry.ts';

/** Waits for what a client says, one wait at a time. A client that never answers must not hold up the rest. */
export class AnswerWait {
  private readonly scheduler: Scheduler;
  private waiting: (() => void) | undefined;
  private closed = false;

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler;
  }

  /** Resolves when it is done, when the time is over, or at the end of the stream. */
  until(done: () => boolean, timeoutMs: number): Promise<void> {
    if (done()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.cancel();
        this.waiting = undefined;
        resolve();
      };
      const timer = this.scheduler.setTimer(finish, timeoutMs);
      this.waiting = () => {
        if (this.closed || done()) finish();
      };
    });
  }

  /** The client has said something: look again. */
  wake(): void {
    this.waiting?.();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }
}
