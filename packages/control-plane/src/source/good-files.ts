import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The last text of each file that was without a mistake, kept over restarts: a policy whose edit went wrong must not fall silent
 * because the control plane was started again. Files with a Secret are not kept: nothing secret is written to disk.
 */
export class GoodFiles {
  private readonly file: string;
  private saved = '';

  constructor(stateDir: string) {
    this.file = join(stateDir, 'last-good-files.json');
  }

  /** File name → text; empty when nothing was kept. Throws when what was kept is damaged. */
  load(): ReadonlyMap<string, string> {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw error;
    }
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || !Object.values(parsed).every((value) => typeof value === 'string'))
      throw new Error(`${this.file} does not hold texts by file name`);
    return new Map(Object.entries(parsed as Record<string, string>));
  }

  /** Written beside and renamed, and only when something has changed. */
  save(texts: ReadonlyMap<string, string>): void {
    const text = JSON.stringify(Object.fromEntries(texts));
    if (text === this.saved) return;
    writeFileSync(`${this.file}.tmp`, text, { mode: 0o600 });
    renameSync(`${this.file}.tmp`, this.file);
    this.saved = text;
  }
}
