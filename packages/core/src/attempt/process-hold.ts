const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * Keeps the process alive while a request waits for nothing but a timer (back-off, injected delay): the clock's timers never do,
 * and a script that awaits its only call would end in the middle of it.
 */
export class ProcessHold {
  #holds = 0;
  #timer: NodeJS.Timeout | undefined;

  take(): void {
    if (this.#holds++ === 0) this.#timer = setInterval(() => {}, LONGEST_TIMER_MS);
  }

  give(): void {
    if (--this.#holds === 0) clearInterval(this.#timer);
  }
}
