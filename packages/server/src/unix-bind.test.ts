import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bindPath } from './unix-bind.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ripstop-unix-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function bodyAt(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: '/', agent: false }, (response) => response.setEncoding('utf8').on('data', resolve)).on('error', reject);
  });
}

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
    expect(first.listenerCount('error')).toBe(0);
    await new Promise((resolve) => first.close(resolve));
  });

  it('takes the place of a socket that a process left behind', async () => {
    const [path, other] = [join(dir, 'socket'), join(dir, 'other')];
    const gone = createServer();
    await bindPath(gone, other);
    renameSync(other, path);
    await new Promise((resolve) => gone.close(resolve));
    const server = createServer((_request, response) => response.end('mine'));
    expect(await bindPath(server, path)).toEqual({ address: path, family: 'unix', port: 0 });
    expect(await bodyAt(path)).toBe('mine');
    await new Promise((resolve) => server.close(resolve));
  });

  it.skipIf(process.platform !== 'linux')('may be an abstract one, which no file stands for', async () => {
    const path = `@ripstop-test-${process.pid}`;
    const server = createServer((_request, response) => response.end('mine'));
    expect(await bindPath(server, path)).toEqual({ address: path, family: 'unix', port: 0 });
    expect(await bodyAt(`\0${path.slice(1)}`)).toBe('mine');
    await expect(bindPath(createServer(), path)).rejects.toThrow(`cannot listen on unix://${path}: something else listens there`);
    await new Promise((resolve) => server.close(resolve));
  });

  it('tells what the system says where it cannot be made', async () => {
    const path = join(dir, 'missing', 'socket');
    await expect(bindPath(createServer(), path)).rejects.toThrow(/^cannot listen on unix:\/\/.*socket: listen E/);
  });
});
