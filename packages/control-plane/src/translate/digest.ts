import { createHash } from 'node:crypto';

const RANGE = 2 ** 48;

/** What one resource adds to the version of a set. */
export interface Share {
  readonly high: number;
  readonly low: number;
}

export function shareOf(name: string, version: string): Share {
  const hash = createHash('sha1').update(`${name} ${version}`).digest();
  return { high: hash.readUIntBE(0, 6), low: hash.readUIntBE(6, 6) };
}

/**
 * Version of a set of resources by what is in it: a sum, so that the set need not be looked through when one of many changes. Equal
 * sets have equal versions in whatever order they came to be.
 */
export class Digest {
  private high = 0;
  private low = 0;

  add({ high, low }: Share): void {
    this.high = (this.high + high) % RANGE;
    this.low = (this.low + low) % RANGE;
  }

  remove({ high, low }: Share): void {
    this.high = (this.high - high + RANGE) % RANGE;
    this.low = (this.low - low + RANGE) % RANGE;
  }

  toString(): string {
    return (this.high.toString(36) + this.low.toString(36).padStart(10, '0')).padStart(20, '0');
  }
}
