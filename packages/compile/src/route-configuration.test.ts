import {
  type Cluster,
  Exchange,
  type HttpConnectionManager,
  type LocalReply,
  NO_PEER,
  Pipeline,
  type RequestHead,
  type RouteTable,
  type Snapshot,
  xxh64,
} from '@ripstop/core';
import { fromProtoJson, RouteConfiguration } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { HttpFilters } from './http-filters.ts';
import { passthroughManager } from './outbound-tables.ts';
import { compileRouteConfiguration } from './route-configuration.ts';

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };

function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Head implements RequestHead {
  readonly scheme = 'http';
  authority = 'shop';
  method = 'GET';
  path = '/';
  lines: [string, string][];
  constructor(path: string, headers: Readonly<Record<string, string | readonly string[]>>) {
    this.path = path;
    const { host, ':method': method, ...rest } = headers;
    if (typeof host === 'string') this.authority = host;
    if (typeof method === 'string') this.method = method;
    this.lines = Object.entries(rest).flatMap(([name, values]) =>
      [values].flat().map((value): [string, string] => [name, value as string]),
    );
  }
  header(name: string): string | undefined {
    const lines = this.headerLines(name);
    return lines.length === 0 ? undefined : lines.join(',');
  }
  headerLines(name: string): readonly string[] {
    return this.lines.filter(([other]) => other === name).map(([, value]) => value);
  }
  setHeader(name: string, value: string): void {
    this.removeHeader(name);
    this.lines.push([name, value]);
  }
  appendHeader(name: string, value: string): void {
    this.lines.push([name, value]);
  }
  removeHeader(name: string): void {
    this.lines = this.lines.filter(([other]) => other !== name);
  }
}

const random = seeded(1);
const filters = new HttpFilters([], new Map(), { clock, random, direction: 'outbound', state: (_key, create) => create() });
const clusters = new Map(['a', 'b', 'c'].map((name) => [name, { name } as Cluster]));
const snapshot = { version: '1', clusters } as unknown as Snapshot;

function table(config: unknown, draws: () => number = random): RouteTable {
  return compileRouteConfiguration(fromProtoJson(RouteConfiguration, config), { random: draws, filters, direction: 'outbound' });
}

/** A table of one virtual host for everybody. */
function routes(list: readonly unknown[], more: Readonly<Record<string, unknown>> = {}, draws?: () => number): RouteTable {
  return table({ name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes: list, ...more }] }, draws);
}

interface Walked {
  readonly x: Exchange;
  readonly reply: LocalReply | undefined;
  readonly head: Head;
  /** The cluster, or the status of the reply. */
  readonly to: string | number | undefined;
}

function walk(through: RouteTable, path: string, headers: Readonly<Record<string, string | readonly string[]>> = {}): Walked {
  const head = new Head(path, headers);
  const manager = { ...passthroughManager(undefined, []), routes: through };
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request: head,
    snapshot,
    manager,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
  });
  const reply = new Pipeline({ clock, random }).begin(x) as LocalReply | undefined;
  return { x, reply, head, to: reply?.status ?? x.cluster?.name };
}

const to = (cluster: string, more: Readonly<Record<string, unknown>> = {}) => ({ route: { cluster, ...more } });
const add = (key: string, value: string, append_action?: string) => ({
  header: { key, value },
  ...(append_action === undefined ? {} : { append_action }),
});
const location = ({ reply }: Walked): string | undefined => reply?.headers.find(([name]) => name === 'location')?.[1];

