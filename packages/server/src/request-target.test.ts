import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { ResponseFlag } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { InboundHead } from './inbound-head.ts';
import { isConnectTarget, isH2cUpgrade, refusedUpgrade, settleTarget, settleUnderscores } from './request-target.ts';

/** A request as node:http hands it over. */
function message(target: string, lines: readonly string[]): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.method = 'GET';
  request.url = target;
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 1;
  request.rawHeaders = [...lines];
  for (let at = 0; at < lines.length; at += 2) request.headers[lines[at]!.toLowerCase()] ??= lines[at + 1]!;
  return request;
}

function verdict(target: string, ...lines: string[]): string {
  const request = message(target, lines);
  const reply = settleTarget(request, new InboundHead(request, 'http'));
  return reply === undefined ? 'passes' : `${reply.status} ${reply.details}`;
}

describe('the head of a request', () => {
  it.each([
    ['a', 'passes'],
    ['a:80', 'passes'],
    ['[::1]:80', 'passes'],
    ['secret.com.', 'passes'],
    ['', 'passes'],
    ['a b', '400 http.invalid_authority'],
    ['a/b', '400 http.invalid_authority'],
    ['user@a', '400 http.invalid_authority'],
    ['a%00', '400 http.invalid_authority'],
    ['a:', '400 http.invalid_authority'],
    [':80', '400 http.invalid_authority'],
    ['a:x', '400 http.invalid_authority'],
    ['a:65536', '400 http.invalid_authority'],
    ['[::1', '400 http.invalid_authority'],
  ])('with Host "%s": %s', (host, expected) => {
    expect(verdict('/', 'Host', host)).toBe(expected);
  });

  it('needs a Host, and only one', () => {
    expect(verdict('/')).toBe('400 missing_host_header');
    expect(verdict('/', 'Host', 'a', 'Host', 'b')).toBe('400 http.invalid_authority');
  });

  it('has at most a hundred headers', () => {
    const headers = Array.from({ length: 99 }, (_, index) => [`x-${index}`, '1']).flat();
    expect(verdict('/', 'Host', 'a', ...headers)).toBe('passes');
    expect(verdict('/', 'Host', 'a', ...headers, 'x', '1')).toBe('431 http1.too_many_headers');
  });

  it.each([
    ['chunked', 'passes'],
    ['Chunked', 'passes'],
    ['gzip, chunked', '501 http1.invalid_transfer_encoding'],
    ['chunked, chunked', '501 http1.invalid_transfer_encoding'],
  ])('with Transfer-Encoding "%s": %s', (coding, expected) => {
    expect(verdict('/', 'Host', 'a', 'Transfer-Encoding', coding)).toBe(expected);
  });
});

interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly version?: readonly [major: number, minor: number];
  /** Lines behind `Host: a`. */
  readonly lines?: readonly string[];
}

function asked({ method = 'GET', target = '/', version = [1, 1], lines = [] }: Asked): { request: IncomingMessage; head: InboundHead } {
  const request = message(target, ['Host', 'a', ...lines]);
  request.method = method;
  [request.httpVersionMajor, request.httpVersionMinor] = version;
  return { request, head: new InboundHead(request, 'http') };
}

/** What the app and the policies see: the target, or the whole refusal. */
function settled(what: Asked): unknown {
  const { request, head } = asked(what);
  const reply = settleTarget(request, head);
  if (reply === undefined) return `${head.scheme} ${head.authority} ${head.path}`;
  const { status, details, body, headers, flags } = reply;
  return [status, details, body, headers.map((header) => header.join(': ')).join(), flags];
}

