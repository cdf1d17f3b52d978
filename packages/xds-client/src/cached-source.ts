import { join } from 'node:path';
import type { Clock, ConfigSource, ConfigSubscription, ConfigUpdate, RawResource, Rejection, Timer } from '@ripstop/core';
import { SECRET_TYPE_URL, VIRTUAL_HOST_TYPE_URL } from '@ripstop/xds-api';
import { readCacheFile, writeCacheFile } from './cache-file.ts';

export interface CachedSourceOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Older caches are ignored. Default 7 days. */
  readonly maxAgeMs?: number;
  readonly log?: (line: string) => void;
}

const WEEK_MS = 7 * 24 * 3_600_000;
const SAVE_DELAY_MS = 250;
/** Clocks are set back; a file from further in the future is not believed. */
const SKEW_MS = 5 * 60_000;

/**
 * The last-known-good configuration on disk. It is served at once at start; the first live update of a type replaces the cached one
 * whole, so what vanished meanwhile is gone. Configuration only: secrets pass through and are never written. A damaged, partial or old
 * file is ignored with its reason.
 */
export class CachedSource implements ConfigSource {
  private readonly inner: ConfigSource;
  private readonly options: CachedSourceOptions;
  private readonly file: string;
  private readonly current = new Map<string, Map<string, RawResource>>();
  /** Types that still hold cached resources. */
  private readonly cachedTypes = new Set<string>();
  private timer: Timer | undefined;
  private state: 'none' | 'cache' | 'live' = 'none';

  constructor(inner: ConfigSource, options: CachedSourceOptions) {
    this.inner = inner;
    this.options = options;
    this.file = join(options.dir, 'last-known-good.json');
  }

  /** Where the configuration in force came from. */
  origin(): 'none' | 'cache' | 'live' {
    return this.state;
  }

  subscribe(apply: (update: ConfigUpdate) => readonly Rejection[]): ConfigSubscription {
    for (const [typeUrl, resources] of this.load()) {
      this.state = 'cache';
      this.cachedTypes.add(typeUrl);
      this.current.set(typeUrl, new Map(resources.map((resource) => [resource.name, resource])));
      apply({ typeUrl, version: 'cache', resources, removed: [], full: true });
    }
    const subscription = this.inner.subscribe((update) => this.receive(update, apply));
    return {
      want: (typeUrl, names) => {
        this.keep(typeUrl, names);
        subscription.want(typeUrl, names);
      },
      close: () => {
        this.timer?.cancel();
        if (this.timer !== undefined) this.save();
        subscription.close();
      },
    };
  }

  private receive(update: ConfigUpdate, apply: (update: ConfigUpdate) => readonly Rejection[]): readonly Rejection[] {
    this.state = 'live';
    // Names come in several responses; only what the live server has named so far may replace, and a wildcard's first answer is whole.
    const replaces = this.cachedTypes.delete(update.typeUrl) && /Cluster$|Listener$/.test(update.typeUrl);
    const effective: ConfigUpdate = replaces ? { ...update, full: true } : update;
    const rejections = apply(effective);
    this.remember(effective, rejections);
    return rejections;
  }

  /** What nobody asks for any longer has no word of its end: it would be kept for ever. */
  private keep(typeUrl: string, names: readonly string[] | '*'): void {
    const resources = this.current.get(typeUrl);
    if (resources === undefined || names === '*') return;
    const kept = new Set(names);
    for (const name of resources.keys()) if (!kept.has(name)) resources.delete(name);
  }

  private remember(update: ConfigUpdate, rejections: readonly Rejection[]): void {
    // Hosts that come on demand are asked for again by those who call them.
    if (update.typeUrl === SECRET_TYPE_URL || update.typeUrl === VIRTUAL_HOST_TYPE_URL) return;
    let resources = this.current.get(update.typeUrl);
    if (resources === undefined || update.full) {
      const kept = resources;
      resources = new Map();
      for (const { name } of rejections) {
        const good = kept?.get(name);
        if (good !== undefined) resources.set(name, good);
      }
      this.current.set(update.typeUrl, resources);
    }
    for (const resource of update.resources) {
      if (rejections.some(({ name }) => name === resource.name)) continue;
      // What its server wants gone soon does not wait on a disk.
      if (resource.ttlMs === undefined) resources.set(resource.name, resource);
      else resources.delete(resource.name);
    }
    for (const name of update.removed) resources.delete(name);
    this.timer?.cancel();
    this.timer = this.options.clock.setTimer(() => this.save(), SAVE_DELAY_MS);
  }

  private save(): void {
    this.timer = undefined;
    const types = new Map([...this.current].map(([typeUrl, resources]) => [typeUrl, [...resources.values()]]));
    try {
      writeCacheFile(this.file, { savedAt: this.options.clock.wallTime(), types });
    } catch (error) {
      this.options.log?.(`the configuration cache ${this.file} cannot be written: ${error instanceof Error ? error.message : error}`);
    }
  }

  private load(): readonly (readonly [string, readonly RawResource[]])[] {
    const read = readCacheFile(this.file);
    if ('refused' in read) return read.refused === undefined ? [] : this.ignore(read.refused);
    const ageMs = this.options.clock.wallTime() - read.savedAt;
    if (ageMs > (this.options.maxAgeMs ?? WEEK_MS)) return this.ignore(`it is ${Math.round(ageMs / 3_600_000)} h old`);
    if (ageMs < -SKEW_MS) return this.ignore('it was saved in the future: is the clock right?');
    return [...read.types];
  }

  private ignore(reason: string): [] {
    this.options.log?.(`the configuration cache ${this.file} is ignored: ${reason}`);
    return [];
  }
}

export function createCachedSource(inner: ConfigSource, options: CachedSourceOptions): CachedSource {
  return new CachedSource(inner, options);
}
