import { localReply } from '@ripstop/core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Probes } from './probes.ts';
import { type ClientTls, RawClient } from './testing/raw-client.ts';
import { type DoubleOptions, ServerDouble } from './testing/server-double.ts';
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

async function serve(mode: 'STRICT' | 'PERMISSIVE', options: DoubleOptions = {}): Promise<ServerDouble> {
  const double = await ServerDouble.start((request, response) => void response.end(`app ${request.url}`), {
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

  it('is none over mutual TLS: callers of the mesh are judged', async () => {
    const tls = { ...authority.issue({ uris: ['spiffe://cluster.local/ns/default/sa/caller'] }), ALPNProtocols: ['istio-http/1.1'] };
    for (const mode of ['STRICT', 'PERMISSIVE'] as const) expect(await ask(await serve(mode), get('/healthz'), tls)).toBe('403');
  });

  it('gets nothing where none is configured', async () => {
    expect(await ask(await serve('STRICT', { probes: undefined }), get('/healthz'))).toBe('nothing');
    expect(await ask(await serve('PERMISSIVE', { probes: undefined }), get('/healthz'))).toBe('403');
  });

  it.each(['healthz', '/a b', '/healthz?x', '/h#x', '*', '/%68'])('cannot be %s', (path) => {
    expect(() => new Probes([path])).toThrow(`"${path}" cannot be a probe`);
  });
});
