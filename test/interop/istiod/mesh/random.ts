/** A seeded source of choices (mulberry32): the same seed makes the same mesh on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** From 0 up to but not including 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `low` to `high`, both possible. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.int(0, list.length - 1)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** `low` to `high` different items of a list, as many as there are. */
  some<T>(list: readonly T[], low: number, high: number): T[] {
    const rest = [...list];
    const chosen: T[] = [];
    for (let left = this.int(low, high); left > 0 && rest.length > 0; left--) chosen.push(...rest.splice(this.int(0, rest.length - 1), 1));
    return chosen;
  }

  /** The field with that probability: `...random.maybe(0.2, () => ({ timeout: '3s' }))`. */
  maybe<T extends object>(probability: number, make: () => T): T | Record<string, never> {
    return this.chance(probability) ? make() : {};
  }

  /** `low` to `high` things, made one by one. */
  several<T>(low: number, high: number, make: (index: number) => T): T[] {
    return Array.from({ length: this.int(low, high) }, (_none, index) => make(index));
  }
}
