import type { MeshConfigSpec, MeshObject } from '@ripstop/istio-api';
import type { Get } from '../jwks/guarded-get.ts';
import { bundleUrlsOf } from '../push/mesh-config.ts';
import type { Scheduler } from '../registry/workload-registry.ts';
import type { SavedEntries } from '../state/saved-entries.ts';
import { rootsOfBundle } from './spiffe-bundle.ts';

export interface SpiffeBundlesOptions {
  readonly get: Get;
  readonly scheduler: Scheduler;
  /** Roots have changed: a new push is due. */
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
  /** Undefined = bundles are fetched anew after a restart. */
  readonly saved?: SavedEntries<string> | undefined;
}

/** istiod's interval and patience. */
const REFRESH_MS = 30 * 60_000;
const TIMEOUT_MS = 10_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;

interface Entry {
  readonly url: string;
  roots: string | undefined;
  settled: Promise<void> | undefined;
  failures: number;
  told: string;
  timer: { cancel(): void } | undefined;
}

/** Where MeshConfig says that roots are to be had. */
export function bundleUrls(objects: readonly MeshObject[]): readonly string[] {
  const mesh = objects.find(({ kind }) => kind === 'MeshConfig') as MeshObject<MeshConfigSpec> | undefined;
  return bundleUrlsOf(mesh?.spec ?? {});
}

/**
 * Keeps the roots of other meshes: fetched over HTTPS by the system's roots, fetched again, and the last good ones kept (istiod:
 * TrustBundle.ProcessRemoteTrustAnchors, which forgets those that cannot be fetched).
 */
export class SpiffeBundles {
  private readonly options: SpiffeBundlesOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly remembered: ReadonlyMap<string, string>;

  constructor(options: SpiffeBundlesOptions) {
    this.options = options;
    this.remembered = this.recall();
  }

  /** Roots by URL, PEM; URLs without roots are not in it. */
  get current(): ReadonlyMap<string, string> {
    return new Map([...this.entries].flatMap(([url, { roots }]) => (roots === undefined ? [] : [[url, roots] as const])));
  }

  /** Sets what is kept. Answers a promise when some bundles are asked for the first time; it resolves when they are here or have failed. */
  want(urls: readonly string[]): Promise<void> | undefined {
    for (const [url, { timer }] of this.entries) {
      if (urls.includes(url)) continue;
      timer?.cancel();
      this.entries.delete(url);
    }
    for (const url of urls) if (!this.entries.has(url)) this.add(url);
    const waiting = [...this.entries.values()].flatMap(({ settled, roots }) => (roots === undefined ? (settled ?? []) : []));
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
  }

  close(): void {
    for (const { timer } of this.entries.values()) timer?.cancel();
    this.entries.clear();
  }

  private add(url: string): void {
    const entry: Entry = { url, roots: this.remembered.get(url), settled: undefined, failures: 0, told: '', timer: undefined };
    this.entries.set(url, entry);
    entry.settled = this.refresh(entry).finally(() => {
      entry.settled = undefined;
    });
  }

  private async refresh(entry: Entry): Promise<void> {
    const before = entry.roots;
    const awaited = entry.failures === 0 && before === undefined;
    let delayMs = REFRESH_MS;
    try {
      entry.roots = rootsOfBundle(await this.options.get(secure(entry.url), TIMEOUT_MS));
      entry.failures = 0;
      if (entry.told !== '') this.options.onProblem(`the roots of ${placeOf(entry.url)} are here again`);
      entry.told = '';
    } catch (error) {
      delayMs = Math.min(FIRST_RETRY_MS * 2 ** entry.failures++, MAX_RETRY_MS);
      this.tell(entry, (error as Error).message);
    }
    if (this.entries.get(entry.url) !== entry) return; // not wanted any more
    entry.timer = this.options.scheduler.setTimer(() => void this.refresh(entry), delayMs);
    if (entry.roots === before) return;
    this.save();
    // Who waits for the first roots looks by itself (see want).
    if (!awaited) this.options.onChange();
  }

  /** Once per reason, not once per try. */
  private tell(entry: Entry, reason: string): void {
    if (entry.told === reason) return;
    entry.told = reason;
    const effect =
      entry.roots === undefined ? 'callers whom they vouch for are refused until they are here' : 'the last good ones stay in force';
    this.options.onProblem(`roots of caCertificates (${placeOf(entry.url)}): ${reason}; ${effect}`);
  }

  private recall(): ReadonlyMap<string, string> {
    try {
      return this.options.saved?.load() ?? new Map();
    } catch (error) {
      this.options.onProblem(`roots that were fetched in the last run are not taken over: ${(error as Error).message}`);
      return new Map();
    }
  }

  private save(): void {
    try {
      this.options.saved?.save(this.current);
    } catch (error) {
      this.options.onProblem(`fetched roots are not saved for a restart: ${(error as Error).message}`);
    }
  }
}

/** Istio: without a scheme it is https, and it is never anything else. */
function secure(url: string): string {
  if (url.startsWith('https://')) return url;
  if (url.includes('://')) throw new Error('roots are fetched by https alone');
  return `https://${url}`;
}

/** Without user and query, which may hold what is nobody's business. */
function placeOf(url: string): string {
  const whole = url.includes('://') ? url : `https://${url}`;
  return URL.canParse(whole) ? new URL(whole).origin + new URL(whole).pathname : 'no URL';
}
