import { type Filter, formatResponseFlags, localReply } from '@ripstop/core';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { type ClientTls, RawClient, type RawResponse } from '../../packages/server/src/testing/raw-client.ts';
import { ServerDouble } from '../../packages/server/src/testing/server-double.ts';
import { TestAuthority, TestIdentity } from '../../packages/server/src/testing/test-authority.ts';

/** A row of reference/denials.md: what is sent, and what Envoy 1.40 as an Istio sidecar answers. */
interface Refusal {
  readonly cause: string;
  readonly bytes: string;
  readonly status: number;
  readonly body?: string;
  readonly flags?: string;
  readonly details: string;
  readonly inBody?: true;
  /** Default: the connection closes. */
  readonly open?: true;
}

const BAD = { status: 400, body: 'Bad Request', flags: 'DPE' } as const;
const codec = (cause: string, bytes: string): Refusal => ({ ...BAD, cause, bytes, details: 'http1.codec_error' });
/** The head was good, so the app has seen it; as behind Envoy. */
const inBody = (refusal: Refusal): Refusal => ({ ...refusal, inBody: true });
const get = (line: string, ...headers: string[]): string => [line, 'Host: a', ...headers, '', ''].join('\r\n');
const header = (text: string): string => get('GET / HTTP/1.1', text);
const post = (...headers: string[]): string => get('POST / HTTP/1.1', ...headers);
const chunked = (body: string): string => post('Transfer-Encoding: chunked') + body;
const host = (value: string): string => `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`;
const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `x-${index}: 1`);

const CONTROLS = [0x00, 0x01, 0x0b, 0x1b, 0x7f].map((code) => String.fromCharCode(code));

