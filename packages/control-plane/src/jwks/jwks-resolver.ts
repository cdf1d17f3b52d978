import type { Scheduler } from '../registry/workload-registry.ts';
import type { SavedEntries } from '../state/saved-entries.ts';
import { fetchJwks } from './fetch-jwks.ts';
import type { Get } from './guarded-get.ts';
import type { JwksSource } from './jwks-source.ts';
import type { FetchedJwks } from './saved-jwks.ts';

export interface JwksResolverOptions {
  readonly get: Get;
  readonly scheduler: Scheduler;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Keys have changed: a new push is due. */
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
  /** Undefined = keys are fetched anew after a restart. */
  readonly saved?: SavedEntries<FetchedJwks> | undefined;
}

/** istiod's interval. */
const REFRESH_MS = 20 * 60_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** How long keys are good when their issuer cannot be reached. */
const MAX_AGE_MS = 7 * 24 * 3_600_000;

interface Entry {
  readonly source: JwksSource;
  fetched: FetchedJwks | undefined;
  /** The first fetch has ended, well or not. */
  settled: Promise<void> | undefined;
  failures: number;
  told: string;
  timer: { cancel(): void } | undefined;
}

/** Keeps the keys of token issuers: fetched off every request's path, fetched again, and the last good ones kept. */
export class JwksResolver {
  private readonly options: JwksResolverOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly remembered: Map<string, FetchedJwks>;

  constructor(options: JwksResolverOptions) {
    this.options = options;
    this.remembered = this.recall();
  }

  /** Keys by {@link JwksSource.key}; sources without keys are not in it. */
  get current(): ReadonlyMap<string, string> {
    const current = new Map<string, string>();
    for (const [key, { fetched }] of this.entries) if (fetched !== undefined) current.set(key, fetched.jwks);
    return current;
  }

  /** Sets what is kept. Answers a promise when some keys are asked for the first time; it resolves when they are here or have failed. */
  want(sources: ReadonlyMap<string, JwksSource>): Promise<void> | undefined {
    for (const [key, { timer }] of this.entries) {
      if (sources.has(key)) continue;
      timer?.cancel();
      this.entries.delete(key);
    }
    for (const [key, source] of sources) if (!this.entries.has(key)) this.add(key, source);
    const waiting = [...this.entries.values()].flatMap(({ settled, fetched }) => (fetched === undefined ? (settled ?? []) : []));
    return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => undefined);
  }

  close(): void {
    for (const { timer } of this.entries.values()) timer?.cancel();
    this.entries.clear();
  }

  private add(key: string, source: JwksSource): void {
    const remembered = this.remembered.get(key);
    const fresh = remembered !== undefined && this.isFresh(remembered) ? remembered : undefined;
    const entry: Entry = { source, fetched: fresh, settled: undefined, failures: 0, told: '', timer: undefined };
    this.entries.set(key, entry);
    entry.settled = this.refresh(entry).finally(() => {
      entry.settled = undefined;
    });
  }

  private async refresh(entry: Entry): Promise<void> {
    const before = entry.fetched?.jwks;
    let delayMs = REFRESH_MS;
    try {
      const jwks = await fetchJwks(entry.source, this.options.get);
      entry.fetched = { jwks, fetchedAt: this.options.now() };
      entry.failures = 0;
      this.recovered(entry);
    } catch (error) {
      delayMs = Math.min(FIRST_RETRY_MS * 2 ** entry.failures++, MAX_RETRY_MS);
      if (entry.fetched !== undefined && !this.isFresh(entry.fetched)) entry.fetched = undefined;
      this.tell(entry, (error as Error).message);
    }
    if (this.entries.get(entry.source.key) !== entry) return; // not wanted any more
    entry.timer = this.options.scheduler.setTimer(() => void this.refresh(entry), delayMs);
    this.save();
    // Who waits for the first keys looks by itself (see want).
    const awaited = entry.settled !== undefined && before === undefined;
    if (entry.fetched?.jwks !== before && !awaited) this.options.onChange();
  }

  private isFresh({ fetchedAt }: FetchedJwks): boolean {
    return this.options.now() - fetchedAt < MAX_AGE_MS;
  }

  /** Once per reason, not once per try. */
  private tell(entry: Entry, reason: string): void {
    const { source, fetched } = entry;
    const effect = fetched === undefined ? 'requests with its tokens are refused until they are here' : 'the last good ones stay in force';
    if (entry.told === reason) return;
    entry.told = reason;
    this.options.onProblem(`keys of token issuer ${source.issuer} (${placeOf(source)}): ${reason}; ${effect}`);
  }

  private recovered(entry: Entry): void {
    if (entry.told !== '') this.options.onProblem(`keys of token issuer ${entry.source.issuer} (${placeOf(entry.source)}) are here again`);
    entry.told = '';
  }

  private recall(): Map<string, FetchedJwks> {
    try {
      return new Map(this.options.saved?.load());
    } catch (error) {
      this.options.onProblem(`token issuers' keys of the last run are not taken over: ${(error as Error).message}`);
      return new Map();
    }
  }

  private save(): void {
    const fetched = [...this.entries].flatMap(([key, entry]) => (entry.fetched === undefined ? [] : [[key, entry.fetched] as const]));
    try {
      this.options.saved?.save(new Map(fetched));
    } catch (error) {
      this.options.onProblem(`token issuers' keys are not saved for a restart: ${(error as Error).message}`);
    }
  }
}

/** Without user and query, which may hold what is nobody's business. */
function placeOf({ uri, issuer }: JwksSource): string {
  if (uri === undefined) return `OpenID configuration of ${issuer}`;
  return URL.canParse(uri) ? new URL(uri).origin + new URL(uri).pathname : 'no URL';
}
