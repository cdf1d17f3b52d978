import type { Scheduler } from '../registry/workload-registry.ts';

/** Registrations that come together (a shop starting) become one push. */
const TOGETHER_MS = 10;
/** One that comes alone, as far as anybody can tell, waits for what came in the same moment. */
const ALONE_MS = 2;
/** So long nobody came: it is alone. */
const SILENCE_MS = 100;

/** Gathers changes of the registry for a moment, and hands them on as one. */
export class RegistrationQuiet {
  private readonly scheduler: Scheduler;
  private readonly onQuiet: () => void;
  private timer: { cancel(): void } | undefined;
  /** When changes were handed on last. */
  private handedOnMs = -Infinity;

  constructor(scheduler: Scheduler, onQuiet: () => void) {
    this.scheduler = scheduler;
    this.onQuiet = onQuiet;
  }

  /** Something has changed that is not handed on yet. */
  get pending(): boolean {
    return this.timer !== undefined;
  }

  changed(): void {
    const alone = performance.now() - this.handedOnMs > SILENCE_MS;
    this.timer ??= this.scheduler.setTimer(
      () => {
        this.timer = undefined;
        this.handedOnMs = performance.now();
        this.onQuiet();
      },
      alone ? ALONE_MS : TOGETHER_MS,
    );
  }

  close(): void {
    this.timer?.cancel();
  }
}
