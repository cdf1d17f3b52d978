import { familiesOf } from '../model/address-families.ts';
import type { Caller, ProxyNode } from '../model/proxy-node.ts';
import type { EndpointIndex } from './endpoint-index.ts';
import { type Changes, Made, type Owner } from './made.ts';
import type { OutboundScope } from './outbound-scope.ts';
import type { PushContext } from './push-context.ts';
import { ReadLog } from './read-log.ts';
import { Readers } from './readers.ts';
import { isSame } from './reuse.ts';
import { trackedPush } from './tracked-push.ts';

/**
 * What clients of one scope have in common is made once. The key must name everything of the *node* that the result depends on beside
 * its scope; what it depends on of the push is found out (read-log.ts).
 */
export interface SharedResults {
  /**
   * `view`: who shares it; `name`: which of the results that they share; `given`: what `make` uses of the result around it, which has
   * read it: with other objects it is made again.
   */
  get<T>(scope: OutboundScope, view: string, name: string, make: () => T, given?: Given): T;
  /** The same for what clients of all scopes share: `make` must not look at a scope, nor at a namespace. */
  across<T>(view: string, name: string, make: () => T, given: Given): T;
}

/** Objects, compared one by one. */
export type Given = readonly unknown[];

/** A result of which equal content is worth recognising: what was made again and came out the same stays the object that it was. */
export abstract class Versioned {
  abstract readonly name: string;
  /** Equal for equal content. */
  abstract readonly version: string;
}

/** Results of one push by themselves, for translation without a past. */
export class Shared implements SharedResults {
  private readonly made = new Map<string, unknown>();
  private readonly general = new Map<string, { readonly given: Given; readonly value: unknown }>();

  get<T>(scope: OutboundScope, view: string, name: string, make: () => T): T {
    const key = `${scope.key} ${view} ${name}`;
    if (!this.made.has(key)) this.made.set(key, make());
    return this.made.get(key) as T;
  }

  across<T>(view: string, name: string, make: () => T, given: Given): T {
    const key = `${view} ${name}`;
    const known = this.general.get(key);
    if (known !== undefined && isSame(known.given, given, 1)) return known.value as T;
    const value = make();
    this.general.set(key, { given, value });
    return value;
  }
}

/** How a result is made. */
interface Making<T> {
  readonly make: () => T;
  /** Key of the scope that it is for. */
  readonly scope?: string;
  readonly given?: Given | undefined;
}

/** Results by name that are made one by one, and of which a change is asked for all together. */
export class ResultGroup implements Owner {
  readonly memory: Memory;
  readonly uses: Set<Owner> = new Set();
  /** The push from which on every change was seen. */
  readonly since: number;
  private readonly made = new Map<string, Made>();
  private readonly lists = new WeakMap<object, { readonly generation: number; readonly value: unknown }>();
  private preparing: { readonly generation: number; readonly work: Iterator<unknown> | undefined } | undefined;
  private fews: { readonly generation: number; readonly values: Map<string, unknown> } = { generation: -1, values: new Map() };
  private swept: { readonly generation: number; readonly names: ReadonlySet<string> } | undefined;
  private readonly readers: Readers | undefined;
  /** Results that may be others than in the push before, which was that of `recentIn`. */
  private recent = new Set<Made>();
  private recentIn: number;
  /** The last push that somebody asked about. */
  usedIn: number;
  /** Others have one of the same name by now. */
  released = false;

  /** `readers`: they say when a result may not hold any more; without, all are looked at. */
  constructor(push: PushContext, memory: Memory, readers?: Readers) {
    this.memory = memory;
    this.readers = readers;
    this.recentIn = push.generation;
    this.since = push.generation;
    this.usedIn = push.generation;
  }

  get size(): number {
    return this.made.size;
  }

  get<T>(name: string, push: PushContext, log: ReadLog, { make, scope, given }: Making<T>): T {
    this.usedIn = push.generation;
    let made = this.made.get(name);
    const other = made === undefined || !isSame(made.given, given, 1);
    if (made === undefined || other || !made.holds(push)) {
      const { value: fresh, recorded } = log.during(make, scope);
      const value = kept(made?.value, fresh);
      for (const { made: inner } of recorded.inner) if (inner.owner !== this) this.uses.add(inner.owner);
      if (made === undefined || other) {
        made?.release(push.generation);
        made = new Made<unknown>(value, recorded, push, { name, owner: this, given, readers: this.readers });
        this.made.set(name, made);
      } else made.replace(value, recorded, push);
      this.touched(made, push.generation);
    }
    log.inner(made);
    return made.value as T;
  }

