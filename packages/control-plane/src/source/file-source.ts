import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { hasChanged, rescanFiles, type Scan, type SourceFile, scanFolder } from './folder.ts';
import { FolderWatch } from './folder-watch.ts';
import { GoodFiles } from './good-files.ts';
import { refuseLostMeshConfig } from './lost-mesh-config.ts';
import { ObjectStore, type StoreState } from './object-store.ts';

export interface FileSourceOptions {
  /** A folder, read recursively, or one file. */
  readonly path: string;
  readonly defaultNamespace?: string;
  /** Where the last good text of each file is kept over restarts; undefined = nowhere. */
  readonly stateDir?: string;
  readonly onChange: (state: StoreState) => void;
  readonly onProblem: (message: string) => void;
  /** How long the folder must be quiet before it is read again, ms. Default 15; 5 for files so small that they are written in one go. */
  readonly quietMs?: number;
  /** Read again this often even without a sign from the file system (network drives send none), ms. Default 2,000. */
  readonly pollMs?: number;
}

const QUIET_MS = 15;
/** Whoever writes so little does it in one go (stdio gathers 4 KiB, editors and `kubectl` more): there is nothing to wait for. */
const SMALL_BYTES = 4096;
const SMALL_QUIET_MS = 5;
/** Fewer files than this are read again without asking. */
const MANY_FILES = 500;
/** A longer burst of saves than this is not waited out. */
const MAX_WAIT_MS = 300;

/** Watches a folder of YAML. Throws at once when it does not exist, or its mesh configuration has no version that can be used; later trouble is reported and the last state stays. */
export class FileSource {
  private readonly options: FileSourceOptions;
  private readonly path: string;
  private readonly store: ObjectStore;
  private readonly good: GoodFiles | undefined;
  private readonly folders: FolderWatch;
  private readonly poll: NodeJS.Timeout;
  private scan: Scan;
  /** The files in force, and those of them that the last scan did not find any more. */
  private files: Map<string, SourceFile>;
  /** The same, sorted by name. */
  private inOrder: readonly SourceFile[];
  private missing: ReadonlySet<string> = new Set();
  /** Names of the files that there was a sign of; undefined: look at all. */
  private touched: Set<string> | undefined = new Set();
  private readonly realPath: string;
  private looking = false;
  private timer: NodeJS.Timeout | undefined;
  private firstSignMs = 0;
  private readonly problems = new Set<string>();
  private closed = false;

  constructor(options: FileSourceOptions) {
    this.options = options;
    this.path = resolve(options.path);
    this.realPath = realpathSync(this.path);
    this.good = options.stateDir === undefined ? undefined : new GoodFiles(options.stateDir);
    this.store = new ObjectStore(options.defaultNamespace, this.remember());
    this.folders = new FolderWatch(
      (folder, file) => this.noticed(folder, file),
      (message) => this.problem(`${message}; it is read every ${this.pollMs} ms`),
    );
    this.scan = scanFolder(this.path);
    this.files = byName(this.scan.files);
    this.inOrder = this.scan.files;
    this.report(this.scan);
    const state = this.store.update(this.scan.files) ?? this.store.state();
    refuseLostMeshConfig(state);
    options.onChange(state);
    this.keep();
    this.follow();
    // What was saved before the watch began. A large folder is not read once more for that.
    if (this.isLarge) this.lookAgain();
    else this.sign();
    this.poll = setInterval(() => {
      if (!this.pending) this.lookAgain();
    }, this.pollMs);
    this.poll.unref();
  }

  /** A change was noticed and not read yet. */
  get pending(): boolean {
    return this.timer !== undefined;
  }

  /** Looks for changes now, without waiting for the file system's sign: what was saved before this call is `pending` or read. */
  look(): void {
    if (this.pending) return;
    try {
      if (stampsOf(scanFolder(this.path, this.scan)) !== stampsOf(this.scan)) this.sign();
    } catch (error) {
      this.problem(`cannot read ${this.path} (${reasonOf(error)}); the last good configuration stays`);
    }
  }

  close(): void {
    this.closed = true;
    this.folders.close();
    clearTimeout(this.timer);
    this.timer = undefined;
    clearInterval(this.poll);
  }

  private get isLarge(): boolean {
    return this.scan.files.length >= MANY_FILES;
  }

  private get pollMs(): number {
    return this.options.pollMs ?? 2000;
  }

  /**
   * Watches what was found, and the folder above as well: the folder itself may be replaced, and a single file is, by most editors, with
   * every save. True when it watches more than before: what was saved there meanwhile gave no sign.
   */
  private follow(): boolean {
    const above = dirname(this.path);
    const folders = new Map(this.scan.folders);
    if (!folders.has(above)) folders.set(above, statSync(above).ino);
    return this.folders.follow(folders);
  }

  private noticed(folder: string, file: string | null): void {
    const others = !this.scan.folders.has(folder) && folder === dirname(this.path) && file !== null && file !== basename(this.path);
    if (!others) this.sign(file === null ? undefined : join(relative(this.realPath, folder), file));
  }

  /** Editors save in several steps (truncate, write, rename): read when they are done. */
  private sign(name?: string): void {
    if (this.closed) return;
    if (name === undefined) this.touched = undefined;
    else this.touched?.add(name);
    const now = performance.now();
    if (this.timer === undefined) this.firstSignMs = now;
    else if (now - this.firstSignMs > MAX_WAIT_MS) return;
    clearTimeout(this.timer);
    const { quietMs } = this.options;
    this.timer = setTimeout(() => (quietMs === undefined ? this.readIfWhole() : this.read()), quietMs ?? SMALL_QUIET_MS);
  }

