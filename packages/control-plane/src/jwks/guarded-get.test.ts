import { createServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, getDefaultAutoSelectFamily, setDefaultAutoSelectFamily } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { guardedGet } from './guarded-get.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a guarded GET', () => {
  it('reads a document', async () => {
    const url = await serve((_request, response) => response.end('{"keys":[]}'));
    expect(await guardedGet()(url, 2_000)).toBe('{"keys":[]}');
    expect(await guardedGet()(url.replace('127.0.0.1', 'localhost'), 2_000)).toBe('{"keys":[]}');
  });

  it('asks for JSON as it is, and takes just a MiB', async () => {
    const asked: unknown[] = [];
    const url = await serve(({ method, headers }, response) => {
      asked.push([method, headers.accept, headers['accept-encoding']]);
      response.writeHead(200, { 'content-encoding': 'identity' }).end(Buffer.alloc(1024 * 1024, 'é'));
    });
    expect(await guardedGet()(url, 10_000)).toBe('é'.repeat(512 * 1024));
    expect(asked).toEqual([['GET', 'application/json', 'identity']]);
  });

  it('reads from a name where an app has switched the choice among its addresses off', async () => {
    const url = await serve((_request, response) => response.end('x'));
    const before = getDefaultAutoSelectFamily();
    setDefaultAutoSelectFamily(false);
    try {
      expect(await guardedGet()(url.replace('127.0.0.1', 'localhost'), 2_000)).toBe('x');
    } finally {
      setDefaultAutoSelectFamily(before);
    }
  });

  it.each<[string, RequestListener]>([
    ['well', (_request, response) => response.end('x')],
    ['badly', (_request, response) => response.writeHead(400).end()],
  ])('leaves no timer behind when it ends %s', async (_what, handler) => {
    const url = await serve(handler);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    await guardedGet()(url, 600_000).catch(() => {});
    expect(timers()).toBeLessThanOrEqual(before); // One of somebody else may have run out.
  });

  it('hangs up on an answer that it does not want', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const url = await serve((_request, response) => {
      response.once('close', resolve);
      response.writeHead(500).write('x');
    });
    await expect(guardedGet()(url, 10_000)).rejects.toThrow('status 500');
    await promise;
  });

  it('tells that a name leads nowhere', async () => {
    await expect(guardedGet()('http://no..name/', 10_000)).rejects.toThrow(/no\.\.name/);
  });

  it.each<[string, RequestListener, string | RegExp]>([
    ['another status', (_request, response) => response.writeHead(304).end(), 'status 304; redirects are not followed'],
    ['a status below', (_request, response) => response.writeHead(299).end(), /^status 299$/],
    ['a status above', (_request, response) => response.writeHead(400).end(), /^status 400$/],
    ['the least redirect', (_request, response) => response.writeHead(300).end(), 'status 300; redirects are not followed'],
    [
      'a redirect',
      (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
      'redirects are not followed',
    ],
    [
      'a compressed answer',
      (_request, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      'content-encoding gzip',
    ],
    ['more than a MiB', (_request, response) => response.end(Buffer.alloc(1024 * 1024 + 1)), 'more than 1048576 bytes'],
    [
      'an answer that breaks off',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '9' });
        response.write('x', () => response.destroy());
      },
      'the answer broke off',
    ],
    ['no answer', () => {}, 'no complete answer within 50 ms'],
    ['an answer without end', (_request, response) => void response.write('x'), 'no complete answer within 50 ms'],
  ])('refuses %s', async (_what, handler, reason) => {
    const timeoutMs = String(reason).includes('50 ms') ? 50 : 5_000;
    await expect(guardedGet()(await serve(handler), timeoutMs)).rejects.toThrow(reason);
  });

  it.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[fd00:ec2::254]/',
    'http://0xa9fea9fe/',
  ])('never dials a link-local address: %s', async (url) => {
    await expect(guardedGet()(url, 1_000)).rejects.toThrow(/address .* is blocked/);
  });

  it('does not dial blocked ranges, whatever a name resolves to', async () => {
    const url = await serve((_request, response) => response.end('secret'));
    const get = guardedGet(['127.0.0.0/8', '::1/128']);
    await expect(get(url, 1_000)).rejects.toThrow('address 127.0.0.1 is blocked');
    await expect(get(url.replace('127.0.0.1', 'localhost'), 1_000)).rejects.toThrow(/localhost has the address .*, which is blocked/);
  });

  it.each(['file:///etc/passwd', 'ftp://a/'])('knows http and https only: %s', async (url) => {
    await expect(guardedGet()(url, 1_000)).rejects.toThrow('is not fetched');
  });
});
