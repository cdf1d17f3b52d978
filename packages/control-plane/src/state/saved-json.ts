import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from './replace-file.ts';

export interface SavedForm<T> {
  /** Of the file, in the state directory. */
  readonly name: string;
  /** What the file holds, for the message about one that does not. */
  readonly holds: string;
  readonly accepts: (value: unknown) => value is T;
}

/** A value that is kept over a restart, as JSON in a file of its own. Nothing secret is written to disk. */
export class SavedJson<T> {
  private readonly file: string;
  private readonly form: SavedForm<T>;

  constructor(stateDir: string, form: SavedForm<T>) {
    this.file = join(stateDir, form.name);
    this.form = form;
  }

  /** Throws what the file system says. */
  save(value: T): void {
    replaceFile(this.file, JSON.stringify(value));
  }

  /** What was saved last; undefined when there is no file. Throws when it is damaged: name the reason and go on without. */
  load(): T | undefined {
    const text = this.read();
    if (text === undefined) return undefined;
    const value = this.parse(text);
    if (!this.form.accepts(value)) throw new Error(`${this.file} does not hold ${this.form.holds}`);
    return value;
  }

  private read(): string | undefined {
    try {
      return readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  private parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new Error(`${this.file} is not JSON: ${(cause as Error).message}`, { cause });
    }
  }
}
