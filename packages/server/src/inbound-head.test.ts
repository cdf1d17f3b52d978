import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type HeadMessage, InboundHead } from './inbound-head.ts';

/** A message as node:http makes it of these lines, names as they came. */
function message(lines: readonly (readonly [name: string, value: string])[], more: Partial<HeadMessage> = {}): HeadMessage {
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of lines) {
    const known = headers[name.toLowerCase()];
    headers[name.toLowerCase()] = known === undefined ? value : `${known}, ${value}`;
  }
  return { method: 'GET', url: '/a', headers, rawHeaders: lines.flat(), ...more };
}

const headOf = (...lines: (readonly [string, string])[]): InboundHead => new InboundHead(message(lines), 'http');

/** Both of the app's views of the headers. */
function shown({ headers, rawHeaders }: HeadMessage): [object, string[]] {
  return [{ ...headers }, [...rawHeaders]];
}

describe('the head of a request', () => {
  it('has names in lower case, for the app as well', () => {
    const from = message([
      ['Host', 'A.example'],
      ['X-One', 'V'],
    ]);
    const head = new InboundHead(from, 'http');
    expect(shown(from)).toEqual([{ host: 'A.example', 'x-one': 'V' }, ['host', 'A.example', 'x-one', 'V']]);
    expect([head.header('x-one'), head.headerLines('x-one'), head.pairs()]).toEqual(['V', ['V'], ['x-one', 'V']]);
    expect([head.header('x-none'), head.headerLines('x-none')]).toEqual([undefined, []]);
  });

  it('joins lines of one name by a comma without a blank, as Envoy does, those of cookies too', () => {
    const head = headOf(['a', '1'], ['cookie', 'x=1'], ['A', ''], ['b', '9'], ['a', '3'], ['Cookie', 'y=2']);
    expect([head.header('a'), head.header('cookie')]).toEqual(['1,,3', 'x=1,y=2']);
    expect([head.headerLines('a'), head.headerLines('b')]).toEqual([['1', '', '3'], ['9']]);
  });

  it('has the host of all its Host lines, and none without one', () => {
    expect([headOf(['Host', 'a'], ['x', '1'], ['HOST', 'b'], ['host', 'c']).authority, headOf(['x', '1']).authority]).toEqual([
      'a,b,c',
      '',
    ]);
  });

  it('answers for the pseudo-headers of HTTP/2, whatever the version, and for no others', () => {
    const from = message([['host', 'h']], { method: 'POST', url: '/p?q' });
    const head = new InboundHead(from, 'https');
    const names = [':authority', ':path', ':method', ':scheme'];
    expect(names.map((name) => head.header(name))).toEqual(['h', '/p?q', 'POST', 'https']);
    expect(names.map((name) => head.headerLines(name))).toEqual([['h'], ['/p?q'], ['POST'], ['https']]);
    expect([head.header(':status'), head.headerLines(':status')]).toEqual([undefined, []]);
    expect([head.method, head.path]).toEqual(['POST', '/p?q']);
    const bare = new InboundHead(message([], { method: undefined, url: undefined }), 'http');
    expect([bare.method, bare.path]).toEqual(['', '']);
  });

  it.each<[connection: 'http' | 'https', given: 'http' | 'https' | undefined, forwarded: string | undefined, scheme: string]>([
    ['http', undefined, undefined, 'http'],
    ['https', undefined, undefined, 'https'],
    ['http', undefined, 'https', 'https'],
    ['http', undefined, 'HTTPS', 'https'],
    ['https', undefined, 'http', 'http'],
    ['https', undefined, 'ftp', 'https'],
    ['https', undefined, '', 'https'],
    ['https', undefined, 'http, https', 'https'],
    ['http', 'https', 'http', 'https'],
    ['https', 'http', undefined, 'http'],
  ])('on %s, with %j in its target and %j from a proxy, is of the scheme %s', (connection, given, forwarded, scheme) => {
    const head = new InboundHead(message(forwarded === undefined ? [] : [['X-Forwarded-Proto', forwarded]]), connection);
    head.givenScheme = given;
    expect([head.scheme, head.connectionScheme]).toEqual([scheme, connection]);
  });

  it('names the headers that only the mesh says, each line, for who has to judge them', () => {
    const mesh = ['x-envoy-internal', 'x-istio-attributes', 'x-ripstop-explain'];
    const others = ['x-envoy', 'y-x-envoy-a', 'x-istio-other', 'x-ripstop', 'x-forwarded-for'];
    const lines = ['X-Envoy-Internal', ...others, 'x-istio-attributes', 'X-Ripstop-Explain', 'x-envoy-internal'];
    const head = headOf(...lines.map((name) => [name, '1'] as const));
    expect(head.meshHeaders).toEqual([...mesh, 'x-envoy-internal']);
    expect(headOf(['a', '1']).meshHeaders).toEqual([]);
  });

  it('has no header that some programs read as one of the mesh', () => {
    const from = message([
      ['x_envoy_internal', '1'],
      ['a', '2'],
      ['X-Forwarded_Client-Cert', '3'],
      ['x_envoy_internal', '4'],
      ['x_istio_attributes', '5'],
      ['my_own', '6'],
    ]);
    const head = new InboundHead(from, 'http');
    expect(shown(from)).toEqual([{ a: '2', my_own: '6' }, ['a', '2', 'my_own', '6']]);
    expect(head.header('x_envoy_internal')).toBeUndefined();
  });
});