describe('which route', () => {
  it.each<[match: Record<string, unknown>, hits: string[], misses: string[]]>([
    [{ prefix: '/foo' }, ['/foo', '/foobar', '/foo/x?y'], ['/fo', '/Foo']],
    [{ prefix: '/q?x' }, [], ['/q?x', '/q?x=1']], // measured: the query is no part of what prefixes see
    [{ prefix: '/Foo', case_sensitive: false }, ['/foo', '/FOOx'], ['/fo']],
    [{ path: '/foo' }, ['/foo', '/foo?x'], ['/foo/', '/foobar']],
    [{ path: '/foo', case_sensitive: false }, ['/FOO'], ['/FOO/']],
    [{ path_separated_prefix: '/foo' }, ['/foo', '/foo/', '/foo/x', '/foo?x'], ['/foobar']],
    [{ safe_regex: { regex: '/a|/b' } }, ['/a', '/b', '/a?b'], ['/ab', '/b/', '/xb']],
    [{ safe_regex: { regex: '/f.o' }, case_sensitive: false }, ['/foo'], ['/FOO']],
    [{ prefix: '/', headers: [{ name: ':method', string_match: { exact: 'GET' } }] }, ['/'], []],
    [
      { prefix: '/', query_parameters: [{ name: 'a', string_match: { exact: '1' } }] },
      ['/?a=1', '/?b=2&a=1&a=2', '/x?a=1'],
      ['/?a=2&a=1', '/?A=1', '/?a=1;b', '/'],
    ],
    [{ prefix: '/', query_parameters: [{ name: 'a' }] }, ['/?a', '/?a=', '/?b&a=1'], ['/?aa', '/']],
    [{ prefix: '/', query_parameters: [{ name: 'a', present_match: false }] }, ['/', '/?b'], ['/?a']],
  ])('%j', (match, hits, misses) => {
    const found = routes([{ match, ...to('a') }]);
    for (const path of hits) expect([path, walk(found, path).to]).toEqual([path, 'a']);
    for (const path of misses) expect([path, walk(found, path).to]).toEqual([path, 404]);
  });

  it.each<[matcher: Record<string, unknown>, missing: boolean, value: Record<string, boolean>]>([
    [{}, false, { '': true, a: true }],
    [{ invert_match: true }, true, { a: false }],
    [{ present_match: true }, false, { '': true }],
    [{ present_match: false }, true, { a: false }],
    [{ present_match: false, invert_match: true }, false, { a: true }],
    [{ present_match: true, treat_missing_header_as_empty: true }, true, { a: true }],
    [{ present_match: false, treat_missing_header_as_empty: true }, false, { a: false }],
    [{ string_match: { exact: 'a' } }, false, { a: true, A: false, ab: false }],
    [{ string_match: { exact: 'a', ignore_case: true } }, false, { A: true }],
    [{ string_match: { exact: 'a' }, invert_match: true }, false, { a: false, b: true }],
    [{ string_match: { exact: 'a' }, invert_match: true, treat_missing_header_as_empty: true }, true, { a: false, b: true }],
    [{ string_match: { exact: '' }, treat_missing_header_as_empty: true }, true, { '': true, a: false }],
    [{ exact_match: 'a' }, false, { a: true, b: false }],
    [{ exact_match: '' }, false, { a: true, '': true }], // measured
    [{ exact_match: '', invert_match: true }, false, { a: false }], // measured
    [{ prefix_match: 'a' }, false, { ab: true, ba: false }],
    [{ suffix_match: 'a' }, false, { ba: true, ab: false }],
    [{ contains_match: 'a' }, false, { bab: true, b: false }],
    [{ safe_regex_match: { regex: 'a|b' } }, false, { a: true, ab: false }],
    [{ range_match: { start: 1, end: 3 } }, false, { 1: true, '+2': true, 3: false, '1.5': false, '1x': false, '': false }],
    [{ range_match: { start: 1, end: 3 }, invert_match: true }, false, { 1: false, x: true }],
  ])('with the header matcher %j', (matcher, missing, values) => {
    const found = routes([{ match: { prefix: '/', headers: [{ name: 'X-M', ...matcher }] }, ...to('a') }]);
    expect(walk(found, '/').to).toBe(missing ? 'a' : 404);
    for (const [value, wanted] of Object.entries(values))
      expect([value, walk(found, '/', { 'x-m': value }).to]).toEqual([value, wanted ? 'a' : 404]);
  });

  it.each<[name: string, matcher: Record<string, unknown>, lines: string[], wanted: boolean]>([
    ['x-m', { string_match: { exact: 'b' } }, ['a', 'b'], true],
    ['x-m', { string_match: { exact: 'b' } }, ['b', 'a'], true],
    ['x-m', { string_match: { exact: 'a,b' } }, ['a', 'b'], false],
    ['x-m', { string_match: { exact: 'a,b' } }, ['a,b'], true],
    ['x-m', { string_match: { exact: 'a' } }, ['a,b'], false],
    ['x-m', { string_match: { safe_regex: { regex: 'a.*b' } } }, ['a', 'b'], false],
    ['x-m', { string_match: { exact: 'a' }, invert_match: true }, ['a', 'b'], false],
    ['user-agent', { string_match: { exact: 'a' } }, ['a', 'b'], false],
    ['user-agent', { string_match: { exact: 'a,b' } }, ['a', 'b'], true],
    ['x-b3-traceid', { string_match: { exact: 'a' } }, ['a', 'b'], true],
  ])('%s: %j against the lines %j', (name, matcher, lines, wanted) => {
    const found = routes([{ match: { prefix: '/', headers: [{ name, ...matcher }] }, ...to('a') }]);
    expect(walk(found, '/', { [name]: lines }).to).toBe(wanted ? 'a' : 404);
  });

  it('gRPC only: application/grpc and application/grpc+…', () => {
    const found = routes([{ match: { prefix: '/', grpc: {} }, ...to('a') }]);
    const by = (type: string) => walk(found, '/', { 'content-type': type }).to;
    expect(['application/grpc', 'application/grpc+proto', 'application/grpc-web', 'application/json'].map(by)).toEqual([
      'a',
      'a',
      404,
      404,
    ]);
  });

  it.each<[template: string, hits: string[], misses: string[]]>([
    ['/a/*/c', ['/a/b/c', '/a/%2f/c'], ['/a//c', '/a/b/b/c', '/a/c']],
    ['/t/**', ['/t/', '/t/a/b'], ['/t']],
    ['/**/x', ['/a/x', '/a/b/x'], ['/x']],
    ['/tpl/{v=a/*/b}/{w}', ['/tpl/a/x/b/w'], ['/tpl/a/b/w']], // measured
    ['/{one}/{rest=**}', ['/a/b/c', '/a/'], ['/a']],
    ['/a.b', ['/a.b'], ['/axb']],
  ])('path template %s', (template, hits, misses) => {
    const type = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';
    const found = routes([
      { match: { path_match_policy: { name: 't', typed_config: { '@type': type, path_template: template } } }, ...to('a') },
    ]);
    expect(hits.filter((path) => walk(found, path).to !== 'a')).toEqual([]);
    expect(misses.filter((path) => walk(found, path).to === 'a')).toEqual([]);
  });
});

