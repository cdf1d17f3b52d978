import type { Scheduler } from '../registry/workload-registry.ts';

/** Node sets longer timers to 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Timers that never keep the process alive. */
export const systemScheduler: Scheduler = {
  setTimer(run, delayMs) {
    let timer: NodeJS.Timeout;
    const wait = (restMs: number): void => {
      const now = Math.min(restMs, MAX_TIMER_MS);
      timer = setTimeout(() => (restMs > now ? wait(restMs - now) : run()), now);
      timer.unref();
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};
