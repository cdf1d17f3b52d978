import type { ConfigUpdate, RawResource, Rejection } from '@ripstop/core';

/** One resource of one type, in its last good version. */
interface Stored<T> {
  readonly body: Uint8Array;
  readonly value: T;
}

/** Decodes what changed, keeps the last good version of what is refused, drops what was removed. */
export class ResourceStore<T> {
  readonly typeUrl: string;
  private readonly decode: (body: Uint8Array, name: string) => T;
  private readonly stored = new Map<string, Stored<T>>();
  /** Names that the source was asked for and does not have. */
  private readonly absent = new Set<string>();
  /** True once an update of this type has come. */
  received = false;

  constructor(typeUrl: string, decode: (body: Uint8Array, name: string) => T) {
    this.typeUrl = typeUrl;
    this.decode = decode;
  }

  /** Names whose value changed, appeared or vanished, and what was refused. */
  apply(update: ConfigUpdate): { readonly changed: readonly string[]; readonly rejections: readonly Rejection[] } {
    this.received = true;
    const changed: string[] = [];
    const rejections: Rejection[] = [];
    for (const resource of update.resources) {
      try {
        if (this.put(resource)) changed.push(resource.name);
      } catch (error) {
        rejections.push({ typeUrl: this.typeUrl, name: resource.name, reason: error instanceof Error ? error.message : String(error) });
        if (!this.stored.has(resource.name)) this.absent.add(resource.name);
      }
    }
    const gone = update.full
      ? [...this.stored.keys()].filter((name) => !update.resources.some((resource) => resource.name === name))
      : update.removed;
    for (const name of gone) if (this.stored.delete(name)) changed.push(name);
    for (const name of update.removed) this.absent.add(name);
    return { changed, rejections };
  }

  get(name: string): T | undefined {
    return this.stored.get(name)?.value;
  }

  has(name: string): boolean {
    return this.stored.has(name);
  }

  /** The source has said that it has none, or what it has was refused. */
  isAbsent(name: string): boolean {
    return this.absent.has(name);
  }

  /** Nobody waits for it any longer; when it comes, it counts. */
  giveUp(name: string): void {
    if (!this.stored.has(name)) this.absent.add(name);
  }

  /** Forgets every other name, also that the source has none: who asks again waits anew. */
  keep(names: readonly string[]): void {
    const kept = new Set(names);
    for (const name of this.stored.keys()) if (!kept.has(name)) this.stored.delete(name);
    for (const name of this.absent) if (!kept.has(name)) this.absent.delete(name);
  }

  values(): Iterable<[string, T]> {
    return [...this.stored].map(([name, { value }]) => [name, value]);
  }

  private put({ name, body }: RawResource): boolean {
    const before = this.stored.get(name);
    if (before !== undefined && equalBytes(before.body, body)) return false;
    this.stored.set(name, { body, value: this.decode(body, name) });
    this.absent.delete(name);
    return true;
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
