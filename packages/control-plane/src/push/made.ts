import type { PushContext } from './push-context.ts';
import { type Read, type Recorded, WHOLE } from './read-log.ts';
import type { Readers } from './readers.ts';
import { isSame } from './reuse.ts';
import type { MeshService } from './service.ts';

/** What is not the same as in the push before. */
export interface Changes {
  /** Fields of the push, a bit each. */
  readonly parts: number;
  readonly endpointPart: number;
  /** A service whose endpoints were not touched. */
  keepsEndpoints(service: MeshService): boolean;
  /** Set when nothing but endpoints changed: the services, by `hostKey`. */
  readonly onlyHosts: ReadonlySet<string> | undefined;
}

/** Who keeps a result. */
export interface Owner {
  /** The last push that somebody asked about. */
  usedIn: number;
  /** Whose results its own were made of. */
  readonly uses: Set<Owner>;
  /** One of its results may be another than in the push before. */
  touched(made: Made, generation: number): void;
}

interface MadeOptions {
  readonly name: string;
  readonly owner: Owner;
  /** What the result around it handed over. */
  readonly given: readonly unknown[] | undefined;
  /** Says when the result may not hold any more. Undefined: each push it looks for itself. */
  readonly readers: Readers | undefined;
}

/** A result, and everything that it was made of. */
export class Made<T = unknown> {
  value: T;
  /** The push in which the value last became another. */
  changedIn: number;
  /** Something that it was made of may be another: it must look for itself. */
  stale = false;
  /** Results that were made of this one. */
  dependents: Set<Made> | undefined;
  recorded: Recorded;
  readonly name: string;
  readonly owner: Owner;
  readonly given: readonly unknown[] | undefined;
  private readonly readers: Readers | undefined;
  /** The last push in which it is known to hold. */
  private heldIn: number;
  private released = false;

  constructor(value: T, recorded: Recorded, { generation }: PushContext, { name, owner, given, readers }: MadeOptions) {
    this.value = value;
    this.recorded = recorded;
    this.name = name;
    this.owner = owner;
    this.given = given;
    this.readers = readers;
    this.heldIn = generation;
    this.changedIn = generation;
    readers?.add(this);
  }

  /** Whether making it again in this push would give the same. */
  holds(push: PushContext): boolean {
    const { generation } = push;
    if (this.heldIn === generation && !this.stale) return true;
    if (this.released || !(this.isUntouched || this.isStill(push))) return false;
    this.heldIn = generation;
    this.owner.usedIn = generation;
    this.stale = false;
    return true;
  }

  /** Puts a new result in the place of one that does not hold any more. */
  replace(value: T, recorded: Recorded, { generation }: PushContext): void {
    this.readers?.remove(this);
    if (value !== this.value) this.changedIn = generation;
    this.value = value;
    this.recorded = recorded;
    this.heldIn = generation;
    this.stale = false;
    this.readers?.add(this);
  }

  /** Nobody is told any more when it changes: whoever was made of it is made again. */
  release(generation: number): void {
    this.released = true;
    this.readers?.remove(this);
    this.touchDependents(generation);
  }

  /** It may be another than in the push before, and so may be what was made of it. */
  touch(generation: number): void {
    if (this.stale) return;
    this.stale = true;
    this.owner.touched(this, generation);
    this.touchDependents(generation);
  }

  private touchDependents(generation: number): void {
    for (const dependent of this.dependents ?? []) dependent.touch(generation);
  }

  /** It held when each result last had to look for itself, and was told of nothing since. */
  private get isUntouched(): boolean {
    return this.readers !== undefined && !this.stale && this.heldIn >= this.readers.broadIn;
  }

  private isStill(push: PushContext): boolean {
    const held = this.heldIn === push.generation - 1 || (!this.stale && this.readers?.heldBefore(this.heldIn, push) === true);
    const changed = held ? push.changes : undefined;
    const { reads, parts, inner } = this.recorded;
    if (changed === undefined || (parts & changed.parts) !== 0)
      for (const read of reads) if (mayDiffer(read, changed, push) && !isStill(read, push)) return false;
    // Thousands of results are asked in a row.
    for (let at = 0; at < inner.length; at++) {
      const { made, value } = inner[at]!;
      if (!made.holds(push) || made.value !== value) return false;
    }
    return true;
  }
}

/** Lookups that answer about the service of their first argument, and nothing else. */
export const ENDPOINT_LOOKUPS: ReadonlySet<string> = new Set(['endpoints', 'endpointsAt', 'identitiesOf']);

function mayDiffer({ parts, place, name, args }: Read, changed: Changes | undefined, push: PushContext): boolean {
  if (changed === undefined) return true;
  const touched = parts & changed.parts;
  if (touched === 0) return false;
  if (touched === changed.endpointPart && ENDPOINT_LOOKUPS.has(name)) return !changed.keepsEndpoints(args![0] as MeshService);
  return !place.isKept(push);
}

function isStill({ place, name, args, value }: Read, push: PushContext): boolean {
  const target = place.in(push) as Record<string, unknown> | undefined;
  if (target === undefined) return false;
  if (name === WHOLE) return target === value;
  return isSame(value, args === undefined ? target[name] : (target[name] as (...args: unknown[]) => unknown)(...args));
}
