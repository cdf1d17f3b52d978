import { type FSWatcher, statSync, watch } from 'node:fs';
import { readFolder } from './folder.ts';
import { ObjectStore, type StoreState } from './object-store.ts';

export interface FileSourceOptions {
  /** A folder, read recursively, or one file. */
  readonly path: string;
  readonly defaultNamespace?: string;
  readonly onChange: (state: StoreState) => void;
  readonly onProblem: (message: string) => void;
  /** How long the folder must be quiet before it is read again, ms. Default 30. */
  readonly quietMs?: number;
  /** Read again this often even without a sign from the file system (network drives send none), ms. Default 2,000. */
  readonly pollMs?: number;
}

/** A longer burst of saves than this is not waited out. */
const MAX_WAIT_MS = 300;

/** Watches a folder of YAML. Throws at once when it does not exist; later trouble is reported and the last state stays. */
export class FileSource {
  private readonly options: FileSourceOptions;
  private readonly store: ObjectStore;
  private readonly poll: NodeJS.Timeout;
  private watcher: FSWatcher | undefined;
  private timer: NodeJS.Timeout | undefined;
  private firstSignMs = 0;
  private lastProblem = '';
  private closed = false;

  constructor(options: FileSourceOptions) {
    this.options = options;
    this.store = new ObjectStore(options.defaultNamespace);
    const initial = this.store.update(readFolder(options.path)) ?? this.store.state();
    options.onChange(initial);
    this.watch();
    this.poll = setInterval(() => this.read(), options.pollMs ?? 2000);
    this.poll.unref();
  }

  /** A change was noticed and not read yet. */
  get pending(): boolean {
    return this.timer !== undefined;
  }

  close(): void {
    this.closed = true;
    this.watcher?.close();
    clearTimeout(this.timer);
    clearInterval(this.poll);
  }

  private watch(): void {
    try {
      this.watcher = watch(this.options.path, { recursive: statSync(this.options.path).isDirectory(), persistent: false }, () =>
        this.sign(),
      );
      this.watcher.on('error', (error) => this.problem(`watching ${this.options.path}: ${error.message}`));
    } catch (error) {
      // Reading every pollMs goes on without it.
      this.problem(`cannot watch ${this.options.path} (${message(error)}); it is read every ${this.options.pollMs ?? 2000} ms`);
    }
  }

  /** Editors save in several steps (truncate, write, rename): read when they are done. */
  private sign(): void {
    if (this.closed) return;
    const now = performance.now();
    if (this.timer === undefined) this.firstSignMs = now;
    else if (now - this.firstSignMs > MAX_WAIT_MS) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), this.options.quietMs ?? 30);
  }

  private read(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    try {
      const state = this.store.update(readFolder(this.options.path));
      this.lastProblem = '';
      if (state !== undefined) this.options.onChange(state);
    } catch (error) {
      this.problem(`cannot read ${this.options.path} (${message(error)}); the last good configuration stays`);
    }
  }

  /** Told once, not every poll. */
  private problem(text: string): void {
    if (text === this.lastProblem) return;
    this.lastProblem = text;
    this.options.onProblem(text);
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