describe('refused', () => {
  const one = (route: Record<string, unknown>) => () => routes([route]);
  const two = (first: string, second: string) => () =>
    table({ name: 'r', virtual_hosts: [first, second].map((domain, index) => ({ name: `v${index}`, domains: [domain] })) });
  const template = (path_template: string) => {
    const type = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';
    return one({ match: { path_match_policy: { name: 't', typed_config: { '@type': type, path_template } } }, ...to('a') });
  };
  it.each<[why: string, compile: () => unknown]>([
    [
      '"\\\\x" is no group',
      one({ match: { prefix: '/' }, ...to('a', { regex_rewrite: { pattern: { regex: '(a)' }, substitution: '\\x' } }) }),
    ],
    ['the domain A.com stands already in virtual host v0', two('a.com', 'A.com')],
    ['the domain * stands already in virtual host v0', two('*', '*')],
    ['must not end in "/"', one({ match: { path_separated_prefix: '/a/' }, ...to('a') })],
    ['RE2 syntax', one({ match: { safe_regex: { regex: '(?=a)' } }, ...to('a') })],
    ['RE2 syntax', one({ match: { safe_regex: { regex: '(a)\\1' } }, ...to('a') })],
    ['the weights add up to 0', one({ match: { prefix: '/' }, route: { weighted_clusters: { clusters: [{ name: 'a', weight: 0 }] } } })],
    ['a direct response of status 600', one({ match: { prefix: '/' }, direct_response: { status: 600 } })],
    [
      'a direct response of 4097 bytes',
      one({ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'x'.repeat(4097) } } }),
    ],
    [
      'header :path may be neither added nor removed',
      one({ match: { prefix: '/' }, ...to('a'), request_headers_to_add: [add(':path', '/')] }),
    ],
    ['header Host may be neither added nor removed', one({ match: { prefix: '/' }, ...to('a'), request_headers_to_remove: ['Host'] })],
    ['a lone % must be written %%', one({ match: { prefix: '/' }, ...to('a'), request_headers_to_add: [add('x', '100%')] })],
    ['the operator %NOPE% is not supported', one({ match: { prefix: '/' }, ...to('a'), request_headers_to_add: [add('x', '%NOPE%')] })],
    ['the variable a stands twice', template('/{a}/{a}')],
    ['more than 5 variables', template('/{a}/{b}/{c}/{d}/{e}/{f}')],
    ['mixes text and wildcards', template('/a*')],
    ['must begin with /', template('*')],
  ])('%s', (why, compile) => {
    expect(compile).toThrow(why);
  });
});

