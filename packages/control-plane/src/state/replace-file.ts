import { renameSync, rmSync, writeFileSync } from 'node:fs';

export interface ReplaceOptions {
  /** 0600 without. */
  readonly mode?: number;
  /** On the disk before it takes the place of the old one. */
  readonly flush?: boolean;
}

/** Written beside and renamed, so that a kill leaves the old file or the new one. Throws what the file system says. */
export function replaceFile(file: string, text: string, { mode = 0o600, flush = false }: ReplaceOptions = {}): void {
  const temporary = `${file}.tmp`;
  // One that a crash left would keep its own mode.
  rmSync(temporary, { force: true });
  writeFileSync(temporary, text, { mode, flush });
  renameSync(temporary, file);
}
