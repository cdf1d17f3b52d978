import type { Made } from './made.ts';
import type { PushContext } from './push-context.ts';

/** Where something was looked up: found again in any push, undefined when it is not there any more. */
export abstract class Place {
  private generation = -1;
  private target: unknown;
  private kept = false;
  private readonly inner = new Map<string, Place>();

  /** What stands there. */
  in(push: PushContext): unknown {
    if (this.generation === push.generation) return this.target;
    const target = this.look(push);
    this.kept = this.generation === push.generation - 1 && target === this.target && target !== undefined;
    this.target = target;
    this.generation = push.generation;
    return target;
  }

  /** The same object as in the push before, as far as is known: whatever is asked of it has the same answer. */
  isKept(push: PushContext): boolean {
    this.in(push);
    return this.kept;
  }

  /** A place in what stands here, by field or by method and its arguments; the same place each time. */
  at(name: string, args?: readonly (string | number)[]): Place {
    const key = args === undefined ? name : `${name}(${args.join()})`;
    let place = this.inner.get(key);
    if (place === undefined) {
      place = new InnerPlace(this, name, args);
      this.inner.set(key, place);
    }
    return place;
  }

  protected abstract look(push: PushContext): unknown;
}

class InnerPlace extends Place {
  private readonly outer: Place;
  private readonly name: string;
  private readonly args: readonly (string | number)[] | undefined;

  constructor(outer: Place, name: string, args: readonly (string | number)[] | undefined) {
    super();
    this.outer = outer;
    this.name = name;
    this.args = args;
  }

  protected look(push: PushContext): unknown {
    const target = this.outer.in(push) as Record<string, unknown> | undefined;
    return this.args === undefined ? target?.[this.name] : (target?.[this.name] as Method | undefined)?.apply(target, [...this.args]);
  }
}

/** The push itself, which is another one each time. */
class Root extends Place {
  override in(push: PushContext): unknown {
    return push;
  }

  override isKept(): boolean {
    return false;
  }

  protected look(push: PushContext): unknown {
    return push;
  }
}

type Method = (...args: unknown[]) => unknown;

/** The name of a read of all that stands in a place. */
export const WHOLE = '';

/** One thing that a result was made of: a field, or what a lookup answered. */
export interface Read {
  /** The fields of the push that it came from, a bit each: while those are the same objects, so is what was read. */
  readonly parts: number;
  readonly place: Place;
  readonly name: string;
  /** Undefined for a field. */
  readonly args: readonly unknown[] | undefined;
  readonly value: unknown;
}

export interface InnerRead {
  readonly made: Made;
  readonly value: unknown;
}

/** What was read while one result was made. */
export interface Recorded {
  readonly reads: readonly Read[];
  readonly parts: number;
  readonly inner: readonly InnerRead[];
}

interface Frame extends Recorded {
  readonly reads: Read[];
  parts: number;
  readonly inner: InnerRead[];
  /** Fields that are among `reads` already. */
  fields: Map<Place, Set<string>> | undefined;
  /** Scope that the result is for, by its key: that a client has this one is no dependency. */
  readonly scope: string | undefined;
}

/**
 * Takes down what translation looks up. A result that is remembered on its own is one dependency of the result around it. One log
 * serves all pushes of a lineage: translation is synchronous.
 */
export class ReadLog {
  /** Places are the same ones for all pushes. */
  readonly root: Place = new Root();
  private frame: Frame | undefined;
  private readonly bits = new Map<string, number>();

  /** The bit of a field of the push. Fields beyond the 31st share bits, which costs looking twice. */
  bit(field: string): number {
    let bit = this.bits.get(field);
    if (bit === undefined) {
      bit = 1 << (this.bits.size % 31);
      this.bits.set(field, bit);
    }
    return bit;
  }

  get scope(): string | undefined {
    return this.frame?.scope;
  }

  field(parts: number, place: Place, name: string, value: unknown): void {
    const { frame } = this;
    if (frame === undefined) return;
    frame.fields ??= new Map();
    const known = frame.fields.get(place);
    if (known?.has(name) === true) return;
    if (known === undefined) frame.fields.set(place, new Set([name]));
    else known.add(name);
    this.add(frame, { parts, place, name, args: undefined, value });
  }

  lookup(parts: number, place: Place, name: string, args: readonly unknown[], value: unknown): void {
    if (this.frame !== undefined) this.add(this.frame, { parts, place, name, args, value });
  }

  /** The result around it was made of this one. */
  inner(made: Made): void {
    this.frame?.inner.push({ made, value: made.value });
  }

  /** Runs `make` and answers what it read. */
  during<T>(make: () => T, scope: string | undefined = this.frame?.scope): { readonly value: T; readonly recorded: Recorded } {
    const outer = this.frame;
    const frame: Frame = { reads: [], parts: 0, inner: [], fields: undefined, scope };
    this.frame = frame;
    try {
      const value = make();
      return { value, recorded: { reads: kept(frame.reads), parts: frame.parts, inner: kept(frame.inner) } };
    } finally {
      this.frame = outer;
    }
  }

  private add(frame: Frame, read: Read): void {
    frame.reads.push(read);
    frame.parts |= read.parts;
  }
}

const NONE: readonly never[] = [];

/** Without the room to grow: thousands of lists of one or two are kept. */
function kept<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? NONE : list.slice();
}
