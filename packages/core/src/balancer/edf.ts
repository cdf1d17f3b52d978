/** Earliest deadline first: each pick puts the picked host back at its deadline plus 1/weight (Envoy's EDF scheduler). */
export class EdfScheduler<T> {
  private readonly heap: { deadline: number; order: number; readonly item: T }[] = [];
  private readonly weightOf: (item: T) => number;
  private now = 0;
  private order = 0;

  constructor(items: readonly T[], weightOf: (item: T) => number) {
    this.weightOf = weightOf;
    for (const item of items) this.push(item, 1 / weightOf(item));
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
