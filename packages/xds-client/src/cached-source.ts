import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, ConfigSource, ConfigSubscription, ConfigUpdate, RawResource, Rejection, Timer } from '@ripstop/core';
import { SECRET_TYPE_URL } from '@ripstop/xds-api';

export interface CachedSourceOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** Older caches are ignored. Default 7 days. */
  readonly maxAgeMs?: number;
  readonly log?: (line: string) => void;
}

interface CacheFile {
  readonly savedAt: number;
  readonly types: Readonly<Record<string, readonly { readonly name: string; readonly version: string; readonly body: string }[]>>;
}

const WEEK_MS = 7 * 24 * 3_600_000;
const SAVE_DELAY_MS = 250;

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
      want: (typeUrl, names) => subscription.want(typeUrl, names),
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

  private remember(update: ConfigUpdate, rejections: readonly Rejection[]): void {
    if (update.typeUrl === SECRET_TYPE_URL) return;
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
      if (!rejections.some(({ name }) => name === resource.name)) resources.set(resource.name, resource);
    }
    for (const name of update.removed) resources.delete(name);
    this.timer?.cancel();
    this.timer = this.options.clock.setTimer(() => this.save(), SAVE_DELAY_MS);
  }

  /** Written beside and renamed over: a crash leaves the old file or the new one. */
  private save(): void {
    this.timer = undefined;
    const types = Object.fromEntries(
      [...this.current].map(([typeUrl, resources]) => [
        typeUrl,
        [...resources.values()].map(({ name, version, body }) => ({ name, version, body: Buffer.from(body).toString('base64') })),
      ]),
    );
    const content = JSON.stringify({ savedAt: this.options.clock.wallTime(), types } satisfies CacheFile);
    try {
      mkdirSync(this.options.dir, { recursive: true, mode: 0o700 });
      writeFileSync(`${this.file}.tmp`, `${checksum(content)}\n${content}`, { mode: 0o600 });
      renameSync(`${this.file}.tmp`, this.file);
    } catch (error) {
      this.options.log?.(`the configuration cache ${this.file} cannot be written: ${error instanceof Error ? error.message : error}`);
    }
  }

  private load(): [string, RawResource[]][] {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.options.log?.(`the configuration cache ${this.file} cannot be read: ${(error as Error).message}`);
      return [];
    }
    const line = text.indexOf('\n');
    const content = text.slice(line + 1);
    if (line === -1 || text.slice(0, line) !== checksum(content)) return this.ignore('it is damaged or was not written to its end');
    const { savedAt, types } = JSON.parse(content) as CacheFile;
    const ageMs = this.options.clock.wallTime() - savedAt;
    if (ageMs > (this.options.maxAgeMs ?? WEEK_MS)) return this.ignore(`it is ${Math.round(ageMs / 3_600_000)} h old`);
    return Object.entries(types).map(([typeUrl, resources]) => [
      typeUrl,
      resources.map(({ name, version, body }) => ({ name, version, body: Buffer.from(body, 'base64') })),
    ]);
  }

  private ignore(reason: string): [] {
    this.options.log?.(`the configuration cache ${this.file} is ignored: ${reason}`);
    return [];
  }
}

export function createCachedSource(inner: ConfigSource, options: CachedSourceOptions): CachedSource {
  return new CachedSource(inner, options);
}

function checksum(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
