/** The most picks that a scheduler may be started behind; Envoy's bound, against rounding. */
const MAX_HEAD_START = 429_496_729;

/**
 * Earliest deadline first: each pick puts the picked item back at its deadline plus 1/weight (Envoy's EDF scheduler). `headStart` picks
 * count as made already, so that many clients which start together do not all begin with the same host.
 */
export class EdfScheduler<T> {
  private readonly heap: { deadline: number; order: number; readonly item: T }[] = [];
  private readonly weightOf: (item: T) => number;
  private now = 0;
  private order = 0;

  constructor(items: readonly T[], weightOf: (item: T) => number, headStart = 0) {
    this.weightOf = weightOf;
    const weights = items.map(weightOf);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const picks = headStart % MAX_HEAD_START;
    let made = 0;
    for (const [index, item] of items.entries()) {
      const weight = weights[index]!;
      const own = Math.floor((weight * picks) / total);
      made += own;
      this.now = Math.max(this.now, own / weight);
      this.push(item, (own + 1) / weight);
    }
    for (; made < picks; made++) this.next();
  }

  /** The next item; its weight is asked again, so that it may change with load. */
  next(): T {
    const top = this.pop();
    this.now = top.deadline;
    this.push(top.item, this.now + 1 / this.weightOf(top.item));
    return top.item;
  }

  private push(item: T, deadline: number): void {
    const { heap } = this;
    const entry = { deadline, order: this.order++, item };
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  private pop(): { deadline: number; readonly item: T } {
    const { heap } = this;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

/** Equal deadlines leave in the order in which they were put in. */
function before(a: { deadline: number; order: number }, b: { deadline: number; order: number }): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
