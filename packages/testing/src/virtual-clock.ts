import type { Clock, Timer } from '@ripstop/core';

interface VirtualTimer {
  readonly at: number;
  /** Timers of one moment run in the order in which they were set. */
  readonly order: number;
  readonly run: () => void;
}

/** Time that stands still until somebody moves it. */
export class VirtualClock implements Clock {
  private time = 0;
  private readonly startedAt = Date.now();
  private set = 0;
  /** A binary heap by `at`, then `order`. */
  private readonly heap: VirtualTimer[] = [];
  private readonly cancelled = new WeakSet<VirtualTimer>();

  now(): number {
    return this.time;
  }

  wallTime(): number {
    return this.startedAt + this.time;
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const timer: VirtualTimer = { at: this.time + Math.max(0, delayMs), order: ++this.set, run };
    this.push(timer);
    return { cancel: () => void this.cancelled.add(timer) };
  }

  /** How many timers were ever set: a sign of life. */
  get timersSet(): number {
    return this.set;
  }

  /** When the next timer is due; undefined = none is set. */
  get nextAt(): number | undefined {
    while (this.heap.length > 0 && this.cancelled.has(this.heap[0]!)) this.pop();
    return this.heap[0]?.at;
  }

  /** Goes to the next timer and runs it, and those of the same moment. False: there is none. */
  step(): boolean {
    const at = this.nextAt;
    if (at === undefined) return false;
    this.time = at;
    while (this.nextAt === at) this.pop().run();
    return true;
  }

  /** Lets time pass without a timer being due in it. */
  passUntil(at: number): void {
    if (at > this.time) this.time = at;
  }

  private push(timer: VirtualTimer): void {
    const { heap } = this;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at]!, heap[parent]!)) break;
      [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
      at = parent;
    }
  }

  private pop(): VirtualTimer {
    const { heap } = this;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return first;
      const child = left + 1 < heap.length && isBefore(heap[left + 1]!, heap[left]!) ? left + 1 : left;
      if (!isBefore(heap[child]!, heap[at]!)) return first;
      [heap[at], heap[child]] = [heap[child]!, heap[at]!];
      at = child;
    }
  }
}

function isBefore(one: VirtualTimer, other: VirtualTimer): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
