import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Keys as they were fetched. */
export interface FetchedJwks {
  readonly jwks: string;
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number;
}

/** Fetched keys on disk: an issuer that cannot be reached during a restart does not lock everybody out. Public keys; nothing secret. */
export class SavedJwks {
  private readonly file: string;

  constructor(stateDir: string) {
    this.file = join(stateDir, 'jwks.json');
  }

  /** Written beside and renamed. Throws what the file system says. */
  save(fetched: ReadonlyMap<string, FetchedJwks>): void {
    writeFileSync(`${this.file}.tmp`, JSON.stringify([...fetched]), { mode: 0o600 });
    renameSync(`${this.file}.tmp`, this.file);
  }

  /** Throws when the file is damaged: name the reason and go on without. */
  load(): ReadonlyMap<string, FetchedJwks> {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw error;
    }
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed) || !parsed.every(isEntry)) throw new Error(`${this.file} does not hold key sets`);
    return new Map(parsed);
  }
}

function isEntry(value: unknown): value is [string, FetchedJwks] {
  if (!Array.isArray(value) || typeof value[0] !== 'string') return false;
  const { jwks, fetchedAt } = (value[1] ?? {}) as Partial<FetchedJwks>;
  return typeof jwks === 'string' && typeof fetchedAt === 'number';
}
