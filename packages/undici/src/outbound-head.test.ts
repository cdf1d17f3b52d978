import { describe, expect, it } from 'vitest';
import { type AppHeaders, OutboundHead } from './outbound-head.ts';

const shapes: [string, AppHeaders][] = [
  ['an object', { 'X-One': '1', two: ['a', 'b'], none: undefined }],
  ['a flat list', ['X-One', '1', 'two', 'a', 'two', 'b']],
  [
    'a list of pairs',
    [
      ['X-One', '1'],
      ['two', 'a'],
      ['two', 'b'],
    ] as unknown as AppHeaders,
  ],
  [
    'an iterable',
    new Map([
      ['X-One', '1'],
      ['two', ['a', 'b'] as never],
    ]),
  ],
];

describe('outbound head', () => {
  it.each(shapes)('reads headers given as %s', (_shape, headers) => {
    const head = new OutboundHead('http', 'reviews:9080', 'GET', '/x', headers);
    expect(head.header('x-one')).toBe('1');
    expect(head.header('two')).toBe('a,b');
    expect(head.headerLines('two')).toEqual(['a', 'b']);
    expect(head.header('none')).toBeUndefined();
    expect(head.lines).toEqual(['host', 'reviews:9080', 'x-one', '1', 'two', 'a', 'two', 'b']);
  });

  it('lets no header through that a sidecar keeps from an app: Envoy’s own controls and those of the connection', () => {
    const head = new OutboundHead('http', 'reviews', 'GET', '/', {
      'X-Envoy-Retry-On': '5xx',
      'x-envoy-upstream-rq-timeout-ms': '1',
      'x-envoy-peer-metadata': 'kept',
      'Proxy-Connection': 'keep-alive',
      te: ['gzip', 'trailers'],
    });
    expect(head.lines).toEqual(['host', 'reviews', 'x-envoy-peer-metadata', 'kept', 'te', 'trailers']);
  });

  it('takes the authority from an own Host header, keeps it first and never sends it twice', () => {
    const head = new OutboundHead('http', '127.0.0.1:80', 'GET', '/', { a: '1', Host: 'shop.example' });
    expect(head.authority).toBe('shop.example');
    expect(head.lines).toEqual(['host', 'shop.example', 'a', '1']);
    head.authority = 'other.example';
    expect(head.header('host')).toBe('other.example');
    expect(head.header(':authority')).toBe('other.example');
  });

  it('replaces every line of a header that is set and none of the others', () => {
    const head = new OutboundHead('http', 'h', 'GET', '/', ['a', '1', 'b', '2', 'a', '3']);
    head.setHeader('a', 'x');
    head.appendHeader('c', 'y');
    head.removeHeader('b');
    expect(head.lines).toEqual(['host', 'h', 'a', 'x', 'c', 'y']);
  });
});
