import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Pair } from '../simulation/observation.ts';
import { startStaticPair } from './filters/static-mesh.ts';

const { envoy: peer } = inject('peers');
if ('missing' in peer) console.log(`skipped: time limits of requests beside an Envoy: ${peer.missing}`);

const HEAD = 'POST /x HTTP/1.1\r\nhost: a\r\n';
const LATE = '408 request timeout, close, request_overall_timeout';

/** What comes of bytes that stop. Heads that do not come to their end are in no account of ours (docs/reference/differences.md). */
const CASES: readonly (readonly [what: string, manager: object, bytes: string, wanted: string])[] = [
  ['a body', { request_timeout: '0.3s' }, `${HEAD}content-length: 5\r\n\r\nhe`, LATE],
  ['a body in chunks', { request_timeout: '0.3s' }, `${HEAD}transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n`, LATE],
  ['a body that nobody has begun', { request_timeout: '0.3s' }, `${HEAD}content-length: 5\r\n\r\n`, LATE],
  ['a head, with the limit of a request', { request_timeout: '0.3s' }, HEAD, '408 request timeout, close'],
  ['a head', { request_headers_timeout: '0.3s' }, HEAD, '408 request header timeout, close'],
  ['a byte', { request_headers_timeout: '0.3s' }, 'G', '408 request header timeout, close'],
  ['a head, the sooner limit', { request_headers_timeout: '0.3s', request_timeout: '1s' }, HEAD, '408 request header timeout, close'],
  ['a body, with the limit of heads alone', { request_headers_timeout: '0.3s' }, `${HEAD}content-length: 5\r\n\r\nhe`, 'nothing'],
  ['nothing', { request_headers_timeout: '0.3s', request_timeout: '0.3s' }, `${HEAD}content-length: 2\r\n\r\nhe`, '200 ok, , via_upstream'],
];

describe.skipIf('missing' in peer).each(CASES)('what stops is %s', (_what, manager, bytes, wanted) => {
  const parts = new AsyncDisposableStack();
  let pair: Pair;

  beforeAll(async () => {
    if ('missing' in peer) return;
    const back = createServer((request, response) => request.resume().on('end', () => response.end('ok')));
    await new Promise<void>((resolve) => back.listen(0, '127.0.0.1', resolve));
    parts.defer(() => {
      back.closeAllConnections();
      back.close();
    });
    const virtualHosts = [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'back' } }] }];
    const clusters = { back: { ports: [(back.address() as AddressInfo).port] } };
    pair = await startStaticPair(peer.path, { filters: [], virtualHosts, clusters, manager }, parts);
  });
  afterAll(() => parts.disposeAsync());

  it.each(['envoy', 'sdk'] as const)('%s', async (side) => {
    const { status, headers, body } = await pair[side].call({ url: 'http://edge/', raw: bytes });
    if (status === 0) {
      expect('nothing').toBe(wanted);
      return;
    }
    const got = `${status} ${body}, ${headers.connection === 'close' ? 'close' : ''}`;
    // `<flags> <details>` of the account.
    const details = wanted.split(', ').length === 3 ? `, ${(await pair[side].account!()).split(' ').at(-1)}` : '';
    expect(got + details).toBe(wanted);
  });
});
