import type { PushContext } from './push-context.ts';
import { isSame } from './reuse.ts';
import type { MeshService } from './service.ts';

/** Where something was looked up: found again in any push, undefined when it is not there any more. */
export type Place = (push: PushContext) => unknown;

/** One thing that a result was made of: a field, or what a lookup answered. */
interface Read {
  /** The fields of the push that it came from, a bit each: while those are the same objects, so is what was read. */
  readonly parts: number;
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
  readonly parts: number;
  readonly inner: readonly InnerRead[];
}

/** What is not the same as in the push before. */
export interface Changes {
  /** Fields of the push, a bit each. */
  readonly parts: number;
  readonly endpointPart: number;
  /** A service whose endpoints were not touched. */
  keepsEndpoints(service: MeshService): boolean;
}

/** A result, and everything that it was made of. */
export class Made<T = unknown> {
  value: T;
  /** The push in which the value last became another. */
  changedIn: number;
  /** The last push in which it is known to hold. */
  private heldIn: number;
  private recorded: Recorded;
  private readonly owner: { usedIn: number };
  /** What the result around it handed over. */
  readonly given: readonly unknown[] | undefined;

  /** `owner`: it is told that the result is in use. */
  constructor(value: T, recorded: Recorded, { generation }: PushContext, owner: { usedIn: number }, given?: readonly unknown[]) {
    this.value = value;
    this.owner = owner;
    this.given = given;
    this.recorded = recorded;
    this.heldIn = generation;
    this.changedIn = generation;
  }

  /** Whether making it again in this push would give the same. */
  holds(push: PushContext): boolean {
    if (this.heldIn === push.generation) return true;
    const changed = this.heldIn === push.generation - 1 ? push.changes : undefined;
    const { reads, parts, inner } = this.recorded;
    if (changed === undefined || (parts & changed.parts) !== 0)
      for (const read of reads) if (mayDiffer(read, changed) && !isStill(read, push)) return false;
    for (const { made, value } of inner) if (!made.holds(push) || made.value !== value) return false;
    this.heldIn = push.generation;
    this.owner.usedIn = push.generation;
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

/** Lookups that answer about the service of their first argument, and nothing else. */
const ENDPOINT_LOOKUPS: ReadonlySet<string> = new Set(['endpoints', 'identitiesOf']);

function mayDiffer({ parts, name, args }: Read, changed: Changes | undefined): boolean {
  if (changed === undefined) return true;
  const touched = parts & changed.parts;
  if (touched !== changed.endpointPart || !ENDPOINT_LOOKUPS.has(name)) return touched !== 0;
  return touched !== 0 && !changed.keepsEndpoints(args![0] as MeshService);
}

function isStill({ place, name, args, value }: Read, push: PushContext): boolean {
  const target = place(push) as Record<string, unknown> | undefined;
  if (target === undefined) return false;
  return isSame(value, args === undefined ? target[name] : (target[name] as (...args: unknown[]) => unknown)(...args));
}

interface Frame extends Recorded {
  readonly reads: Read[];
  parts: number;
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
    const frame: Frame = { reads: [], parts: 0, inner: [], fields: new Map(), scope };
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
    frame.parts |= read.parts;
  }
}