describe('a request line', () => {
  const DPE = ResponseFlag.DownstreamProtocolError;
  const refused = (status: number, details: string, body: string) => [status, details, body, 'connection: close', DPE];
  const URL = refused(400, 'http1.invalid_url', 'Bad Request');
  const NO_PATH = [404, 'absolute_path_rejected', '', '', 0];

  it.each<[target: string, wanted: unknown]>([
    ['/x?y', 'http a /x?y'],
    ['http://b/x?y#z', 'http b /x?y#z'],
    ['HTTPS://b:8443/x', 'https b:8443 /x'],
    ['http://b', 'http b /'],
    ['http://b#z', 'http b /'],
    ['http://user@evil@b/x', 'http b /x'],
    ['http://b?y', NO_PATH],
    ['http:///x', URL],
    ['http://user@/x', URL],
    ['http://b c/x', URL],
    ['http://b%00/x', URL],
    ['x', URL],
    [' http://b/x', URL],
    ['1http://b/x', URL],
    ['http:/b/x', URL],
    ['http//b/x', URL],
    ['http://b/x\ny', URL],
    ['*', URL],
    ['ftp://b/x', refused(400, 'http1.invalid_scheme', 'Bad Request')],
    ['httpsx://b/x', refused(400, 'http1.invalid_scheme', 'Bad Request')],
    ['xhttp://b/x', refused(400, 'http1.invalid_scheme', 'Bad Request')],
    ['a+b-c.d9://b/x', refused(400, 'http1.invalid_scheme', 'Bad Request')],
  ])('to %j: %j', (target, wanted) => {
    expect(settled({ target })).toEqual(wanted);
  });

  it('OPTIONS * names no path', () => {
    expect(settled({ method: 'OPTIONS', target: '*' })).toEqual(NO_PATH);
    expect(settled({ method: 'OPTIONS', target: '/*' })).toBe('http a /*');
  });

  it.each<[target: string, wanted: unknown]>([
    ['b:443', 'http b:443 '],
    ['[::1]:443', 'http [::1]:443 '],
    ['b', URL],
    ['b:', URL],
    ['b:44x', URL],
    ['/x', URL],
    ['http://b:443', URL],
    ['b:443/x', URL],
    ['user@b:443', URL],
    ['b:70000', URL],
  ])('CONNECT %s has an authority with a port and no path: %j', (target, wanted) => {
    expect(settled({ method: 'CONNECT', target })).toEqual(wanted);
    expect(isConnectTarget(target)).toBe(typeof wanted === 'string');
  });

  it.each<[version: readonly [number, number]]>([[[1, 0]], [[0, 9]], [[2, 1]], [[1, 2]]])('of HTTP %j is of another version', (version) => {
    expect(settled({ version })).toEqual(refused(426, 'low_version', 'Upgrade Required'));
  });

  it('of a method that Envoy does not know is none', () => {
    expect(settled({ method: 'M-SEARCH' })).toEqual(refused(400, 'http1.codec_error', 'Bad Request'));
  });
});

