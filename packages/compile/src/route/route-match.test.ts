import { describe, expect, it } from 'vitest';
import { routes, to, walk } from '../testing/routed.ts';

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
