import { describe, expect, it } from 'vitest';
import { add, location, routes, to, walk } from '../testing/routed.ts';

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