const REFUSALS: readonly Refusal[] = [
  ...['get', 'GEt', 'FOO', 'M-SEARCH', 'G@T'].map((method) => codec(`method ${method}`, get(`${method} / HTTP/1.1`))),
  codec('a target without a slash', get('GET admin HTTP/1.1')),
  codec('a target that is not ASCII', get('GET /\xe4 HTTP/1.1')),
  codec('TAB in the target', get('GET /a\tb HTTP/1.1')),
  codec('a space in the target', get('GET /a b HTTP/1.1')),
  codec('a bad header name', header('x@y[z]: 1')),
  codec('Host with a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'),
  codec('a header line without colon', header('nonsense')),
  codec('two equal lengths', `${post('Content-Length: 1', 'Content-Length: 1')}x`),
  codec('two different lengths', `${post('Content-Length: 1', 'Content-Length: 2')}xx`),
  ...['3,3', '+3', '0x3', '-1', '', '99999999999999999999999'].map((length) =>
    codec(`Content-Length "${length}"`, `${post(`Content-Length: ${length}`)}abc`),
  ),
  inBody(codec('a bad chunk size', chunked('x\r\n'))),
  inBody(codec('a bare LF after a chunk size', chunked('1\nx\r\n0\r\n\r\n'))),
  ...CONTROLS.map((char) => codec(`0x${char.charCodeAt(0).toString(16)} in a value`, header(`x: a${char}b`))),
  ...CONTROLS.map((char) => codec(`0x${char.charCodeAt(0).toString(16)} in a name`, header(`x${char}y: b`))),
  ...CONTROLS.map((char) => codec(`0x${char.charCodeAt(0).toString(16)} in the target`, get(`GET /a${char} HTTP/1.1`))),
  codec('a length beside chunks', `${post('Content-Length: 1', 'Transfer-Encoding: chunked')}0\r\n\r\n`),
  { ...BAD, cause: 'GET *', bytes: get('GET * HTTP/1.1'), details: 'http1.invalid_url' },
  ...['http://a:x/', 'http://a:99999/', 'http:///x', 'http://a b/'].map((target) => ({
    ...BAD,
    cause: `GET ${target}`,
    bytes: get(`GET ${target} HTTP/1.1`),
    details: 'http1.invalid_url',
  })),
  ...['/x', 'evil', 'http://evil/admin'].map((target) => ({
    ...BAD,
    cause: `CONNECT ${target}`,
    bytes: get(`CONNECT ${target} HTTP/1.1`),
    details: 'http1.invalid_url',
  })),
  ...['ftp://a/', 'ws://a/'].map((target) => ({
    ...BAD,
    cause: `GET ${target}`,
    bytes: get(`GET ${target} HTTP/1.1`),
    details: 'http1.invalid_scheme',
  })),
  ...['a b', 'a/b', 'a#b', 'a?b', 'a\\b', 'a"b', 'a<b', 'a>b', 'a\xe4'].map((value) => ({
    ...BAD,
    cause: `Host "${value}"`,
    bytes: host(value),
    details: 'http.invalid_authority',
  })),
  ...['x-forwarded-for', 'X-Forwarded-Proto', 'close, x-forwarded-for', ':path'].map((value) => ({
    ...BAD,
    cause: `Connection: ${value}`,
    bytes: header(`Connection: ${value}`),
    details: 'http1.connection_header_rejected',
  })),
  ...['xchunked', 'identity', 'gzip', 'gzip, chunked', 'chunked, chunked', 'chunked\r\nTransfer-Encoding: chunked'].flatMap((coding) =>
    ['', 'Connection: close'].map((connection) => ({
      cause: `Transfer-Encoding: ${coding.replace('\r\n', ' + ')} ${connection}`,
      bytes: `${post(`Transfer-Encoding: ${coding}`, ...(connection === '' ? [] : [connection]))}0\r\n\r\n`,
      status: 501,
      body: 'Not Implemented',
      flags: 'DPE',
      details: 'http1.invalid_transfer_encoding',
    })),
  ),
  ...['HTTP/1.0', 'HTTP/0.9', 'HTTP/1.2', 'HTTP/2.0'].map((version) => ({
    cause: version,
    bytes: get(`GET / ${version}`),
    status: 426,
    body: 'Upgrade Required',
    flags: 'DPE',
    details: 'low_version',
  })),
  {
    cause: 'HTTP/0.9 without a version',
    bytes: 'GET /admin\r\n\r\n',
    status: 426,
    body: 'Upgrade Required',
    flags: 'DPE',
    details: 'low_version',
  },
  ...[100, 999, 1_100, 2_100].map((count) => ({
    cause: `${count + 1} header lines`,
    bytes: get('GET / HTTP/1.1', ...many(count)),
    status: 431,
    body: 'Request Header Fields Too Large',
    flags: 'DPE',
    details: 'http1.too_many_headers',
  })),
  ...[
    ['a header of 64 KiB', header(`x: ${'y'.repeat(65_536)}`)],
    ['a target of 64 KiB', get(`GET /${'y'.repeat(65_536)} HTTP/1.1`)],
    ['60 KiB of headers', get('GET / HTTP/1.1', ...Array.from({ length: 60 }, (_, index) => `x-${index}: ${'y'.repeat(1_024)}`))],
  ].map(([cause, bytes]) => ({
    cause: cause!,
    bytes: bytes!,
    status: 431,
    body: 'Request Header Fields Too Large',
    flags: 'DPE',
    details: 'http1.headers_too_large',
  })),
  { cause: 'no Host', bytes: 'GET / HTTP/1.1\r\n\r\n', status: 400, details: 'missing_host_header' },
  { cause: 'Connection: host', bytes: header('Connection: host'), status: 400, details: 'missing_host_header' },
  { cause: 'NUL, escaped', bytes: get('GET /admin%00 HTTP/1.1'), status: 400, details: 'path_normalization_failed' },
  { cause: 'OPTIONS *', bytes: get('OPTIONS * HTTP/1.1'), status: 404, details: 'absolute_path_rejected', open: true },
  { cause: 'a query without path', bytes: get('GET http://e?x HTTP/1.1'), status: 404, details: 'absolute_path_rejected', open: true },
  { cause: 'QUERY without content-type', bytes: get('QUERY / HTTP/1.1'), status: 400, details: 'query_missing_content_type' },
  {
    cause: 'an upgrade that is not configured',
    bytes: get('GET / HTTP/1.1', 'Connection: upgrade', 'Upgrade: foo'),
    status: 403,
    details: 'upgrade_failed',
  },
  { cause: 'CONNECT', bytes: get('CONNECT evil:443 HTTP/1.1'), status: 404, flags: 'NR', details: 'route_not_found' },
  {
    cause: 'an upgrade that a policy denies',
    bytes: get('GET /denied HTTP/1.1', 'Connection: upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: eA==', 'Sec-WebSocket-Version: 13'),
    status: 403,
    body: 'RBAC: access denied',
    details: 'rbac',
  },
  { cause: 'a policy', bytes: get('GET /denied HTTP/1.1'), status: 403, body: 'RBAC: access denied', details: 'rbac', open: true },
];

