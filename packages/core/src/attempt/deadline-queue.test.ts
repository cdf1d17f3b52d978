import { describe, expect, it } from 'vitest';
import type { Clock } from '../ports.ts';
import { Deadline, DeadlineQueues } from './deadline-queue.ts';

class FakeClock implements Clock {
  time = 0;
  armed = 0;
  #timers: { at: number; run: () => void }[] = [];
  now(): number {
    return this.time;
  }
  wallTime(): number {
    return this.time;
  }
  setTimer(run: () => void, delayMs: number): { cancel(): void } {
    this.armed++;
    const timer = { at: this.time + delayMs, run };
    this.#timers.push(timer);
    return { cancel: () => this.#timers.splice(this.#timers.indexOf(timer), 1) };
  }
  advance(ms: number): void {
    const until = this.time + ms;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.splice(this.#timers.indexOf(next), 1);
      this.time = next.at;
      next.run();
    }
    this.time = until;
  }
}

class Named extends Deadline {
  readonly name: string;
  readonly log: string[];
  constructor(name: string, log: string[]) {
    super();
    this.name = name;
    this.log = log;
  }
  onDue(): void {
    this.log.push(this.name);
  }
}

describe('deadline queues', () => {
  it('tell deadlines of several durations in the order of time, and none that was cancelled', () => {
    const clock = new FakeClock();
    const queues = new DeadlineQueues(clock);
    const log: string[] = [];
    const [slow, fast, cancelled] = [new Named('slow', log), new Named('fast', log), new Named('cancelled', log)];
    queues.start(slow, 100, clock.now());
    queues.start(cancelled, 50, clock.now());
    queues.start(fast, 50, clock.now());
    queues.cancel(cancelled);
    clock.advance(49);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual(['fast']);
    clock.advance(100);
    expect(log).toEqual(['fast', 'slow']);
  });

  it('use one clock timer for many deadlines of one duration, and start again for the ones that came later', () => {
    const clock = new FakeClock();
    const queues = new DeadlineQueues(clock);
    const log: string[] = [];
    for (let n = 0; n < 100; n++) queues.start(new Named('first', log), 30, clock.now());
    clock.advance(20);
    queues.start(new Named('later', log), 30, clock.now());
    expect(clock.armed).toBe(1);
    clock.advance(10);
    expect(log.length).toBe(100);
    clock.advance(19);
    expect(log.length).toBe(100);
    clock.advance(1);
    expect(log.at(-1)).toBe('later');
  });

  it('may be started again from onDue', () => {
    const clock = new FakeClock();
    const queues = new DeadlineQueues(clock);
    let ticks = 0;
    class Again extends Deadline {
      onDue(): void {
        if (++ticks < 3) queues.start(this, 10, clock.now());
      }
    }
    queues.start(new Again(), 10, clock.now());
    clock.advance(100);
    expect(ticks).toBe(3);
  });
});
