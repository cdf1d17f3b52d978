import type { Scheduler } from '../registry/workload-registry.ts';

/** Timers that never keep the process alive. */
export const systemScheduler: Scheduler = {
  setTimer: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