/** Refused here alone, on purpose: docs/reference/differences.md. */
const STRICTER: readonly Refusal[] = [
  ...['u@a', 'a%00', 'a,b', 'a:', 'a:x', 'a:0', 'a:99999', ':80', 'a\r\nHost: b', 'a\r\nHost: a'].map((value) => ({
    ...BAD,
    cause: `Host "${value}"`,
    bytes: host(value),
    details: 'http.invalid_authority',
  })),
  {
    ...BAD,
    cause: 'two Authorization lines',
    bytes: get('GET / HTTP/1.1', 'Authorization: Basic x', 'Authorization: Bearer t'),
    details: 'ripstop_repeated_authorization',
  },
  codec('a folded header line', header('x: 1\r\n  2')),
  codec('bare LF', 'GET / HTTP/1.1\nHost: a\n\n'),
  codec('bare CR in a value', header('x: 1\r2')),
  codec('TAB in the request line', get('GET\t/ HTTP/1.1')),
  inBody({
    cause: 'a chunk extension of 20 KiB',
    bytes: chunked(`1;${'x'.repeat(20_480)}\r\na\r\n0\r\n\r\n`),
    status: 413,
    body: 'Payload Too Large',
    flags: 'DPE',
    details: 'request_payload_too_large',
  }),
  inBody(codec('a bare LF after chunk data', chunked('1\r\na\n0\r\n\r\n'))),
];

const DATE = 'Thu, 01 Jan 2026 00:00:00 GMT';

/** The wire order of every local reply (reference/denials.md). */
function lines({ body = '', open }: Refusal): string[] {
  const close = open === true ? [] : ['connection: close'];
  const tail = [`date: ${DATE}`, 'server: istio-envoy'];
  return body === ''
    ? [...tail, 'content-length: 0', ...close]
    : [`content-length: ${body.length}`, 'content-type: text/plain', ...tail, ...close];
}

const authority = new TestAuthority();
const deny: Filter = {
  name: 'deny',
  onRequest: (x) => (x.matchPath === '/denied' ? localReply({ status: 403, details: 'rbac', body: 'RBAC: access denied' }) : undefined),
};
let reached = 0;
const listening = ServerDouble.start(
  (request, response) => {
    reached++;
    request.resume().on('end', () => response.end(request.url));
  },
  { filters: [deny], identity: new TestIdentity(authority, 'spiffe://cluster.local/ns/default/sa/server') },
);
afterAll(async () => (await listening)[Symbol.asyncDispose]());
beforeEach(() => {
  reached = 0;
});

const mutual: ClientTls = { ...authority.issue({ uris: ['spiffe://cluster.local/ns/default/sa/a'] }), ALPNProtocols: ['istio'] };

async function send(bytes: string, tls: ClientTls | undefined): Promise<{ client: RawClient; response: RawResponse }> {
  const client = await RawClient.open((await listening).port, tls);
  client.write(bytes);
  return { client, response: await client.response() };
}

