import type { PushContext } from './push-context.ts';
import { isSame } from './reuse.ts';

/** Where something was looked up: found again in any push, undefined when it is not there any more. */
export type Place = (push: PushContext) => unknown;

/** One thing that a result was made of: a field, or what a lookup answered. */
interface Read {
  /** The fields of the push that it came from: while those are the same objects, so is what was read. */
  readonly parts: readonly string[];
  readonly place: Place;
  readonly name: string;
  /** Undefined for a field. */
  readonly args: readonly unknown[] | undefined;
  readonly value: unknown;
}

interface InnerRead {
  readonly made: Made;
  readonly value: unknown;
}

/** What was read while one result was made. */
export interface Recorded {
  readonly reads: readonly Read[];
  readonly parts: ReadonlySet<string>;
  readonly inner: readonly InnerRead[];
}

/** A result, and everything that it was made of. */
export class Made<T = unknown> {
  value: T;
  /** The push in which the value last became another. */
  changedIn: number;
  /** The last push in which it is known to hold. */
  private heldIn: number;
  private recorded: Recorded;
  /** What the result around it handed over. */
  readonly given: object | undefined;

  constructor(value: T, recorded: Recorded, { generation }: PushContext, given?: object) {
    this.value = value;
    this.given = given;
    this.recorded = recorded;
    this.heldIn = generation;
    this.changedIn = generation;
  }

  /** Whether making it again in this push would give the same. */
  holds(push: PushContext): boolean {
    if (this.heldIn === push.generation) return true;
    const changed = this.heldIn === push.generation - 1 ? push.changedParts : undefined;
    const { reads, parts, inner } = this.recorded;
    if (changed === undefined || meet(parts, changed))
      for (const read of reads) if ((changed === undefined || meet(read.parts, changed)) && !isStill(read, push)) return false;
    for (const { made, value } of inner) if (!made.holds(push) || made.value !== value) return false;
    this.heldIn = push.generation;
    return true;
  }

  /** Puts a new result in the place of one that does not hold any more. */
  replace(value: T, recorded: Recorded, { generation }: PushContext): void {
    if (value !== this.value) this.changedIn = generation;
    this.value = value;
    this.recorded = recorded;
    this.heldIn = generation;
  }
}

function meet(parts: Iterable<string>, changed: ReadonlySet<string>): boolean {
  for (const part of parts) if (changed.has(part)) return true;
  return false;
}

function isStill({ place, name, args, value }: Read, push: PushContext): boolean {
  const target = place(push) as Record<string, unknown> | undefined;
  if (target === undefined) return false;
  return isSame(value, args === undefined ? target[name] : (target[name] as (...args: unknown[]) => unknown)(...args));
}

interface Frame extends Recorded {
  readonly reads: Read[];
  readonly parts: Set<string>;
  readonly inner: InnerRead[];
  /** Fields that are among `reads` already. */
  readonly fields: Map<Place, Set<string>>;
  /** Scope that the result is for, by its key: that a client has this one is no dependency. */
  readonly scope: string | undefined;
}

/**
 * Takes down what translation looks up. A result that is remembered on its own is one dependency of the result around it. One log
 * serves all pushes of a lineage: translation is synchronous.
 */
export class ReadLog {
  private frame: Frame | undefined;

  get scope(): string | undefined {
    return this.frame?.scope;
  }

  field(parts: readonly string[], place: Place, name: string, value: unknown): void {
    const { frame } = this;
    if (frame === undefined) return;
    const known = frame.fields.get(place);
    if (known?.has(name) === true) return;
    if (known === undefined) frame.fields.set(place, new Set([name]));
    else known.add(name);
    this.add(frame, { parts, place, name, args: undefined, value });
  }

  lookup(parts: readonly string[], place: Place, name: string, args: readonly unknown[], value: unknown): void {
    if (this.frame !== undefined) this.add(this.frame, { parts, place, name, args, value });
  }

  /** The result around it was made of this one. */
  inner(made: Made): void {
    this.frame?.inner.push({ made, value: made.value });
  }

  /** Runs `make` and answers what it read. */
  during<T>(make: () => T, scope: string | undefined = this.frame?.scope): { readonly value: T; readonly recorded: Recorded } {
    const outer = this.frame;
    const frame: Frame = { reads: [], parts: new Set(), inner: [], fields: new Map(), scope };
    this.frame = frame;
    try {
      const value = make();
      return { value, recorded: { reads: frame.reads, parts: frame.parts, inner: frame.inner } };
    } finally {
      this.frame = outer;
    }
  }

  private add(frame: Frame, read: Read): void {
    frame.reads.push(read);
    for (const part of read.parts) frame.parts.add(part);
  }
}
