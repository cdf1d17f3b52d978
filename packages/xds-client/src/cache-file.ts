import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { RawResource } from '@ripstop/core';

/** Resources by type, and when they were saved (ms since the epoch). */
export interface CachedConfig {
  readonly savedAt: number;
  readonly types: ReadonlyMap<string, readonly RawResource[]>;
}

/** Why a cache file is not used; `undefined` = there is none. */
export type CacheRefusal = { readonly refused: string | undefined };

/** The steps of writing. Tests put a file system in its place that dies between any two of them. */
export interface CacheFileSystem {
  closeSync(handle: number): void;
  fsyncSync(handle: number): void;
  mkdirSync(dir: string, options: { readonly recursive: true; readonly mode: number }): unknown;
  openSync(file: string, flags: number, mode: number): number;
  renameSync(from: string, to: string): void;
  rmSync(file: string, options: { readonly force: true }): void;
  /** Answers how many of the bytes from `at` on were taken. */
  writeSync(handle: number, bytes: Uint8Array, at: number): number;
}

export const FILE_SYSTEM: CacheFileSystem = { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync };

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = constants;

/**
 * Writes beside and renames over, so that a crash at any step leaves the old file or the new one. Folder 0700, file 0600; an existing
 * temporary file is a crash's and goes. Throws what the file system throws.
 */
export function writeCacheFile(file: string, { savedAt, types }: CachedConfig, fs: CacheFileSystem = FILE_SYSTEM): void {
  const content = JSON.stringify({
    savedAt,
    types: Object.fromEntries(
      [...types].map(([typeUrl, resources]) => [
        typeUrl,
        resources.map(({ name, version, body }) => ({ name, version, body: Buffer.from(body).toString('base64') })),
      ]),
    ),
  });
  const temporary = `${file}.tmp`;
  fs.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  fs.rmSync(temporary, { force: true });
  const handle = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    const bytes = Buffer.from(`${checksum(content)}\n${content}`);
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(handle, bytes, at);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(temporary, file);
}

/** Reads what `writeCacheFile` wrote. A file that somebody else may have written, or that is not whole, is refused with the reason. */
export function readCacheFile(file: string): CachedConfig | CacheRefusal {
  let text: string;
  try {
    const handle = openSync(file, O_RDONLY | O_NOFOLLOW);
    try {
      const refused = untrusted(handle);
      if (refused !== '') return { refused };
      text = readFileSync(handle, 'utf8');
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { refused: undefined };
    return { refused: code === 'ELOOP' ? 'it is a symbolic link' : `it cannot be read: ${message}` };
  }
  const line = text.indexOf('\n');
  const content = text.slice(line + 1);
  if (line === -1 || text.slice(0, line) !== checksum(content)) return { refused: 'it is damaged or was not written to its end' };
  return parse(content);
}

/** Configuration decides who gets in: nobody but this user may have written it. */
function untrusted(handle: number): string {
  const { uid, mode } = fstatSync(handle);
  const own = process.getuid?.();
  if (own === undefined) return ''; // Windows: access lists, which the mode does not show.
  if (uid !== own) return `it belongs to user ${uid}, not to this one (${own})`;
  return (mode & 0o022) === 0 ? '' : 'others may write it: make its mode 0600';
}

function parse(content: string): CachedConfig | CacheRefusal {
  const value = JSON.parse(content) as { readonly savedAt?: unknown; readonly types?: unknown };
  if (typeof value.savedAt !== 'number' || typeof value.types !== 'object' || value.types === null)
    return { refused: 'it is of another version' };
  const types = new Map<string, readonly RawResource[]>();
  for (const [typeUrl, resources] of Object.entries(value.types as Record<string, unknown>)) {
    if (!Array.isArray(resources) || !resources.every(isSaved)) return { refused: 'it is of another version' };
    types.set(
      typeUrl,
      resources.map(({ name, version, body }) => ({ name, version, body: Buffer.from(body, 'base64') })),
    );
  }
  return { savedAt: value.savedAt, types };
}

function isSaved(value: unknown): value is { readonly name: string; readonly version: string; readonly body: string } {
  const { name, version, body } = (value ?? {}) as Record<string, unknown>;
  return typeof name === 'string' && typeof version === 'string' && typeof body === 'string';
}

function checksum(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