describe('a change of a head', () => {
  it('of host, method or path is one of the app’s request', () => {
    const from = message([
      ['Host', 'a'],
      ['host', 'b'],
      ['x', '1'],
    ]);
    const head = new InboundHead(from, 'http');
    head.authority = 'c';
    head.method = 'PUT';
    head.path = '/b';
    expect(shown(from)).toEqual([{ host: 'c', x: '1' }, ['host', 'c', 'x', '1']]);
    expect([from.method, from.url]).toEqual(['PUT', '/b']);
    expect([head.authority, head.header('host'), head.method, head.path]).toEqual(['c', 'c', 'PUT', '/b']);
    expect(head.pairs()).toEqual(['x', '1']);
  });

  it('sets a header in the place of all its lines', () => {
    const from = message([
      ['a', '1'],
      ['b', '2'],
      ['A', '3'],
    ]);
    const head = new InboundHead(from, 'http');
    head.setHeader('a', '4');
    head.setHeader('new', '5');
    expect(shown(from)).toEqual([{ a: '4', b: '2', new: '5' }, ['a', '4', 'b', '2', 'new', '5']]);
    expect(head.headerLines('a')).toEqual(['4']);
  });

  it('takes a header away by a copy of the object, also the one that came last: without it the object would be a slow dictionary', () => {
    const from = message([
      ['a', '1'],
      ['b', '2'],
      ['b', '3'],
    ]);
    const { headers } = from;
    new InboundHead(from, 'http').removeHeader('b');
    expect(shown(from)).toEqual([{ a: '1' }, ['a', '1']]);
    expect(headers).toEqual({ a: '1', b: '2, 3' });
  });

  it('appends a line, which the app’s object shows joined as Envoy does', () => {
    const from = message([['a', '1']]);
    const head = new InboundHead(from, 'http');
    head.appendHeader('a', '2');
    head.appendHeader('b', '3');
    expect(shown(from)).toEqual([{ a: '1,2', b: '3' }, ['a', '1', 'a', '2', 'b', '3']]);
    expect([head.header('a'), head.headerLines('a'), head.header('b')]).toEqual(['1,2', ['1', '2'], '3']);
  });

  it.each<[name: string, left: string[]]>([
    ['a', ['b', '2', 'c', '4']],
    ['b', ['a', '1', 'a', '3', 'c', '4', 'a', '5']],
    ['c', ['a', '1', 'b', '2', 'a', '3', 'a', '5']],
    ['1', ['a', '1', 'b', '2', 'a', '3', 'c', '4', 'a', '5']],
  ])('takes every line of %s away, and of nothing else', (name, left) => {
    const from = message([
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
      ['c', '4'],
      ['a', '5'],
    ]);
    const { headers } = from;
    const head = new InboundHead(from, 'http');
    head.removeHeader(name);
    expect(from.rawHeaders).toEqual(left);
    expect(Object.keys(from.headers)).toEqual(['a', 'b', 'c'].filter((other) => other !== name));
    expect(head.header(name)).toBeUndefined();
    // Nobody who holds the object that node:http made sees it become slow.
    expect(Object.keys(headers)).toEqual(['a', 'b', 'c']);
    expect(from.headers === headers).toBe(name === '1');
  });

  it('drops names with an underscore, and says whether there were any', () => {
    const from = message([
      ['a_b', '1'],
      ['c', '2'],
      ['_', '3'],
      ['A_B', '4'],
    ]);
    const head = new InboundHead(from, 'http');
    expect([head.dropUnderscores(), head.dropUnderscores()]).toEqual([true, false]);
    expect(shown(from)).toEqual([{ c: '2' }, ['c', '2']]);
  });
});

describe('what concerns one hop alone', () => {
  it.each<[te: string[], left: string | undefined]>([
    [['trailers'], 'trailers'],
    [['gzip'], undefined],
    [['gzip, trailers ;q=1'], undefined],
    [['gzip ,  trailers '], 'trailers'],
    [['gzip', 'trailers'], 'trailers'],
    [['trailers,gzip'], 'trailers'],
    [['xtrailers'], undefined],
    [['trailers', 'trailers'], 'trailers'],
  ])('te: %j is %j for who comes behind', (te, left) => {
    const from = message([['a', '1'], ...te.map((value) => ['TE', value] as const)]);
    expect(new InboundHead(from, 'http').header('te')).toBe(left);
    expect(shown(from)).toEqual(left === undefined ? [{ a: '1' }, ['a', '1']] : [{ a: '1', te: left }, ['a', '1', 'te', left]]);
  });

  it('is proxy-connection', () => {
    const from = message([
      ['Proxy-Connection', 'keep-alive'],
      ['a', '1'],
    ]);
    new InboundHead(from, 'http');
    expect(shown(from)).toEqual([{ a: '1' }, ['a', '1']]);
  });

  it('is no other header', () => {
    const from = message([
      ['connection', 'x'],
      ['te-x', '1'],
    ]);
    const before = from.headers;
    new InboundHead(from, 'http');
    expect(shown(from)).toEqual([{ connection: 'x', 'te-x': '1' }, ['connection', 'x', 'te-x', '1']]);
    expect(from.headers).toBe(before);
  });
});
