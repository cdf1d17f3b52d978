import { xxh64 } from '@ripstop/core';
import { fromProtoJson, RouteConfiguration } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileRouteConfiguration } from './route-configuration.ts';
import { filters, random, routes, to, walk } from './testing/routed.ts';

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