  /** Whether these results are known and still hold: then what was put together of them does, too. */
  holds(names: readonly string[], push: PushContext): boolean {
    return this.memory.isNewest(push) && names.every((name) => this.made.get(name)?.holds(push) === true);
  }

  /**
   * Does some of the work of making many results, the same for all who wait for it; true when there is more. `work` makes one after the
   * other.
   */
  prepare(push: PushContext, work: () => Iterator<unknown>, spentMs: number): boolean {
    if (!this.memory.isNewest(push)) return false;
    const { generation } = push;
    if (this.preparing?.generation !== generation) this.preparing = { generation, work: work() };
    const { preparing } = this;
    if (preparing.work === undefined) return false;
    const endMs = performance.now() + spentMs;
    while (performance.now() < endMs) {
      if (preparing.work.next().done !== true) continue;
      this.preparing = { generation, work: undefined };
      return false;
    }
    return true;
  }

  /** Results of several names together, by an object that stands for these names. */
  list<T>(names: object, push: PushContext, make: () => T): T {
    if (!this.memory.isNewest(push)) return make();
    const known = this.lists.get(names);
    if (known?.generation === push.generation) return known.value as T;
    const value = make();
    this.lists.set(names, { generation: push.generation, value });
    return value;
  }

  /** The same for a few names, for as long as the push is the newest. */
  few<T>(names: string, push: PushContext, make: () => T): T {
    if (!this.memory.isNewest(push)) return make();
    const { generation } = push;
    if (this.fews.generation !== generation) this.fews = { generation, values: new Map() };
    const { values } = this.fews;
    if (!values.has(names)) values.set(names, make());
    return values.get(names) as T;
  }

  /** Names whose result is, or may be, another than in the push before this one; undefined when that is not known any more. */
  changed(push: PushContext): ReadonlySet<string> | undefined {
    if (!this.memory.isNewest(push)) return undefined;
    this.usedIn = push.generation;
    if (this.swept?.generation === push.generation) return this.swept.names;
    const names = new Set<string>();
    const some = this.readers !== undefined && this.readers.broadIn < push.generation;
    if (some) this.begin(push.generation);
    for (const made of some ? this.recent : this.made.values())
      if (!made.holds(push) || made.changedIn === push.generation) names.add(made.name);
    this.swept = { generation: push.generation, names };
    return names;
  }

  touched(made: Made, generation: number): void {
    this.begin(generation);
    this.recent.add(made);
  }

  /** Nobody is given anything of it any more. */
  release(generation: number): void {
    this.released = true;
    for (const made of this.made.values()) made.release(generation);
    this.made.clear();
  }

  /** What nobody has looked at since it was touched stays. */
  private begin(generation: number): void {
    if (this.recentIn === generation) return;
    this.recentIn = generation;
    if (this.recent.size > 0) this.recent = new Set([...this.recent].filter(({ stale }) => stale));
  }
}

/** Groups that nobody has asked about for so many pushes are forgotten. */
const KEPT_PUSHES = 32;
/** A group of more names than this is begun anew: clients may ask for any name. */
const MAX_NAMES = 50_000;

/** The field of a push that says where services are served. */
const ENDPOINTS = 'endpointIndex';
/** Fields that are others in each push, and that no result is made of. */
const OF_EVERY_PUSH: ReadonlySet<string> = new Set(['shared', 'generation', 'changes', 'memory', 'parts', 'kinds', 'view']);

/** What a lineage of pushes remembers: results that still hold are not made again. */
export class Memory {
  private readonly log = new ReadLog();
  private readonly readers = new Readers(this.log.bit(ENDPOINTS));
  private readonly groups = new Map<string, ResultGroup>();
  private newest = 0;
  /** Asked for again and again, name by name. */
  private last: { readonly generation: number; readonly scopeKey: string; readonly view: string; readonly group: ResultGroup } | undefined;

  /** The push as translation must see it. */
  view(push: PushContext): PushContext {
    const shared: SharedResults = {
      get: (scope, view, name, make, given) =>
        this.within(this.shared(scope.key, view, push), name, push, { make, scope: scope.key, given }),
      across: (view, name, make, given) => this.within(this.shared(NO_SCOPE, view, push), name, push, { make, scope: NO_SCOPE, given }),
    };
    return trackedPush(push, this.log, shared);
  }

