import type { IncomingHttpHeaders } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { InboundHead } from '../inbound-head.ts';
import { StreamMessage } from './stream-message.ts';

type Lines = readonly (readonly [name: string, value: string])[];

/** As node:http2 gives them: an object, in which several lines of a cookie are one, and the lines one after the other. */
function received(pairs: Lines): { headers: IncomingHttpHeaders; lines: string[] } {
  const headers: IncomingHttpHeaders = {};
  for (const [name, value] of pairs) {
    const before = headers[name];
    headers[name] = before === undefined ? value : name === 'cookie' ? `${before}; ${value}` : `${before}, ${value}`;
  }
  return { headers, lines: pairs.flat() };
}

function messageOf(pairs: Lines): StreamMessage {
  const { headers, lines } = received(pairs);
  return new StreamMessage(headers, lines);
}

const HEAD: Lines = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'shop:80'],
  [':path', '/p?q'],
];

describe('the head of an HTTP/2 request', () => {
  it('has its pseudo headers as a request line and a host', () => {
    const message = messageOf([...HEAD, ['x-a', '1'], ['content-length', '3']]);
    expect([message.method, message.scheme, message.url, message.contentLength]).toEqual(['GET', 'https', '/p?q', '3']);
    expect(message.headers).toEqual({ host: 'shop:80', 'x-a': '1', 'content-length': '3' });
    expect(message.rawHeaders).toEqual(['host', 'shop:80', 'x-a', '1', 'content-length', '3']);
  });

  it('counts every field and its bytes, pseudo headers too', () => {
    const message = messageOf([
      [':method', 'GET'],
      ['x-a', '12'],
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ]);
    expect([message.fields, message.bytes]).toEqual([4, 10 + 5 + 9 + 9]);
  });

  it('is empty where nothing was said', () => {
    const message = messageOf([]);
    expect([message.method, message.scheme, message.url, message.contentLength]).toEqual(['', '', '', undefined]);
    expect([message.headers, message.rawHeaders, message.fields, message.bytes]).toEqual([{}, [], 0, 0]);
  });

  it.each<[what: string, pairs: Lines, host: string]>([
    ['the authority', [[':authority', 'one']], 'one'],
    ['a host where there is no authority', [['host', 'two']], 'two'],
    [
      'the authority, whatever a host says, before it or behind it',
      [
        ['host', 'two'],
        [':authority', 'one'],
        ['host', 'three'],
      ],
      'one',
    ],
  ])('has one host: %s', (_what, pairs, host) => {
    const message = messageOf(pairs);
    expect([message.headers.host, message.rawHeaders]).toEqual([host, ['host', host]]);
  });

  it.each<[crumbs: readonly string[], cookie: string | undefined]>([
    [['a=1'], 'a=1'],
    [['a=1', 'b=2', 'c=3'], 'a=1; b=2; c=3'],
    [['', 'b=2'], 'b=2'],
    [['a=1', ''], 'a=1; '],
    [['', ''], undefined],
    [[''], undefined],
  ])('joins the crumbs %j to the cookie %j, where the first of them stands', (crumbs, cookie) => {
    const message = messageOf([['x-a', '1'], ...crumbs.map((crumb): [string, string] => ['cookie', crumb]), ['x-b', '2']]);
    const line = cookie === undefined ? [] : ['cookie', cookie];
    expect(message.rawHeaders).toEqual(['x-a', '1', ...line, 'x-b', '2']);
    expect(message.headers).toEqual({ 'x-a': '1', 'x-b': '2', ...(cookie === undefined ? {} : { cookie }) });
  });
});

describe('what an app gets of it', () => {
  function handedOver(pairs: Lines, change: (head: InboundHead, message: StreamMessage) => void = () => {}) {
    const { headers, lines } = received(pairs);
    const message = new StreamMessage(headers, lines);
    const head = new InboundHead(message, 'http');
    head.givenScheme = 'https';
    change(head, message);
    message.handOver(head);
    return { headers, lines };
  }

  it('is what was authorised: other paths, hosts and lines, in the same objects', () => {
    const { headers, lines } = handedOver([...HEAD, ['host', 'mine'], ['x-gone', '1'], ['x-kept', '2'], ['x-other', '3']], (head) => {
      head.path = '/rewritten';
      head.authority = 'elsewhere';
      head.removeHeader('x-gone');
      head.setHeader('x-other', '4');
      head.setHeader('x-new', '5');
    });
    const pseudo = { ':method': 'GET', ':scheme': 'https', ':authority': 'elsewhere', ':path': '/rewritten' };
    expect(headers).toEqual({ ...pseudo, 'x-kept': '2', 'x-other': '4', 'x-new': '5' });
    expect(lines.slice(0, 8)).toEqual(Object.entries(pseudo).flat());
    expect(lines.slice(8)).toEqual(['x-kept', '2', 'x-other', '4', 'x-new', '5']);
  });

  it('has one cookie, and none that is empty', () => {
    expect(handedOver([...HEAD, ['cookie', ''], ['cookie', 'a=1']]).headers.cookie).toBe('a=1');
    const { headers, lines } = handedOver([...HEAD, ['cookie', '']]);
    expect([headers.cookie, lines.includes('cookie')]).toEqual([undefined, false]);
  });

  it('has neither scheme nor path where CONNECT has none', () => {
    const { headers, lines } = handedOver([
      [':method', 'CONNECT'],
      [':authority', 'shop:80'],
    ]);
    expect(headers).toEqual({ ':method': 'CONNECT', ':authority': 'shop:80' });
    expect(lines.slice(0, 4)).toEqual([':method', 'CONNECT', ':authority', 'shop:80']);
  });
});
