import type { Clock } from '@ripstop/core';

/** Node sets longer timers to 1 ms; a caller's `grpc-timeout: 99999999H` asks for one. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The real clock. Its timers never keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(run, delayMs) {
    if (delayMs > MAX_TIMER_MS) return setLongTimer(run, delayMs);
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

function setLongTimer(run: () => void, delayMs: number): ReturnType<Clock['setTimer']> {
  let rest = systemClock.setTimer(() => {
    rest = systemClock.setTimer(run, delayMs - MAX_TIMER_MS);
  }, MAX_TIMER_MS);
  return { cancel: () => rest.cancel() };
}
