import { Exchange, type HttpConnectionManager, type LocalReply, NO_PEER, Pipeline } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { passthroughManager } from './outbound-tables.ts';
import { add, clock, headOf, random, routes, snapshot, table, to, walk } from './testing/routed.ts';

describe('header operations', () => {
  const at = (value: string) => ({ request_headers_to_add: [add('x-l', value, 'OVERWRITE_IF_EXISTS_OR_ADD')] });
  const levels = (wins: boolean) =>
    table({
      name: 'r',
      most_specific_header_mutations_wins: wins,
      ...at('config'),
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          ...at('vhost'),
          routes: [
            {
              match: { prefix: '/w' },
              route: { weighted_clusters: { clusters: [{ name: 'a', weight: 1, ...at('cluster') }] } },
              ...at('route'),
            },
            { match: { prefix: '/' }, ...to('a'), ...at('route') },
          ],
        },
      ],
    });

  it('act from the route outwards, or the other way round where told to; the weighted cluster’s always first', () => {
    expect(walk(levels(false), '/').head.headerLines('x-l')).toEqual(['config']);
    expect(walk(levels(true), '/').head.headerLines('x-l')).toEqual(['route']);
    expect(walk(levels(true), '/w').head.headerLines('x-l')).toEqual(['route']);
  });

  it('append one line, or to the one value of headers that have one (measured on Envoy 1.40)', () => {
    const names = ['user-agent', 'x-forwarded-host', 'cookie', 'x-c', 'accept', 'via'];
    const found = routes([{ match: { prefix: '/' }, ...to('a'), request_headers_to_add: names.map((name) => add(name, 'b')) }]);
    const { head } = walk(found, '/', Object.fromEntries(names.map((name) => [name, 'a'])));
    expect(names.map((name) => head.headerLines(name))).toEqual([['a,b'], ['a,b'], ['a', 'b'], ['a', 'b'], ['a,b'], ['a,b']]);
  });

  it.each<[format: string, value: string]>([
    ['a-%REQ(nope)%-b', 'a--b'],
    ['%REQ(nope?x-y)%', 'why'],
    ['%REQ(x-y):2%', 'wh'],
    ['%REQ(:METHOD)% %REQ(:PATH)%', 'GET /p?q'],
    ['100%%', '100%'],
    ['%UPSTREAM_HOST%|%PROTOCOL%|%ROUTE_NAME%', '|HTTP/1.1|named'],
    ['%DYNAMIC_METADATA(f:k)%', ''],
  ])('render %s as %j', (format, value) => {
    const found = routes([
      { name: 'named', match: { prefix: '/' }, ...to('a'), request_headers_to_add: [{ ...add('x-v', format), keep_empty_value: true }] },
    ]);
    expect(walk(found, '/p?q', { 'x-y': 'why' }).head.header('x-v')).toBe(value);
  });
});

describe('x-envoy-expected-rq-timeout-ms', () => {
  it.each<[route: Record<string, unknown>, value: string | undefined]>([
    [{}, '15000'],
    [{ timeout: '0s' }, undefined],
    [{ timeout: '0s', retry_policy: { retry_on: '5xx', per_try_timeout: '1s' } }, '1000'], // measured
    [{ timeout: '5s', retry_policy: { retry_on: '5xx', per_try_timeout: '7s' } }, '5000'], // measured
    [{ timeout: '5s', retry_policy: { retry_on: '5xx', per_try_timeout: '2s' } }, '2000'],
  ])('of %j is %s', (route, value) => {
    expect(walk(routes([{ match: { prefix: '/' }, ...to('a', route) }]), '/').head.header('x-envoy-expected-rq-timeout-ms')).toBe(value);
  });
});

describe('the host of a request', () => {
  const named = table({
    name: 'r',
    virtual_hosts: [
      { name: 'v', domains: ['d.com'], routes: [{ match: { prefix: '/' }, ...to('a') }] },
      { name: 'w', domains: ['d.com:81'], routes: [{ match: { prefix: '/' }, ...to('b') }] },
    ],
  });
  const ask = (host: string, settings: Partial<HttpConnectionManager>) => {
    const head = headOf('/', { host });
    const manager = { ...passthroughManager(undefined, []), routes: named, ...settings };
    const peer = { ...NO_PEER, localPort: 82 };
    const x = new Exchange({ direction: 'outbound', protocol: 'http1', request: head, snapshot, manager, peer, port: 80, startedAt: 0 });
    return ((new Pipeline({ clock, random }).begin(x) as LocalReply | undefined)?.status ?? x.cluster?.name) as string | number;
  };

  it.each<[host: string, settings: Partial<HttpConnectionManager>, to: string | number]>([
    ['D.com', {}, 'a'],
    ['d.com:80', {}, 404],
    ['d.com:81', {}, 'b'],
    ['d.com:81', { stripPort: 'any' }, 'a'],
    ['d.com:81', { stripPort: 'matching' }, 'b'],
    ['d.com:82', { stripPort: 'matching' }, 'a'],
    ['d.com.', {}, 404],
    ['d.com.', { stripTrailingHostDot: true }, 'a'],
    ['d.com.:80', { stripTrailingHostDot: true, stripPort: 'any' }, 404],
  ])('%s with %j', (host, settings, wanted) => {
    expect(ask(host, settings)).toBe(wanted);
  });
});
