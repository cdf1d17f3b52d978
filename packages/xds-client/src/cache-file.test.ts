import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CachedConfig, type CacheFileSystem, FILE_SYSTEM, readCacheFile, writeCacheFile } from './cache-file.ts';

const config = (version: string): CachedConfig => ({
  savedAt: 1_700_000_000_000,
  types: new Map([
    ['type.googleapis.com/envoy.config.cluster.v3.Cluster', [{ name: 'a', version, body: Buffer.from(`body of ${version}`) }]],
  ]),
});

/** Lets so many steps pass; a disk takes a part of what it is given. */
function fileSystemThatDies(steps: number): CacheFileSystem {
  let left = steps;
  const step = (): void => {
    if (left-- <= 0) throw new Error('crash');
  };
  return {
    closeSync: (handle) => {
      FILE_SYSTEM.closeSync(handle); // The handle is the test's own.
      step();
    },
    fsyncSync: (handle) => {
      step();
      return FILE_SYSTEM.fsyncSync(handle);
    },
    mkdirSync: (dir, options) => {
      step();
      return FILE_SYSTEM.mkdirSync(dir, options);
    },
    openSync: (file, flags, mode) => {
      step();
      return FILE_SYSTEM.openSync(file, flags, mode);
    },
    renameSync: (from, to) => {
      step();
      return FILE_SYSTEM.renameSync(from, to);
    },
    rmSync: (file, options) => {
      step();
      return FILE_SYSTEM.rmSync(file, options);
    },
    writeSync: (handle, bytes, at) => {
      step();
      return FILE_SYSTEM.writeSync(handle, bytes.subarray(0, at + 7), at);
    },
  };
}

describe('the file of the last-known-good configuration', () => {
  let dir: string;
  let file: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-cache-'));
    file = join(dir, 'cache/last-known-good.json');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('is read as it was written, and is for this user alone', () => {
    writeCacheFile(file, config('1'));
    expect(readCacheFile(file)).toEqual(config('1'));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'cache')).mode & 0o777).toBe(0o700);
  });

  it('is the old one or the new one after a crash at any step of writing', () => {
    let crashes = 0;
    for (let survived = 0; ; survived++) {
      rmSync(join(dir, 'cache'), { recursive: true, force: true });
      writeCacheFile(file, config('old'));
      const dying = fileSystemThatDies(survived);
      try {
        writeCacheFile(file, config('new'), dying);
        break;
      } catch {
        crashes++;
        expect(readCacheFile(file)).toEqual(config('old'));
        writeCacheFile(file, config('next')); // what the crash left is no obstacle
        expect(readCacheFile(file)).toEqual(config('next'));
      }
    }
    expect(crashes).toBeGreaterThan(20);
    expect(readCacheFile(file)).toEqual(config('new'));
  });

  it('is refused when any one bit of it differs, and when any part of its end is missing', () => {
    writeCacheFile(file, config('1'));
    const good = readFileSync(file);
    for (let at = 0; at < good.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bad = Buffer.from(good);
        bad[at]! ^= 1 << bit;
        writeFileSync(file, bad);
        expect(readCacheFile(file), `bit ${bit} of byte ${at}`).toEqual({ refused: 'it is damaged or was not written to its end' });
      }
      writeFileSync(file, good.subarray(0, at));
      expect(readCacheFile(file), `${at} bytes`).toEqual({ refused: 'it is damaged or was not written to its end' });
    }
  });

  it.each([
    [
      'a symbolic link',
      () => {
        renameSync(file, `${file}.other`);
        symlinkSync(`${file}.other`, file);
      },
      /symbolic link/,
    ],
    ['a file that others may write', () => chmodSync(file, 0o622), /others may write it: make its mode 0600/],
    [
      'a folder',
      () => {
        rmSync(file);
        mkdirSync(file);
      },
      /cannot be read/,
    ],
  ])('is refused when it is %s', (_what, change, reason) => {
    writeCacheFile(file, config('1'));
    change();
    expect(readCacheFile(file)).toEqual({ refused: expect.stringMatching(reason) });
  });

  it('is not there before it was written, which is no reason to say anything', () => {
    expect(readCacheFile(file)).toEqual({ refused: undefined });
  });
});
