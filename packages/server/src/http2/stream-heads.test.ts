import { sensitiveHeaders } from 'node:http2';
import { describe, expect, it } from 'vitest';
import { headersOf, StreamResponseHead } from './stream-heads.ts';

const headOf = (headers: Record<string, string | string[] | number>): StreamResponseHead => new StreamResponseHead({ ...headers });

describe('the head of a stream’s response', () => {
  it('is a 200 unless it says otherwise', () => {
    const head = headOf({});
    expect(head.status).toBe(200);
    head.status = 404;
    expect([head.status, head.headers]).toEqual([404, { ':status': 404 }]);
    expect(headOf({ ':status': '201' }).status).toBe(201);
  });

  it('tells a header as one text, and its first line', () => {
    const head = headOf({ one: 'a', more: ['a', 'b'], number: 5 });
    expect(['one', 'more', 'number', 'none'].map((name) => head.header(name))).toEqual(['a', 'a,b', '5', undefined]);
    expect(['one', 'more', 'number', 'none'].map((name) => head.firstLine(name))).toEqual(['a', 'a', '5', undefined]);
  });

  it('has headers that are set, added and removed', () => {
    const head = headOf({ a: '1', b: ['1', '2'], c: 7 });
    head.setHeader('a', '2');
    head.appendHeader('a', '3');
    head.appendHeader('b', '3');
    head.appendHeader('c', '8');
    head.appendHeader('d', '1');
    expect(head.headers).toEqual({ a: ['2', '3'], b: ['1', '2', '3'], c: ['7', '8'], d: '1' });
    head.removeHeader('a');
    expect(Object.keys(head.headers)).toEqual(['b', 'c', 'd']);
  });

  it.each([
    'access-control-allow-credentials',
    'access-control-max-age',
    'age',
    'content-encoding',
    'content-language',
    'content-length',
    'content-location',
    'content-range',
    'content-type',
    'date',
    'etag',
    'expires',
    'last-modified',
    'location',
    'retry-after',
    'user-agent',
    'x-content-type-options',
  ])('has %s once: node:http2 would reset the stream', (name) => {
    const head = headOf({});
    head.appendHeader(name, 'first');
    head.appendHeader(name, 'second');
    expect(head.headers[name]).toBe('first');
  });
});

describe('the headers that an app gives', () => {
  it.each([
    ['nothing', undefined, {}],
    ['null', null, {}],
    ['a text', 'abc', {}],
    ['an object', { 'X-A': '1', ':status': 201 }, { 'x-a': '1', ':status': 201 }],
    ['a flat list', [':status', 201, 'X-A', '1', 'x-a', '2'], { ':status': '201', 'x-a': ['1', '2'] }],
    ['a flat list without its last value', ['X-A', '1', 'X-B'], { 'x-a': '1' }],
    ['an empty list', [], {}],
  ])('may be %s', (_form, given, expected) => {
    const headers = headersOf(given);
    expect({ ...headers }).toEqual(expected);
    expect(Object.getPrototypeOf(headers)).toBeNull();
  });

  it('keep the names whose values nobody may index', () => {
    const given = { cookie: 'a', [sensitiveHeaders]: ['cookie'] };
    expect((headersOf(given) as unknown as typeof given)[sensitiveHeaders]).toEqual(['cookie']);
  });
});
