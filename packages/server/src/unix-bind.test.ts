import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bindPath } from './unix-bind.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-unix-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('a Unix socket', () => {
  it('takes the place of no file that is none', async () => {
    const path = join(dir, 'notes');
    writeFileSync(path, 'kept');
    await expect(bindPath(createServer(), path)).rejects.toThrow(`cannot listen on unix://${path}: something else listens there`);
    expect(readFileSync(path, 'utf8')).toBe('kept');
  });

  it('takes the place of no socket that somebody listens at', async () => {
    const path = join(dir, 'socket');
    const first = createServer();
    expect(await bindPath(first, path)).toEqual({ address: path, family: 'unix', port: 0 });
    await expect(bindPath(createServer(), path)).rejects.toThrow('something else listens there');
    await new Promise((resolve) => first.close(resolve));
  });
});