describe.each([
  ['plaintext', undefined],
  ['mTLS', mutual],
])('over %s', (_transport, tls) => {
  it.each([...REFUSALS, ...STRICTER].map((refusal) => ({ name: JSON.stringify(refusal.cause), refusal })))('$name', async ({ refusal }) => {
    const double = await listening;
    double.started.splice(0);
    const { client, response } = await send(refusal.bytes, tls);
    expect(response.status).toBe(refusal.status);
    expect(response.lines.map(([name, value]) => `${name}: ${value}`)).toEqual(lines(refusal));
    expect(response.body).toBe(refusal.body ?? '');
    expect(reached).toBe(refusal.inBody === true ? 1 : 0);
    if (refusal.open === true) {
      expect((await client.get('/next')).body).toBe('/next');
    } else {
      client.socket.end();
      expect(await client.rest()).toBe('');
    }
    client.close();
    // What the parser refuses is no exchange; the others are told of with Envoy's flags and details.
    const [x] = double.started;
    if (x !== undefined) expect([x.details, formatResponseFlags(x.flags)]).toEqual([refusal.details, refusal.flags ?? '-']);
  });

  it('what is legal passes', async () => {
    for (const bytes of [
      `\r\n\r\n${get('GET / HTTP/1.1')}`,
      get('GET  / HTTP/1.1'),
      header('x: a\tb\xe4'),
      header('x:'),
      get('GET / HTTP/1.1', ...many(99)),
      header(`x: ${'y'.repeat(59_000)}`),
      get(`GET /${'y'.repeat(59_000)} HTTP/1.1`),
      host(''),
      host('[::1]:80'),
      host('a.'),
      host('xn--bcher-kva.example:8443'),
      `${post('Content-Length: 05')}abcde`,
      `${post('Content-Length: 5 ')}abcde`,
      `${post('Transfer-Encoding: CHUNKED')}1\r\na\r\n0\r\nHost: evil\r\nAuthorization: evil\r\n\r\n`,
      header('Connection: keep-alive, x-hop\r\nx-hop: 1'),
    ]) {
      const { client, response } = await send(bytes, tls);
      expect([bytes.slice(0, 60), response.status]).toEqual([bytes.slice(0, 60), 200]);
      client.close();
    }
  });

  it('a gRPC caller reads a gRPC status', async () => {
    const { client, response } = await send(get('POST /denied HTTP/1.1', 'Content-Type: application/grpc+proto', 'Content-Length: 0'), tls);
    expect(response.status).toBe(200);
    expect(response.lines.map(([name, value]) => `${name}: ${value}`)).toEqual([
      'content-type: application/grpc',
      'grpc-status: 7',
      'grpc-message: RBAC: access denied',
      `date: ${DATE}`,
      'server: istio-envoy',
      'content-length: 0',
    ]);
    client.close();
  });

  it('HEAD has the length and no body', async () => {
    const client = await RawClient.open((await listening).port, tls);
    client.write(get('HEAD /denied HTTP/1.1'));
    const response = await client.response('HEAD');
    expect([response.status, response.header('content-length')]).toEqual([403, '19']);
    expect((await client.get('/next')).body).toBe('/next');
    client.close();
  });
});

describe('bytes that are no request', () => {
  it('are answered behind the responses that are due', async () => {
    const { client, response } = await send(`${get('GET /first HTTP/1.1')}nonsense\r\n\r\n`, undefined);
    expect([response.status, response.body]).toEqual([200, '/first']);
    expect((await client.response()).status).toBe(400);
    client.close();
  });

  it('never end up in the middle of a response', async () => {
    const double = await ServerDouble.start((request, response) => {
      response.write('part');
      request.resume().on('error', () => {});
    });
    const client = await RawClient.open(double.port);
    client.write(chunked('1\r\na\r\n'));
    await expect.poll(() => client.unread, { interval: 1 }).toContain('part');
    client.write('nonsense\r\n');
    expect(await client.rest()).not.toContain('400');
    client.close();
    await double[Symbol.asyncDispose]();
  });
});