describe('the headers of a request', () => {
  const refused = (status: number, details: string, body = 'Bad Request') => [
    status,
    details,
    body,
    'connection: close',
    ResponseFlag.DownstreamProtocolError,
  ];
  const MISSING_HOST = [400, 'missing_host_header', '', 'connection: close', 0];
  const many = Array.from({ length: 100 }, (_, index) => [`x-${index}`, '1']).flat();

  it.each<[what: string, asked: Asked, wanted: unknown]>([
    ['more than a hundred', { lines: many }, refused(431, 'http1.too_many_headers', 'Request Header Fields Too Large')],
    ['another transfer coding', { lines: ['Transfer-Encoding', 'x'] }, refused(501, 'http1.invalid_transfer_encoding', 'Not Implemented')],
    ['a host that is none', { lines: ['Host', 'b'] }, refused(400, 'http.invalid_authority')],
    ['one Authorization', { lines: ['Authorization', 'a'] }, 'http a /'],
    ['two of it', { lines: ['Authorization', 'a', 'Authorization', 'b'] }, refused(400, 'ripstop_repeated_authorization')],
    ['two of it in one line', { lines: ['Authorization', 'a, b'] }, 'http a /'],
    ['two of another', { lines: ['X-A', 'a', 'X-A', 'b'] }, 'http a /'],
    ['a QUERY without type', { method: 'QUERY' }, [400, 'query_missing_content_type', '', 'connection: close', 0]],
    ['a QUERY with a type', { method: 'QUERY', lines: ['Content-Type', 'a/b'] }, 'http a /'],
    ['a POST without type', { method: 'POST' }, 'http a /'],
    ['a nominated x-forwarded-for', { lines: ['Connection', 'X-Forwarded-For'] }, refused(400, 'http1.connection_header_rejected')],
    ['a nominated x-forwarded-proto', { lines: ['Connection', 'a, x-forwarded-proto'] }, refused(400, 'http1.connection_header_rejected')],
    ['a nominated pseudo header', { lines: ['Connection', ':path'] }, refused(400, 'http1.connection_header_rejected')],
    ['a nominated host', { lines: ['Connection', 'close,host'] }, MISSING_HOST],
    ['nothing nominated', { lines: ['Connection', 'close,,'] }, 'http a /'],
  ])('%s: %j', (_what, what, wanted) => {
    expect(settled(what)).toEqual(wanted);
  });

  it.each([
    ['trailers', 'trailers'],
    ['deflate, trailers', 'trailers'],
    ['gzip', undefined],
    ['Trailers', undefined],
  ])('te: %s is for the next one to read as %s', (sent, wanted) => {
    const { request, head } = asked({ lines: ['TE', sent, 'Proxy-Connection', 'close', 'X-A', '1'] });
    expect([head.header('te'), head.header('proxy-connection'), head.header('x-a')]).toEqual([wanted, undefined, '1']);
    expect(request.rawHeaders.filter((_text, at) => at % 2 === 0).sort()).toEqual(['host', ...(wanted === undefined ? [] : ['te']), 'x-a']);
  });

  it.each([
    ['none', '/', [], 'http'],
    ['what the first proxy said', '/', ['X-Forwarded-Proto', 'HTTPS'], 'https'],
    ['no scheme of HTTP', '/', ['X-Forwarded-Proto', 'ws'], 'http'],
    ['an absolute target before all', 'https://a/', ['X-Forwarded-Proto', 'http'], 'https'],
  ])('tell the scheme: %s', (_what, target, lines, wanted) => {
    const { request, head } = asked({ target, lines });
    settleTarget(request, head);
    expect([head.scheme, head.connectionScheme]).toEqual([wanted, 'http']);
  });

  it.each([
    [undefined, 'passes', '1'],
    ['DROP_HEADER', 'passes', undefined],
    ['REJECT_REQUEST', 400, undefined],
  ] as const)('with an underscore in their names, under %s', (action, wanted, left) => {
    const { request, head } = asked({ lines: ['X_A', '1', 'X-A', '2'] });
    expect(settleUnderscores(head, action)?.status ?? 'passes').toBe(wanted);
    expect([head.header('x_a'), head.header('x-a'), request.rawHeaders.includes('x_a')]).toEqual([left, '2', left !== undefined]);
  });

  it('are not refused for an underscore that is not there', () => {
    expect(settleUnderscores(asked({ lines: ['X-A', '1'] }).head, 'REJECT_REQUEST')).toBeUndefined();
  });

  it('that the connection header names are gone, but for those that frame the message and the connection', () => {
    const kept = { 'keep-alive': '5', upgrade: 'x', te: 'trailers', 'content-length': '1', 'transfer-encoding': 'chunked' };
    const nominated = ['close', 'X-A', ' x-b', 'connection', ...Object.keys(kept)].join(',');
    const lines = ['Connection', nominated, 'X-A', '1', 'X-B', '2', 'X-C', '3', 'Close', '4', ...Object.entries(kept).flat()];
    const { request, head } = asked({ lines });
    expect(settleTarget(request, head)).toBeUndefined();
    expect([head.header('x-a'), head.header('x-b'), head.header('x-c')]).toEqual([undefined, undefined, '3']);
    for (const [name, value] of Object.entries(kept)) expect(head.header(name), name).toBe(value);
    expect([head.header('connection'), head.header('close')]).toEqual([nominated, '4']);
  });
});

describe('an upgrade', () => {
  const upgrade = (...lines: string[]) => asked({ lines }).request;

  it.each<[type: string, connection: string | undefined, wanted: number | undefined]>([
    ['websocket', 'Upgrade', undefined],
    ['WebSocket', 'keep-alive, upgrade', undefined],
    ['other', 'upgrade', 403],
    ['other', 'close ,upgrade , te', 403],
    ['other', 'upgrade-insecure', undefined],
    ['other', 'no-upgrade', undefined],
    ['other', 'no upgrade', undefined],
    ['other', undefined, undefined],
    ['h2c', 'upgrade', undefined],
    ['H2C', 'upgrade', undefined],
  ])('to %s with connection %s, where websocket is listed: %s', (type, connection, wanted) => {
    const lines = connection === undefined ? [] : ['Connection', connection];
    const reply = refusedUpgrade(upgrade('Upgrade', type, ...lines), ['websocket']);
    expect(reply?.status).toBe(wanted);
    if (wanted !== undefined)
      expect(reply).toMatchObject({ details: 'upgrade_failed', body: '', headers: [['connection', 'close']], flags: 0 });
  });

  it('is none without the header', () => {
    expect(refusedUpgrade(upgrade('Connection', 'upgrade'), [])).toBeUndefined();
    expect([isH2cUpgrade(upgrade()), isH2cUpgrade(upgrade('Upgrade', 'H2c')), isH2cUpgrade(upgrade('Upgrade', 'x'))]).toEqual([
      false,
      true,
      false,
    ]);
  });
});