  private readIfWhole(): void {
    const { touched } = this;
    if (touched !== undefined && touched.size > 0 && [...touched].every((name) => isSmall(join(this.path, name)))) this.read();
    else this.timer = setTimeout(() => this.read(), QUIET_MS - SMALL_QUIET_MS);
  }

  /** A large folder is first asked whether there is something to read, some of its files at a time. */
  private lookAgain(): void {
    if (this.looking) return;
    if (this.missing.size > 0 || !this.isLarge) {
      this.read();
      return;
    }
    this.looking = true;
    const { scan } = this;
    const look = hasChanged(this.path, scan);
    const goOn = (): void => {
      // Somebody has read it meanwhile.
      if (this.closed || this.scan !== scan) {
        this.looking = false;
        return;
      }
      const step = this.stepOf(look);
      if (step.done !== true) {
        setImmediate(goOn);
        return;
      }
      this.looking = false;
      if (step.value && !this.pending) this.read();
    };
    goOn();
  }

  /** What cannot be looked at is read, which says why. */
  private stepOf(look: Iterator<void, boolean>): IteratorResult<void, boolean> {
    try {
      return look.next();
    } catch {
      return { done: true, value: true };
    }
  }

  private read(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { touched } = this;
    this.touched = new Set();
    try {
      const some = touched === undefined || touched.size === 0 ? undefined : rescanFiles(this.path, this.scan, touched);
      this.scan = some ?? scanFolder(this.path, this.scan);
      this.report(this.scan);
      this.take(this.scan);
      if (this.follow()) this.sign();
    } catch (error) {
      this.problem(`cannot read ${this.path} (${reasonOf(error)}); the last good configuration stays`);
    }
  }

  /**
   * A file is gone, or empty, when it is so twice in a row: an editor that renames the old file away, or truncates it, has not
   * written the new one yet. What is there and cannot be read stays as it was.
   */
  private take(scan: Scan): void {
    if (!this.takeAsItIs(scan)) this.takeCarefully(scan);
  }

  /** Nearly always: no file came, went, was emptied, or cannot be read. */
  private takeAsItIs({ files, unreadable }: Scan): boolean {
    const { inOrder } = this;
    if (this.missing.size > 0 || unreadable.size > 0 || files.length !== inOrder.length) return false;
    const changed: SourceFile[] = [];
    for (let at = 0; at < files.length; at++) {
      const [file, before] = [files[at]!, inOrder[at]!];
      if (file === before) continue;
      if (file.name !== before.name || isBlank(file)) return false;
      changed.push(file);
    }
    for (const file of changed) this.files.set(file.name, file);
    this.put(files);
    return true;
  }

  private takeCarefully(scan: Scan): void {
    const files = new Map<string, SourceFile>();
    const missing = new Set<string>();
    for (const file of scan.files) {
      const before = this.files.get(file.name);
      if (file === before || !isBlank(file) || isBlank(before)) files.set(file.name, file);
    }
    for (const [name, file] of this.files) {
      if (files.has(name)) continue;
      if (isUnreadable(name, scan)) files.set(name, file);
      else if (!this.missing.has(name)) {
        files.set(name, file);
        missing.add(name);
      }
    }
    this.files = files;
    this.missing = missing;
    if (missing.size > 0) this.sign();
    this.put([...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1)));
  }

  private put(files: readonly SourceFile[]): void {
    this.inOrder = files;
    const state = this.store.update(files);
    if (state === undefined) return;
    this.options.onChange(state);
    this.keep();
  }

  private remember(): ReadonlyMap<string, string> {
    try {
      return this.good?.load() ?? new Map();
    } catch (error) {
      this.problem(`what was good in the last run is not known (${reasonOf(error)}): a file with an error has no version to fall back on`);
      return new Map();
    }
  }

  private keep(): void {
    try {
      this.good?.save(this.store.goodTexts);
    } catch (error) {
      this.problem(`the good configuration is not kept for a restart (${reasonOf(error)})`);
    }
  }

  private report({ unreadable }: Scan): void {
    for (const [name, reason] of unreadable) this.problem(`cannot read ${name} (${reason}); what it said before stays`);
    // Told again when it happens again.
    if (unreadable.size === 0) this.problems.clear();
  }

  /** Told once, not every poll. */
  private problem(text: string): void {
    if (this.problems.has(text)) return;
    this.problems.add(text);
    this.options.onProblem(text);
  }
}

/** One that is empty is still being written. */
function isSmall(file: string): boolean {
  try {
    const { size } = statSync(file);
    return size > 0 && size < SMALL_BYTES;
  } catch {
    return false; // Reading says what is wrong.
  }
}

function stampsOf({ files }: Scan): string {
  return files.map(({ name, stamp }) => `${name} ${stamp}`).join('\n');
}

function isBlank(file: SourceFile | undefined): boolean {
  return file === undefined || file.text.trim() === '';
}

function isUnreadable(name: string, { unreadable }: Scan): boolean {
  if (unreadable.has(name)) return true;
  for (const entry of unreadable.keys()) if (entry.endsWith('/') && name.startsWith(entry)) return true;
  return false;
}

function byName(files: readonly SourceFile[]): Map<string, SourceFile> {
  return new Map(files.map((file) => [file.name, file]));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