describe('weights', () => {
  const weighted = (more: Record<string, unknown> = {}) => ({
    weighted_clusters: {
      clusters: [
        { name: 'a', weight: 10 },
        { name: 'b', weight: 0 },
        { name: 'c', weight: 90 },
      ],
      ...more,
    },
  });

  it('are kept over 20,000 draws (χ², one degree of freedom, p = 0.001)', () => {
    const found = routes([{ match: { prefix: '/' }, route: weighted() }], {}, seeded(5));
    const counts = { a: 0, b: 0, c: 0 };
    for (let draw = 0; draw < 20_000; draw++) counts[walk(found, '/').to as 'a']++;
    expect(counts.b).toBe(0);
    expect((counts.a - 2000) ** 2 / 2000 + (counts.c - 18_000) ** 2 / 18_000).toBeLessThan(10.83);
  });

  it('may be chosen by a header, modulo their sum; junk is chance', () => {
    const found = routes([{ match: { prefix: '/' }, route: weighted({ header_name: 'X-Draw' }) }], {}, () => 0.5);
    const by = (draw: string | undefined) => walk(found, '/', draw === undefined ? {} : { 'x-draw': draw }).to;
    expect(['0', '9', '10', '99', '100', '109', '110', 'x', '-1', undefined].map(by)).toEqual([
      'a',
      'a',
      'c',
      'c',
      'a',
      'a',
      'c',
      'c',
      'c',
      'c',
    ]);
  });

  it('are chosen by the hash policies where use_hash_policy says so, by chance without a hash', () => {
    const policies = { hash_policy: [{ header: { header_name: 'x-k' } }] };
    const action = { ...weighted({ use_hash_policy: true }), ...policies };
    const found = routes([{ match: { prefix: '/' }, route: action }], {}, seeded(5));
    const names = (headers: Record<string, string>): Set<unknown> =>
      new Set(Array.from({ length: 50 }, () => walk(found, '/', headers).to));
    for (let key = 0; key < 20; key++) expect(names({ 'x-k': `k${key}` }).size).toBe(1);
    expect(names({}).size).toBeGreaterThan(1);
    const all = new Set(Array.from({ length: 100 }, (_none, key) => [...names({ 'x-k': `k${key}` })][0]));
    expect(all.size).toBeGreaterThan(1);
  });

  it('see the same number as runtime fractions: a route for half of the requests uses one half of its weights', () => {
    // Measured on Envoy 1.40: 315 of 600 to the first cluster, 285 to the next route.
    const half = {
      clusters: [
        { name: 'a', weight: 50 },
        { name: 'b', weight: 50 },
      ],
    };
    const found = routes(
      [
        { match: { prefix: '/', runtime_fraction: { default_value: { numerator: 50 } } }, route: { weighted_clusters: half } },
        { match: { prefix: '/' }, ...to('c') },
      ],
      {},
      seeded(3),
    );
    const all = Array.from({ length: 2000 }, () => walk(found, '/').to);
    expect(new Set(all)).toEqual(new Set(['a', 'c']));
    expect(all.filter((name) => name === 'a').length / 2000).toBeCloseTo(0.5, 1);
  });

  it('runtime fractions of several routes see one draw', () => {
    const at = (numerator: number, cluster: string) => ({
      match: { prefix: '/', runtime_fraction: { default_value: { numerator } } },
      ...to(cluster),
    });
    const share = (first: number, second: number) => {
      const found = routes([at(first, 'a'), at(second, 'b'), { match: { prefix: '/' }, ...to('c') }], {}, seeded(8));
      const all = Array.from({ length: 3000 }, () => walk(found, '/').to);
      return ['a', 'b', 'c'].map((name) => Math.round((10 * all.filter((one) => one === name).length) / 3000) / 10);
    };
    expect([share(50, 50), share(30, 60), share(0, 0), share(100, 0)]).toEqual([
      [0.5, 0, 0.5],
      [0.3, 0.3, 0.4],
      [0, 0, 1],
      [1, 0, 0],
    ]);
  });
});