  changes(fields: readonly string[], endpoints: EndpointIndex): Changes {
    const parts = fields.reduce((bits, field) => bits | this.log.bit(field), 0);
    const narrow = fields.every((field) => field === ENDPOINTS || OF_EVERY_PUSH.has(field));
    return {
      parts,
      endpointPart: this.log.bit(ENDPOINTS),
      keepsEndpoints: (service) => endpoints.keeps(service),
      onlyHosts: narrow ? endpoints.touched : undefined,
    };
  }

  /** What clients of one scope share. */
  shared(scopeKey: string, view: string, push: PushContext): ResultGroup {
    const { last } = this;
    if (last?.generation === push.generation && last.scopeKey === scopeKey && last.view === view) return last.group;
    const group = this.groupOf(`${scopeKey} ${view}`, push);
    this.last = { generation: push.generation, scopeKey, view, group };
    return group;
  }

  private groupOf(key: string, push: PushContext): ResultGroup {
    this.forget(push);
    let group = this.groups.get(key);
    if (group === undefined || group.size > MAX_NAMES) {
      group?.release(push.generation);
      group = new ResultGroup(push, this, this.readers);
      this.groups.set(key, group);
    }
    return group;
  }

  /** A group of results that nobody shares. */
  ownGroup(push: PushContext): ResultGroup {
    return new ResultGroup(push, this);
  }

  /** A result of a group; made if it is not known or does not hold any more. */
  within<T>(group: ResultGroup, name: string, push: PushContext, making: Making<T>): T {
    // A client that is behind must not put old results in the place of new ones.
    if (!this.isNewest(push)) return this.log.during(making.make, making.scope).value;
    return group.get(name, push, this.log, making);
  }

  /** Whether no later push was looked at. */
  isNewest(push: PushContext): boolean {
    this.forget(push);
    return push.generation >= this.newest;
  }

  /** Whether the two pushes, of which one is the newest, differ in nothing but where services run. */
  isAlike(a: PushContext, b: PushContext): boolean {
    this.forget(a.generation > b.generation ? a : b);
    return a.memory === this && b.memory === this && Math.min(a.generation, b.generation) >= this.readers.broadIn;
  }

  private forget(push: PushContext): void {
    const { generation } = push;
    if (generation <= this.newest) return;
    const known = generation === this.newest + 1;
    this.newest = generation;
    this.readers.next(push, known);
    if (generation % KEPT_PUSHES !== 0) return;
    for (const group of this.groups.values()) if (group.usedIn >= generation - KEPT_PUSHES) useAll(group);
    for (const [key, group] of this.groups) {
      if (group.usedIn >= generation - KEPT_PUSHES) continue;
      this.groups.delete(key);
      group.release(generation);
    }
  }
}

/** Whoever is in use uses what its results were made of. */
function useAll({ uses, usedIn }: Owner): void {
  for (const inner of uses) {
    if (inner.usedIn >= usedIn) continue;
    inner.usedIn = usedIn;
    useAll(inner);
  }
}

/** Key of no scope: a namespace is never empty. */
const NO_SCOPE = '';

const views = new WeakMap<Caller, string>();

/** Who reads it, in what form, and from where: near endpoints come first. */
export function viewOf(node: ProxyNode): string {
  return `${node.namespace}|${callerView(node)}`;
}

/** The same without the namespace. */
export function callerView(caller: Caller): string {
  let view = views.get(caller);
  if (view === undefined) {
    const { dialect, ripstop, locality, metadata, clusterId } = caller;
    const { region, zone, subZone } = locality;
    const said = [metadata.NODE_NAME ?? '', metadata.NETWORK ?? ''];
    view = [dialect, ripstop, region, zone, subZone, ...said, clusterId, familiesOf(caller)].join('|');
    views.set(caller, view);
  }
  return view;
}

/** What `before` said already stays the same object: a result, or the results of a list. */
function kept(before: unknown, made: unknown): unknown {
  if (isVersioned(before) && isVersioned(made)) return isEqual(before, made) ? before : made;
  if (!Array.isArray(before) || !Array.isArray(made) || !before.every(isVersioned) || !made.every(isVersioned)) return made;
  const known = new Map(before.map((result) => [result.name, result]));
  const list = made.map((result) => {
    const old = known.get(result.name);
    return old !== undefined && isEqual(old, result) ? old : result;
  });
  return isSame(before, list, 1) ? before : list;
}

function isVersioned(value: unknown): value is Versioned {
  return value instanceof Versioned;
}

function isEqual(a: Versioned, b: Versioned): boolean {
  return a === b || (a.version === b.version && a.name === b.name);
}

export function labelsKey({ labels }: Pick<ProxyNode, 'labels'>): string {
  return JSON.stringify(Object.entries(labels).sort());
}
