import { lstatSync, readdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A configuration file as it was read. */
export interface SourceFile {
  /** Path relative to the folder, with `/`. */
  readonly name: string;
  readonly text: string;
}

/** A file as it was found, with what tells whether it has changed since. */
export interface FoundFile extends SourceFile {
  readonly stamp: string;
}

export interface Scan {
  readonly files: readonly FoundFile[];
  /** What tells whether files came to a folder, or went, since. */
  readonly stamps: ReadonlyMap<string, string>;
  /** Folders in which a change concerns us, with their inodes. */
  readonly folders: ReadonlyMap<string, number>;
  /** Files that are there and cannot be read, with the reason. */
  readonly unreadable: ReadonlyMap<string, string>;
}

const EXTENSIONS = ['.yaml', '.yml', '.json'];
/** Nobody writes such a file by hand, and it would hold up everything else while it is read. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Every configuration file under a folder, sorted by name. `path` may also be one file. */
export function readFolder(path: string): SourceFile[] {
  return scanFolder(path).files.map(({ name, text }) => ({ name, text }));
}

/**
 * Reads a folder recursively and follows links, as a mounted ConfigMap needs it (its files are links into `..data`). Hidden files and
 * folders (editors' swap files, .git) and node_modules are left alone. A file that vanishes while it is read is a file that is not
 * there; one that has not changed since `before` is not read again. Throws when the folder itself cannot be read.
 */
export function scanFolder(path: string, before?: Scan): Scan {
  const known = new Map(before?.files.map((file) => [file.name, file]));
  const scan = emptyScan();
  const stats = statSync(path);
  if (stats.isDirectory()) walk(path, '', stats, known, scan);
  else read(path, basename(path), stats, known, scan);
  scan.files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return scan;
}

/**
 * The scan with some of its files looked at again; undefined when that is not enough: one is new, gone, a link, or cannot be read.
 */
export function rescanFiles(path: string, before: Scan, names: ReadonlySet<string>): Scan | undefined {
  if (before.unreadable.size > 0) return undefined;
  const files = [...before.files];
  for (const name of names) {
    const at = placeOf(name, files);
    const file = join(path, name);
    const stats = files[at]?.name === name ? ifThere(() => lstatSync(file)) : undefined;
    if (stats?.isFile() !== true) return undefined;
    const again = emptyScan();
    read(file, name, stats, new Map([[name, files[at]!]]), again);
    if (again.files.length !== 1) return undefined;
    files[at] = again.files[0]!;
  }
  return { ...before, files };
}

/** Where a file of that name stands, or would stand, among files that are sorted by name. */
function placeOf(name: string, files: readonly FoundFile[]): number {
  let [from, to] = [0, files.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (files[middle]!.name < name) from = middle + 1;
    else to = middle;
  }
  return from;
}

type Known = ReadonlyMap<string, FoundFile>;
type Found = {
  files: FoundFile[];
  stamps: Map<string, string>;
  folders: Map<string, number>;
  unreadable: Map<string, string>;
};

function emptyScan(): Found {
  return { files: [], stamps: new Map(), folders: new Map(), unreadable: new Map() };
}

/** What differs once a file was written or a folder got or lost an entry. */
function stampOf({ ino, size, mtimeMs, ctimeMs }: Stats): string {
  return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
}

/** So many files are looked at in one go. */
const SLICE_FILES = 50;

/**
 * Whether a look at the folder would find it changed, or has to be had to know. Stops after so many files each time: thousands of them
 * must not hold up everything else.
 */
export function* hasChanged(path: string, { files, stamps, unreadable }: Scan): Generator<void, boolean> {
  if (unreadable.size > 0) return true;
  for (const [folder, stamp] of stamps) if (stampAt(folder) !== stamp) return true;
  for (const [index, { name, stamp }] of files.entries()) {
    if (stampAt(join(path, name)) !== stamp) return true;
    if (index % SLICE_FILES === SLICE_FILES - 1) yield;
  }
  return false;
}

function stampAt(file: string): string | undefined {
  const stats = ifThere(() => statSync(file));
  return stats === undefined ? undefined : stampOf(stats);
}

function walk(folder: string, prefix: string, { ino }: Stats, known: Known, scan: Found): void {
  const real = realpathSync(folder);
  if (scan.folders.has(real)) return; // A link that leads back.
  scan.folders.set(real, ino);
  scan.stamps.set(real, stampOf(statSync(real)));
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const file = join(folder, entry.name);
    const name = `${prefix}${entry.name}`;
    const stats = ifThere(() => statSync(file));
    if (stats === undefined) continue;
    if (stats.isDirectory()) {
      try {
        walk(file, `${name}/`, stats, known, scan);
      } catch (error) {
        if (!isGone(error)) scan.unreadable.set(`${name}/`, message(error));
      }
    } else if (stats.isFile() && EXTENSIONS.some((extension) => name.endsWith(extension))) {
      if (entry.isSymbolicLink()) watchTarget(file, scan);
      read(file, name, stats, known, scan);
    }
  }
}

/** A linked file changes in its own folder. */
function watchTarget(file: string, scan: Found): void {
  const target = ifThere(() => dirname(realpathSync(file)));
  const stats = target === undefined || scan.folders.has(target) ? undefined : ifThere(() => statSync(target));
  if (target !== undefined && stats !== undefined) scan.folders.set(target, stats.ino);
}

function read(file: string, name: string, stats: Stats, known: Known, scan: Found): void {
  const { size } = stats;
  const stamp = stampOf(stats);
  const before = known.get(name);
  if (before?.stamp === stamp) {
    scan.files.push(before);
    return;
  }
  if (size > MAX_BYTES) {
    scan.unreadable.set(name, `it is larger than ${MAX_BYTES / 1024 / 1024} MiB: split it`);
    return;
  }
  try {
    const text = ifThere(() => readFileSync(file, 'utf8'));
    if (text !== undefined) scan.files.push({ name, text, stamp });
  } catch (error) {
    scan.unreadable.set(name, message(error));
  }
}

function ifThere<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** ELOOP: links that lead to each other lead nowhere. */
function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR';
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
