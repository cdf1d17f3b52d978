// What holds up the event loop: by the clock, by CPU time of the main thread, and how long that thread waited for a core meanwhile.
import { openSync, readSync } from 'node:fs';

/** Of the main thread: ns on a core, ns ready to run and waiting for one. Undefined where the system does not say. */
function openSchedule() {
  try {
    const file = openSync('/proc/self/schedstat', 'r');
    const buffer = Buffer.alloc(128);
    return () => {
      const [onCore, waiting] = buffer
        .latin1Slice(0, readSync(file, buffer, 0, buffer.length, 0))
        .split(' ')
        .map(Number);
      return { cpuMs: onCore / 1e6, waitedMs: waiting / 1e6 };
    };
  } catch {
    return () => {
      const { user, system } = process.threadCpuUsage();
      return { cpuMs: (user + system) / 1e3, waitedMs: 0 };
    };
  }
}

export class ThreadWatch {
  #look = openSchedule();
  #last;
  #worst;

  /** Looks every millisecond. */
  start() {
    this.#reset();
    setInterval(() => this.#tick(), 1).unref();
  }

  /** Since the last time: the longest gap by the clock with what happened in it, the longest work, and everything that was waited. */
  take() {
    const { clock, cpuMs, waitedMs, longestWaitMs } = this.#worst;
    this.#worst = nothing();
    return { clock, cpuMs, waitedMs, longestWaitMs };
  }

  #reset() {
    this.#last = { atMs: performance.now(), ...this.#look() };
    this.#worst = nothing();
  }

  #tick() {
    const now = { atMs: performance.now(), ...this.#look() };
    const { atMs, cpuMs, waitedMs } = this.#last;
    const gap = { ms: now.atMs - atMs, cpuMs: now.cpuMs - cpuMs, waitedMs: now.waitedMs - waitedMs };
    this.#last = now;
    const worst = this.#worst;
    if (gap.ms > worst.clock.ms) worst.clock = gap;
    worst.cpuMs = Math.max(worst.cpuMs, gap.cpuMs);
    worst.longestWaitMs = Math.max(worst.longestWaitMs, gap.waitedMs);
    worst.waitedMs += gap.waitedMs;
  }
}

function nothing() {
  return { clock: { ms: 0, cpuMs: 0, waitedMs: 0 }, cpuMs: 0, waitedMs: 0, longestWaitMs: 0 };
}
