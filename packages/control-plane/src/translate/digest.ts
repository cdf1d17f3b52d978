import { createHash } from 'node:crypto';

const RANGE = 2 ** 48;

/** What one resource adds to the version of a set. */
export interface Share {
  readonly high: number;
  readonly low: number;
}

/** A version of something that has a name, and what it adds to the version of a set. A mere name has the version ''. */
export interface Mark {
  readonly version: string;
  readonly share: Share;
}

export interface Marked {
  readonly name: string;
  readonly mark: Mark;
}

export function markOf(name: string, version: string): Mark {
  return { version, share: shareOf(name, version) };
}

function shareOf(name: string, version: string): Share {
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

  /** The same sum as another's. */
  become({ high, low }: Digest): void {
    this.high = high;
    this.low = low;
  }

  toString(): string {
    return (this.high.toString(36) + this.low.toString(36).padStart(10, '0')).padStart(20, '0');
  }
}

const digests = new WeakMap<readonly Marked[], Digest>();

/** Of a list that stays as it is: asked for again and again, for every client that is sent it. */
export function digestOf(list: readonly Marked[]): Digest {
  let digest = digests.get(list);
  if (digest === undefined) {
    digest = new Digest();
    for (const { mark } of list) digest.add(mark.share);
    digests.set(list, digest);
  }
  return digest;
}