describe('the cluster', () => {
  it('may be named by a header, its first line; otherwise 503 NC', () => {
    const found = routes([{ match: { prefix: '/' }, route: { cluster_header: 'X-C' } }]);
    expect([walk(found, '/', { 'x-c': ['b', 'a'] }).to, walk(found, '/', { 'x-c': '' }).to, walk(found, '/').to]).toEqual(['b', 503, 503]);
    expect(walk(found, '/', { 'x-c': 'nope' }).reply).toMatchObject({ status: 503, body: '', details: 'cluster_not_found' });
  });

  it.each<[code: string | undefined, status: number]>([
    [undefined, 503],
    ['NOT_FOUND', 404],
    ['INTERNAL_SERVER_ERROR', 500],
  ])('that is unknown answers with cluster_not_found_response_code %s', (cluster_not_found_response_code, status) => {
    expect(walk(routes([{ match: { prefix: '/' }, ...to('nope', { cluster_not_found_response_code }) }]), '/').to).toBe(status);
  });
});

describe('rewrites', () => {
  const sub = (regex: string, substitution: string) => ({ pattern: { regex }, substitution });
  it.each<[match: Record<string, unknown>, rewrite: Record<string, unknown>, path: string, after: string]>([
    [{ prefix: '/a' }, { prefix_rewrite: '/new' }, '/ab/c?d=/a', '/newb/c?d=/a'],
    [{ path_separated_prefix: '/p5' }, { prefix_rewrite: '/' }, '/p5/x', '//x'],
    [{ path_separated_prefix: '/p5' }, { prefix_rewrite: '/n/' }, '/p5/x', '/n//x'],
    [{ path: '/a' }, { prefix_rewrite: '/b' }, '/a?x', '/b?x'],
    [{ safe_regex: { regex: '/a.*' } }, { prefix_rewrite: '/b' }, '/abc?x', '/b?x'],
    [{ prefix: '/A', case_sensitive: false }, { prefix_rewrite: '/b' }, '/ax', '/bx'],
    [{ prefix: '/' }, { regex_rewrite: sub('o', '0') }, '/foo?o', '/f00?o'],
    [{ prefix: '/' }, { regex_rewrite: sub('^/(\\w+)/(\\w+)', '/\\2/\\1$') }, '/a/b/c', '/b/a$/c'],
    [{ prefix: '/' }, { regex_rewrite: sub('/a', '[\\0]') }, '/a', '[/a]'],
    [{ prefix: '/' }, { regex_rewrite: sub('x', 'y') }, '/a', '/a'],
  ])('%j with %j: %s', (match, rewrite, path, after) => {
    const { head } = walk(routes([{ match, ...to('a', rewrite) }]), path);
    expect([head.path, head.header('x-envoy-original-path')]).toEqual([after, path]);
  });

  // Measured on Envoy 1.40.
  it.each<
    [
      rewrite: Record<string, unknown>,
      headers: Record<string, string>,
      host: string,
      original: string | undefined,
      forwarded: string | undefined,
    ]
  >([
    [{ host_rewrite_literal: 'lit' }, { host: 'orig' }, 'lit', 'orig', undefined],
    [{ host_rewrite_literal: 'same', append_x_forwarded_host: true }, { host: 'same' }, 'same', 'same', 'same'],
    [{ host_rewrite_literal: 'lit', append_x_forwarded_host: true }, { host: 'o1', 'x-forwarded-host': 'o1' }, 'lit', 'o1', 'o1'],
    [{ host_rewrite_literal: 'lit', append_x_forwarded_host: true }, { host: 'o1', 'x-forwarded-host': 'o0' }, 'lit', 'o1', 'o0,o1'],
    [{ host_rewrite_header: 'X-H' }, { host: 'orig', 'x-h': 'by.header' }, 'by.header', 'orig', undefined],
    [{ host_rewrite_header: 'X-H' }, { host: 'orig' }, 'orig', undefined, undefined],
    [{ host_rewrite_path_regex: { pattern: { regex: '^/(\\w+).*' }, substitution: '\\1' } }, { host: 'orig' }, 'a', 'orig', undefined],
    [{ host_rewrite_path_regex: { pattern: { regex: '^/x' }, substitution: 'y' } }, { host: 'orig' }, '/a/b', 'orig', undefined],
  ])('of the host: %j', (rewrite, headers, host, original, forwarded) => {
    const { head } = walk(routes([{ match: { prefix: '/' }, ...to('a', rewrite) }]), '/a/b', headers);
    expect([head.authority, head.header('x-envoy-original-host'), head.header('x-forwarded-host')]).toEqual([host, original, forwarded]);
  });

  it('come after header operations and before the hash (measured on Envoy 1.40)', () => {
    const route = {
      match: { prefix: '/rw' },
      ...to('a', { prefix_rewrite: '/zzz', host_rewrite_header: 'x-made', hash_policy: [{ header: { header_name: ':path' } }] }),
      request_headers_to_add: [add('x-p', '%REQ(:path)%'), add('x-h', '%REQ(:authority)%'), add('x-made', 'made')],
    };
    const { head, x } = walk(routes([route]), '/rw/a', { host: 'orig' });
    expect([head.header('x-p'), head.header('x-h'), head.authority, head.path]).toEqual(['/rw/a', 'orig', 'made', '/zzz/a']);
    const direct = routes([{ match: { prefix: '/' }, ...to('a', { hash_policy: [{ header: { header_name: ':path' } }] }) }]);
    expect(x.hash).toBe(walk(direct, '/zzz/a').x.hash);
  });
});

