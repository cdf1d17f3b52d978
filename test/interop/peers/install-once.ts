import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A peer that is there, or why it is not. */
export type PeerState = { readonly path: string } | { readonly missing: string };

export interface Installation {
  /** Folder name; carries the version, so that a new version is a new folder. */
  readonly name: string;
  /** What stands in the folder when it is complete, relative to it. */
  readonly binary: string;
  /** Fills the folder. Throws when it cannot. */
  readonly install: (folder: string) => Promise<void>;
  readonly progress: (line: string) => void;
}

/** Longer than any installation takes. */
const ABANDONED_MS = 3_600_000;

/**
 * Installs into a folder of its own and renames it when it is complete, so a half-finished installation is never found and two
 * runs at once do not disturb each other: the first to finish wins, the other throws its own copy away.
 */
export async function installOnce(directory: string, { name, binary, install, progress }: Installation): Promise<PeerState> {
  const final = join(directory, name);
  const path = join(final, binary);
  if (existsSync(path)) return { path };
  let unfinished = '';
  try {
    mkdirSync(directory, { recursive: true });
    removeAbandoned(directory);
    unfinished = mkdtempSync(join(directory, `${name}.unfinished-`));
    progress(`installing ${name} into ${directory} (once)`);
    await install(unfinished);
    if (!existsSync(join(unfinished, binary))) throw new Error(`the installation of ${name} has no ${binary}`);
    moveInto(unfinished, final, path);
    return { path };
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  } finally {
    if (unfinished !== '') rmSync(unfinished, { recursive: true, force: true });
  }
}

function moveInto(unfinished: string, final: string, path: string): void {
  try {
    renameSync(unfinished, final);
  } catch (error) {
    // Another run was faster; its copy is as good as ours.
    if (!existsSync(path)) throw error;
  }
}

/** What killed runs left behind. By age: whoever shares the directory may have process ids of its own. */
function removeAbandoned(directory: string): void {
  for (const entry of readdirSync(directory)) {
    if (!entry.includes('.unfinished-')) continue;
    const path = join(directory, entry);
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > ABANDONED_MS) rmSync(path, { recursive: true, force: true });
  }
}
