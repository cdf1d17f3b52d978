import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Judged, Measured } from './messages.ts';

/** `unreached`: no test runs the place. */
export type Verdict = Judged['verdict'] | 'unreached';

interface Kept {
  readonly verdict: Verdict;
  /** Of everything that the verdict rests on. */
  readonly key: string;
  /** The test file that noticed the mutant. */
  readonly by?: string;
}

interface KeptFile {
  /** Hash of the target. */
  readonly source: string;
  readonly verdicts: Record<string, Kept>;
}

export interface KeptOptions {
  readonly directory: string;
  /** What every verdict rests on: the gate itself, the dependencies. */
  readonly base: string;
  readonly measured: readonly Pick<Measured, 'file' | 'imports'>[];
  readonly read?: (path: string) => string;
}

interface Asked {
  readonly name: string;
  /** The test files that reach the mutant now. */
  readonly files: readonly string[];
}

interface Judgement extends Asked {
  readonly verdict: Verdict;
  /** The test file that noticed it. */
  readonly by: string | undefined;
}

/**
 * Verdicts of earlier runs, one file per target. One holds as long as nothing changed that it rests on: of a mutant that was noticed the
 * test file that did and all that it imports; of a survivor every test file that reaches it, with all that they import.
 */
export class KeptResults {
  private readonly options: KeptOptions;
  private readonly read: (path: string) => string;
  private readonly imports: ReadonlyMap<string, readonly string[]>;
  private readonly hashes = new Map<string, string>();
  private readonly closures = new Map<string, string>();

  constructor(options: KeptOptions) {
    this.options = options;
    this.read = options.read ?? ((path) => readFileSync(path, 'utf8'));
    this.imports = new Map(options.measured.map(({ file, imports }) => [file, imports]));
  }

  /** What holds of the asked mutants, by their names. */
  of(target: string, asked: readonly Asked[]): ReadonlyMap<string, Verdict> {
    const kept = this.load(target);
    const found = new Map<string, Verdict>();
    for (const { name, files } of asked) {
      const one = kept[name];
      if (one?.key === this.keyOf(one?.by === undefined ? files : [one.by])) found.set(name, one.verdict);
    }
    return found;
  }

  save(target: string, results: readonly Judgement[]): void {
    const verdicts = this.load(target);
    for (const { name, verdict, by, files } of results)
      verdicts[name] = { verdict, key: this.keyOf(by === undefined ? files : [by]), ...(by === undefined ? {} : { by }) };
    mkdirSync(this.options.directory, { recursive: true });
    const path = this.pathOf(target);
    writeFileSync(`${path}.new`, JSON.stringify({ source: this.hash(target), verdicts } satisfies KeptFile));
    renameSync(`${path}.new`, path);
  }

  private keyOf(tests: readonly string[]): string {
    return digest([this.options.base, ...tests.map((test) => this.closureOf(test)).sort()]);
  }

  private closureOf(test: string): string {
    let known = this.closures.get(test);
    if (known === undefined) {
      const paths = this.imports.get(test)?.toSorted() ?? [];
      known = digest([test, ...paths.map((path) => `${path} ${this.hash(path)}`)]);
      this.closures.set(test, known);
    }
    return known;
  }

  private hash(path: string): string {
    let known = this.hashes.get(path);
    if (known === undefined) {
      known = digest([this.read(path)]);
      this.hashes.set(path, known);
    }
    return known;
  }

  private load(target: string): Record<string, Kept> {
    try {
      const { source, verdicts } = JSON.parse(readFileSync(this.pathOf(target), 'utf8')) as KeptFile;
      return source === this.hash(target) ? verdicts : {};
    } catch {
      return {}; // Nothing is known yet, or nothing that can be read: it is judged again.
    }
  }

  private pathOf(target: string): string {
    return join(this.options.directory, `${target.replaceAll('/', '+')}.json`);
  }
}

function digest(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest('base64url');
}