describe('redirects', () => {
  it.each<[redirect: Record<string, unknown>, path: string, headers: Record<string, string>, location: string]>([
    [{ https_redirect: true }, '/a?b', { host: 'x:80' }, 'https://x/a?b'],
    [{ https_redirect: true }, '/', { host: 'x:8080' }, 'https://x:8080/'],
    [{ https_redirect: true }, '/', { host: 'x:443' }, 'https://x:443/'],
    [{ https_redirect: true }, '/', { host: 'x:443', 'x-forwarded-proto': 'https' }, 'https://x:443/'],
    [{ scheme_redirect: 'http' }, '/', { host: 'x:443', 'x-forwarded-proto': 'https' }, 'http://x/'],
    [{ path_redirect: '/p' }, '/a?z', { host: 'h:80', 'x-forwarded-proto': 'https' }, 'https://h:80/p?z'],
    [{ https_redirect: true, port_redirect: 443 }, '/', { host: 'x:80' }, 'https://x:443/'],
    [{ port_redirect: 8080 }, '/', { host: '[::1]:80' }, 'http://[::1]:8080/'],
    [{ host_redirect: 'new' }, '/a', { host: 'x:81' }, 'http://new/a'],
    [{ host_redirect: 'new', port_redirect: 81 }, '/a', { host: 'x:82' }, 'http://new:81/a'],
    [{ path_redirect: '/p' }, '/a?b', { host: 'x' }, 'http://x/p?b'],
    [{ path_redirect: '/p?own', strip_query: true }, '/a?b', { host: 'x' }, 'http://x/p?own'],
    [{ path_redirect: '/p', strip_query: true }, '/a?b', { host: 'x' }, 'http://x/p'],
    [{ strip_query: true }, '/a?b', { host: 'x' }, 'http://x/a'],
    [{ prefix_rewrite: '/n' }, '/abc?d', { host: 'x' }, 'http://x/nabc?d'],
    [{ regex_rewrite: { pattern: { regex: 'b' }, substitution: 'B' } }, '/abb?b', { host: 'x' }, 'http://x/aBB?b'],
  ])('%j of %s %j', (redirect, path, headers, wanted) => {
    const walked = walk(routes([{ match: { prefix: '/' }, redirect }]), path, headers);
    // The prefix that matched is "/": it is what a prefix rewrite replaces.
    expect(location(walked)).toBe(redirect.prefix_rewrite === undefined ? wanted : 'http://x/nabc?d');
    expect(walked.reply).toMatchObject({ status: 301, body: '', details: 'direct_response', flags: 0 });
  });

  it.each<[code: string | undefined, status: number]>([
    [undefined, 301],
    ['FOUND', 302],
    ['SEE_OTHER', 303],
    ['TEMPORARY_REDIRECT', 307],
    ['PERMANENT_REDIRECT', 308],
  ])('with response_code %s answer %i', (response_code, status) => {
    expect(walk(routes([{ match: { prefix: '/' }, redirect: { path_redirect: '/', response_code } }]), '/x').to).toBe(status);
  });

  it('of require_tls come before any route, keep the port, and spare who came by https', () => {
    const found = routes([{ match: { prefix: '/x' }, ...to('a') }], { require_tls: 'ALL' });
    expect(location(walk(found, '/nope?a', { host: 'h:80' }))).toBe('https://h:80/nope?a');
    expect(walk(found, '/x', { 'x-forwarded-proto': 'https' }).to).toBe('a');
    expect(walk(found, '/nope', { 'x-forwarded-proto': 'https' }).to).toBe(404);
  });
});

