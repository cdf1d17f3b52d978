import { seededRandom } from '@ripstop/testing';

/** Draws from a seed. */
export class Draw {
  private readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** From 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.random() * end);
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** Undefined in most cases. */
  maybe<T>(share: number, draw: () => T): T | undefined {
    return this.chance(share) ? draw() : undefined;
  }

  list<T>(most: number, draw: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, draw);
  }

  /** Several different ones of a list, in a drawn order. */
  some<T>(choices: readonly T[], most: number): T[] {
    const left = [...choices];
    return Array.from({ length: 1 + this.below(most) }, () => left.splice(this.below(left.length), 1)[0]!);
  }
}
