import type { RequestListener } from 'node:http';
import { localReply } from '@ripstop/core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PEEK_TIMEOUT_MS } from './connection-peek.ts';
import { Probes } from './probes.ts';
import { type ClientTls, RawClient } from './testing/raw-client.ts';
import { chainsOf, type DoubleOptions, ServerDouble } from './testing/server-double.ts';
import { TestAuthority, TestIdentity } from './testing/test-authority.ts';

let authority: TestAuthority;
beforeAll(() => {
  authority = new TestAuthority();
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** Nobody may do anything. */
const closed = { name: 'closed', onRequest: () => localReply({ status: 403, details: 'rbac', body: 'denied' }) };

const echo: RequestListener = (request, response) => void response.end(`app ${request.url}`);

async function serve(mode: 'STRICT' | 'PERMISSIVE', options: DoubleOptions = {}, app: RequestListener = echo): Promise<ServerDouble> {
  const double = await ServerDouble.start(app, {
    mode,
    identity: new TestIdentity(authority, 'spiffe://cluster.local/ns/default/sa/server'),
    filters: [closed],
    probes: new Probes(['/healthz', '/ready']),
    ...options,
  });
  cleanups.push(() => double[Symbol.asyncDispose]());
  return double;
}

/** What comes for these bytes: a body, `status` of a refusal, or nothing. */
async function ask(double: ServerDouble, bytes: string, tls?: ClientTls): Promise<string> {
  const client = await RawClient.open(double.port, tls);
  cleanups.push(() => client.close());
  client.write(bytes);
  try {
    const { status, body } = await client.response();
    return status === 200 ? body : String(status);
  } catch {
    return 'nothing';
  }
}

const get = (path: string, lines = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;

describe('a probe', () => {
  it.each(['STRICT', 'PERMISSIVE'] as const)('is answered by the app past every policy, %s', async (mode) => {
    const double = await serve(mode);
    expect(await ask(double, get('/healthz'))).toBe('app /healthz');
    expect(await ask(double, get('/ready?full=1'))).toBe('app /ready?full=1');
    expect(double.started).toEqual([]);
  });

  it.each([
    ['another path', get('/admin')],
    ['a path below', get('/healthz/x')],
    ['another case', get('/Healthz')],
    ['dots', get('/x/../healthz')],
    ['an escape', get('/%68ealthz')],
    ['two slashes', get('//healthz')],
    ['a fragment', get('/healthz#/admin')],
    ['a parameter', get('/healthz;x')],
    ['the absolute form', get('http://a/healthz')],
    ['POST', 'POST /healthz HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n'],
    ['a body', get('/healthz', 'content-length: 1\r\n')],
    ['chunks', get('/healthz', 'transfer-encoding: chunked\r\n')],
    ['an upgrade', get('/healthz', 'connection: upgrade\r\nupgrade: websocket\r\n')],
    ['a forged certificate', get('/healthz', 'x-forwarded-client-cert: URI=spiffe://cluster.local/ns/default/sa/admin\r\n')],
    ['headers of the mesh', get('/healthz', 'X-Envoy-Internal: true\r\n')],
    ['headers of the mesh by another spelling', get('/healthz', 'x_forwarded_client_cert: URI=spiffe://a/b\r\n')],
    ['another path by a header', get('/healthz', 'X-Original-URL: /admin\r\n')],
    ['another path by another header', get('/healthz', 'X-Rewrite-URL: /admin\r\n')],
    ['another method by a header', get('/healthz', 'X-HTTP-Method-Override: DELETE\r\n')],
    ['an expectation', get('/healthz', 'expect: 100-continue\r\n')],
  ])('is not %s', async (_what, bytes) => {
    expect(await ask(await serve('STRICT'), bytes)).toBe('nothing');
    expect(['403', 'nothing', '400']).toContain(await ask(await serve('PERMISSIVE'), bytes));
  });

  it('is the only request of its connection', async () => {
    const double = await serve('STRICT');
    const client = await RawClient.open(double.port);
    cleanups.push(() => client.close());
    client.write(get('/healthz') + get('/healthz') + get('/admin'));
    const first = await client.response();
    expect([first.body, first.header('connection')]).toEqual(['app /healthz', 'close']);
    expect(await client.rest()).toBe('');
  });

  it('is the last request that a PERMISSIVE port hears of its connection, and is answered though the port becomes STRICT', async () => {
    const heard: string[] = [];
    let answer = (): void => {};
    const held: RequestListener = (request, response) => {
      heard.push(request.url!);
      answer = () => void response.end('well');
    };
    const double = await serve('PERMISSIVE', { filters: [] }, held);
    const client = await RawClient.open(double.port);
    cleanups.push(() => client.close());
    client.write(get('/healthz') + get('/ready') + get('/admin'));
    await expect.poll(() => heard, { interval: 1 }).toEqual(['/healthz']);
    double.swap(chainsOf('STRICT'));
    answer();
    expect((await client.response()).body).toBe('well');
    expect(await client.rest()).toBe('');
    expect(heard).toEqual(['/healthz']);
  });

  it('holds no socket while its head does not come, and has the time that the app takes', async () => {
    const held: (() => void)[] = [];
    const double = await serve('STRICT', {}, (_request, response) => void held.push(() => response.end('well')));
    const [slow, asking] = [await RawClient.open(double.port), await RawClient.open(double.port)];
    cleanups.push(
      () => slow.close(),
      () => asking.close(),
    );
    slow.write('GET /healthz HTTP/1.1\r\nHo');
    // Bytes of several connections are read in the order in which they came.
    asking.write(get('/healthz'));
    await expect.poll(() => held.length, { interval: 1 }).toBe(1);
    double.clock.advance(PEEK_TIMEOUT_MS);
    expect(await slow.rest()).toBe('');
    held[0]!();
    expect((await asking.response()).body).toBe('well');
  });

  it('is none over mutual TLS: callers of the mesh are judged', async () => {
    const tls = { ...authority.issue({ uris: ['spiffe://cluster.local/ns/default/sa/caller'] }), ALPNProtocols: ['istio-http/1.1'] };
    for (const mode of ['STRICT', 'PERMISSIVE'] as const) expect(await ask(await serve(mode), get('/healthz'), tls)).toBe('403');
  });

  it('gets nothing where none is configured', async () => {
    expect(await ask(await serve('STRICT', { probes: undefined }), get('/healthz'))).toBe('nothing');
    expect(await ask(await serve('PERMISSIVE', { probes: undefined }), get('/healthz'))).toBe('403');
  });

  it.each<[what: string, request: object, wanted: boolean]>([
    ['a GET', {}, true],
    ['a HEAD', { method: 'HEAD' }, true],
    ['a POST without a body', { method: 'POST' }, false],
    ['a query with marks of its own', { url: '/healthz?a?b' }, true],
    ['a header that only ends like one of the mesh', { headers: { host: 'a', 'my-x-envoy-internal': '1' } }, true],
    ['a header of the mesh', { headers: { 'x-envoy-internal': '1' } }, false],
    ['an upgrade', { headers: { upgrade: 'websocket' } }, false],
    ['a body', { headers: { 'content-length': '1' } }, false],
    ['no target', { url: undefined }, false],
  ])('may be, or not: %s', (_what, request, wanted) => {
    const asked = { method: 'GET', url: '/healthz', headers: {}, ...request };
    expect(new Probes(['/healthz']).has(asked as never)).toBe(wanted);
  });

  it.each(['healthz', 'a/healthz', '/a b', '/healthz?x', '/h#x', '*', '/%68'])('cannot be %s', (path) => {
    expect(() => new Probes([path])).toThrow(`"${path}" cannot be a probe`);
  });
});
