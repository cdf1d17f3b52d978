import { Digest, digestOf, type Mark, type Marked, markOf } from '../translate/digest.ts';

/** A set of names that is looked at. */
export interface Names extends Iterable<string> {
  readonly size: number;
  has(name: string): boolean;
}

/** What many clients hold alike; never changed. */
export class SharedNames implements Names {
  readonly marks: ReadonlyMap<string, Mark>;
  readonly digest: Digest;
  /** Equal for equal content. */
  readonly content: string;
  /** How many have come to hold it; those that went without a word are counted on. */
  holders = 0;
  /** What one of them took last, and what it then held. */
  private last: { readonly taken: readonly Marked[]; readonly after: SharedNames } | undefined;

  constructor(marks: ReadonlyMap<string, Mark>, digest: Digest) {
    this.marks = marks;
    this.digest = digest;
    this.content = digest.toString();
  }

  get size(): number {
    return this.marks.size;
  }

  has(name: string): boolean {
    return this.marks.has(name);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.marks.keys();
  }

  /** What came of it when somebody who held this took the same list. */
  after(taken: readonly Marked[]): SharedNames | undefined {
    return this.last?.taken === taken ? this.last.after : undefined;
  }

  leadsTo(after: SharedNames, taken: readonly Marked[]): void {
    this.last = { taken, after };
  }
}

const NOTHING = new SharedNames(new Map(), new Digest());
/** More of its own than this, and a holding is made one that others can share. */
const MAX_OWN = 32;
/** Clients may name what they like. */
const MAX_NAMES = 100_000;

/** What the holdings of a server's clients have in common, told by content, for as long as one of them has it. */
export class HoldingPool {
  private readonly known = new Map<string, WeakRef<SharedNames>>();
  private readonly names = new Map<string, Marked>();
  private readonly lists = new WeakMap<readonly string[], readonly Marked[]>();
  private readonly gone = new FinalizationRegistry<string>((key) => {
    if (this.known.get(key)?.deref() === undefined) this.known.delete(key);
  });

  find(key: string): SharedNames | undefined {
    return this.known.get(key)?.deref();
  }

  keep(key: string, marks: ReadonlyMap<string, Mark>, digest: Digest): SharedNames {
    const made = new SharedNames(marks, digest);
    this.known.set(key, new WeakRef(made));
    this.gone.register(made, key);
    return made;
  }

  /** Names as all clients share them; the same list for the same list. */
  all(names: readonly string[]): readonly Marked[] {
    let known = this.lists.get(names);
    if (known === undefined) {
      known = names.map((name) => this.name(name));
      this.lists.set(names, known);
    }
    return known;
  }

  /** A name as all clients share it, each of which has decoded a copy of its own. */
  private name(name: string): Marked {
    let known = this.names.get(name);
    if (known === undefined) {
      if (this.names.size >= MAX_NAMES) this.names.clear();
      known = { name, mark: markOf(name, '') };
      this.names.set(name, known);
    }
    return known;
  }
}

/**
 * Names with their versions that one client holds. Hundreds of clients hold the same thousands: what is the same is kept once, and
 * beside it what is this client's own.
 */
export class Holding implements Names {
  private readonly pool: HoldingPool;
  /** Holdings of different kinds are not compared. */
  private readonly kind: string;
  private base = NOTHING;
  /** Undefined: in the base, and gone. */
  private readonly own = new Map<string, Mark | undefined>();
  private readonly digest = new Digest();
  private count = 0;

  constructor(pool: HoldingPool, kind: string) {
    this.pool = pool;
    this.kind = kind;
  }

  get size(): number {
    return this.count;
  }

  /** Equal for holdings of equal content. */
  get content(): string {
    return this.own.size === 0 ? this.base.content : this.digest.toString();
  }

  /** The same content as an object that other clients have too and that never changes; undefined when there is none. */
  get shared(): SharedNames | undefined {
    return this.own.size === 0 ? this.base : undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  version(name: string): string | undefined {
    return this.get(name)?.version;
  }

  *[Symbol.iterator](): Iterator<string> {
    for (const name of this.base) if (!this.own.has(name)) yield name;
    for (const [name, mark] of this.own) if (mark !== undefined) yield name;
  }

  /** Takes names in, with their versions, and others out. */
  change(taken: readonly Marked[], gone: readonly string[] = []): void {
    if (taken.length === 0 && gone.length === 0) return;
    if (this.count === 0 && gone.length === 0 && this.become(taken)) return;
    // Hundreds that hold the same are told of the same change.
    const from = this.own.size === 0 && gone.length === 0 && this.base !== NOTHING ? this.base : undefined;
    const after = from?.after(taken);
    if (after !== undefined) {
      this.adopt(after);
      return;
    }
    const changes = new Map<string, Mark | undefined>();
    for (const name of gone) changes.set(name, undefined);
    for (const { name, mark } of taken) changes.set(name, mark);
    for (const [name, mark] of changes) {
      const before = this.get(name);
      if (before !== undefined) this.digest.remove(before.share);
      if (mark !== undefined) this.digest.add(mark.share);
      this.count += Number(mark !== undefined) - Number(before !== undefined);
    }
    const alike = from !== undefined && from.holders > 1;
    this.settle(changes, alike);
    if (alike) from.leadsTo(this.base, taken);
  }

  /** From nothing to what others hold already. */
  private become(taken: readonly Marked[]): boolean {
    if (taken.length <= MAX_OWN) return false;
    const known = this.pool.find(`${this.kind} ${taken.length} ${digestOf(taken)}`);
    if (known === undefined) return false;
    this.adopt(known);
    return true;
  }

  private adopt(shared: SharedNames): void {
    this.hold(shared);
    this.own.clear();
    this.count = shared.size;
    this.digest.become(shared.digest);
  }

  private get(name: string): Mark | undefined {
    if (this.own.size === 0) return this.base.marks.get(name);
    const mark = this.own.get(name);
    return mark !== undefined || this.own.has(name) ? mark : this.base.marks.get(name);
  }

  /** What somebody else holds already is not held once more. `alike`: others hold the same, so that it is made what all of them share. */
  private settle(changes: ReadonlyMap<string, Mark | undefined>, alike: boolean): void {
    const key = `${this.kind} ${this.count} ${this.digest}`;
    const known = this.count === 0 ? NOTHING : this.pool.find(key);
    if (known !== undefined) {
      this.adopt(known);
      return;
    }
    for (const [name, mark] of changes) {
      if (mark === undefined && !this.base.has(name)) this.own.delete(name);
      else this.own.set(name, mark);
    }
    if (this.own.size <= MAX_OWN && !alike) return;
    const marks = new Map(this.base.marks);
    for (const [name, mark] of this.own) {
      if (mark === undefined) marks.delete(name);
      else marks.set(name, mark);
    }
    const digest = new Digest();
    digest.become(this.digest);
    this.hold(this.pool.keep(key, marks, digest));
    this.own.clear();
  }

  private hold(shared: SharedNames): void {
    this.base.holders--;
    shared.holders++;
    this.base = shared;
  }
}
