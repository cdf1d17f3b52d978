import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Fetched roots on disk, by URL: a peer that cannot be reached during a restart does not lock its callers out. Public; nothing secret. */
export class SavedBundles {
  private readonly file: string;

  constructor(stateDir: string) {
    this.file = join(stateDir, 'spiffe-bundles.json');
  }

  /** Written beside and renamed. Throws what the file system says. */
  save(roots: ReadonlyMap<string, string>): void {
    writeFileSync(`${this.file}.tmp`, JSON.stringify([...roots]), { mode: 0o600 });
    renameSync(`${this.file}.tmp`, this.file);
  }

  /** Throws when the file is damaged: name the reason and go on without. */
  load(): ReadonlyMap<string, string> {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw error;
    }
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed) || !parsed.every(isEntry)) throw new Error(`${this.file} does not hold roots`);
    return new Map(parsed);
  }
}

function isEntry(value: unknown): value is [string, string] {
  if (!Array.isArray(value) || typeof value[0] !== 'string' || typeof value[1] !== 'string') return false;
  return value[1].includes('-----BEGIN CERTIFICATE-----');
}