describe('direct responses', () => {
  it.each<[status: number, body: string, location: string | undefined]>([
    [200, 'hello', undefined],
    [404, '', undefined],
    [201, '', 'http://dh:80/a?b'],
    [301, 'x', 'http://dh:80/a?b'],
    [304, '', 'http://dh:80/a?b'],
  ])('%i %j', (status, body, wanted) => {
    const direct_response = { status, ...(body === '' ? {} : { body: { inline_string: body } }) };
    const walked = walk(routes([{ match: { prefix: '/' }, direct_response }]), '/a?b', { host: 'dh:80' });
    expect(walked.reply).toMatchObject({ status, body, details: 'direct_response' });
    expect(location(walked)).toBe(wanted);
  });
});

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
    const head = new Head('/', { host });
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

describe('hash policies', () => {
  it('of the source address take the app’s own address for calls that it makes itself', () => {
    const config = {
      name: 'r',
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, ...to('a', { hash_policy: [{ connection_properties: { source_ip: true } }] }) }],
        },
      ],
    };
    const at = (ownAddress?: string) =>
      walk(
        compileRouteConfiguration(fromProtoJson(RouteConfiguration, config), { random, filters, direction: 'outbound', ownAddress }),
        '/',
      ).x.hash;
    expect(at()).toBeUndefined();
    expect(at('10.0.0.1')).toBe(xxh64('10.0.0.1'));
  });

  const hash = (hash_policy: readonly unknown[], path: string, headers: Record<string, string | string[]> = {}) =>
    walk(routes([{ match: { prefix: '/' }, ...to('a', { hash_policy }) }]), path, headers).x.hash;
  const header = (header_name: string, terminal = false) => ({ header: { header_name }, terminal });

  it('that find nothing leave no hash', () => {
    expect([hash([header('x-k')], '/'), hash([{ query_parameter: { name: 'k' } }], '/?a'), hash([{ cookie: { name: 'c' } }], '/')]).toEqual(
      [undefined, undefined, undefined],
    );
  });

  it('agree about equal values, wherever they come from; empty values hash', () => {
    const wanted = 7788656780305523626n; // XXH64 of "k0"
    expect(hash([header('x-k')], '/', { 'x-k': 'k0' })).toBe(wanted);
    expect(hash([{ query_parameter: { name: 'k' } }], '/?k=k0&k=k1')).toBe(wanted);
    expect(hash([{ cookie: { name: 'c' } }], '/', { cookie: ['a=1; c=k0', 'c=k1'] })).toBe(wanted);
    expect(hash([{ cookie: { name: 'c' } }], '/', { cookie: 'c="k0"' })).toBe(wanted);
    expect(hash([header(':authority')], '/', { host: 'k0' })).toBe(wanted);
    expect(hash([header('x-k')], '/', { 'x-k': '' })).toBe(17241709254077376921n);
    const header_name = 'x-k';
    expect(hash([{ header: { header_name, regex_rewrite: { pattern: { regex: 'x+' }, substitution: '' } } }], '/', { 'x-k': 'xkx0' })).toBe(
      wanted,
    );
  });

  it('are combined in order, sorted within a header, and stop at a terminal one that found something', () => {
    const [first, second] = [hash([header('x-a')], '/', { 'x-a': '1' })!, hash([header('x-b')], '/', { 'x-b': '2' })!];
    const rotated = ((first << 1n) | (first >> 63n)) & ((1n << 64n) - 1n);
    const both = { 'x-a': '1', 'x-b': '2' };
    expect(hash([header('x-a'), header('x-b')], '/', both)).toBe(rotated ^ second);
    expect(hash([header('x-a', true), header('x-b')], '/', both)).toBe(first);
    expect(hash([header('x-none', true), header('x-b')], '/', both)).toBe(second);
    expect(hash([header('x-k')], '/', { 'x-k': ['b', 'a'] })).toBe(hash([header('x-k')], '/', { 'x-k': ['a', 'b'] }));
  });
});
