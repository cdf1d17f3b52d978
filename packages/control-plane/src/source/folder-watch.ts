import { type FSWatcher, watch } from 'node:fs';

interface Watched {
  readonly ino: number;
  readonly watcher: FSWatcher;
}

/**
 * Watches folders one by one (the recursive watch of Node 24 on Linux misses links and folders that come back). Which ones is said
 * after each scan.
 */
export class FolderWatch {
  private readonly watched = new Map<string, Watched>();
  /** Told once each. */
  private readonly failed = new Set<string>();
  private readonly onSign: (folder: string, file: string | null) => void;
  private readonly onProblem: (message: string) => void;

  constructor(onSign: (folder: string, file: string | null) => void, onProblem: (message: string) => void) {
    this.onSign = onSign;
    this.onProblem = onProblem;
  }

  /** Watches exactly these. True when one is new: what happened in it before was not seen. */
  follow(folders: ReadonlyMap<string, number>): boolean {
    for (const [path, { ino, watcher }] of this.watched) {
      if (folders.get(path) === ino) continue;
      watcher.close();
      this.watched.delete(path);
    }
    let added = false;
    for (const [path, ino] of folders) if (!this.watched.has(path)) added = this.add(path, ino) || added;
    return added;
  }

  close(): void {
    for (const { watcher } of this.watched.values()) watcher.close();
    this.watched.clear();
  }

  private add(path: string, ino: number): boolean {
    try {
      const watcher = watch(path, { persistent: false }, (_event, file) => this.onSign(path, file));
      // A folder that vanishes ends its watch; the next scan says what is there.
      watcher.on('error', () => this.onSign(path, null));
      this.watched.set(path, { ino, watcher });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && !this.failed.has(path)) {
        this.failed.add(path);
        this.onProblem(`cannot watch ${path} (${error instanceof Error ? error.message : error})`);
      }
      return false;
    }
  }
}
