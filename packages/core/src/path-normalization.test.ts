import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizePath } from './path-normalization.ts';

const NONE = { normalizePath: false, mergeSlashes: false, escapedSlashes: 'KEEP_UNCHANGED' } as const;
const BASE = { ...NONE, normalizePath: true };
const MERGE = { ...BASE, mergeSlashes: true };
const DECODE = { ...MERGE, escapedSlashes: 'UNESCAPE_AND_FORWARD' } as const;

/** Text of the pieces that paths are attacked with. */
const attack = fc
  .array(
    fc.constantFrom('/', '.', '..', ';', '%2e', '%2E', '%2f', '%5C', '\\', '%', '%25', '%61', 'a', 'B', '~', '%7e', '"', '{', '?', '#'),
    {
      maxLength: 12,
    },
  )
  .map((pieces) => `/${pieces.join('')}`);

const pathOf = (target: string, options: Parameters<typeof normalizePath>[1]): string => {
  const normal = normalizePath(target, options);
  return normal.kind === 'path' ? normal.path : normal.kind;
};

describe('path normalisation', () => {
  it.each([
    ['/a/../admin', '/admin', '/admin'],
    ['/a//b', '/a//b', '/a/b'],
    ['/%2fadmin', '/%2fadmin', '/admin'],
    ['/a%5cb', '/a%5cb', '/a/b'],
    ['/a\\b', '/a/b', '/a/b'],
    ['//', '//', '//'],
    ['/..;x/admin', '/admin', '/admin'],
    ['/x/%2e%2e;/admin', '/x/..;/admin', '/x/..;/admin'],
    ['/%61?%61#%61', '/a?%61', '/a?%61'],
    ['/"<>^`{|}', '/%22%3C%3E%5E%60%7B%7C%7D', '/%22%3C%3E%5E%60%7B%7C%7D'],
    ['/%00', 'reject', 'reject'],
  ])('of %s: %s, decoding slashes %s', (target, base, decoded) => {
    expect(pathOf(target, BASE)).toBe(base);
    expect(pathOf(target, DECODE)).toBe(decoded);
  });

  it('leaves a path as it is under NONE, but for its fragment', () => {
    expect(pathOf('/a/..//%2f\\"#x', NONE)).toBe('/a/..//%2f\\"');
  });

  it('rejects or redirects escaped slashes when it is told to', () => {
    expect(normalizePath('/a%2fb', { ...BASE, escapedSlashes: 'REJECT_REQUEST' })).toEqual({ kind: 'reject' });
    expect(normalizePath('/a%2fb?c', { ...BASE, escapedSlashes: 'UNESCAPE_AND_REDIRECT' })).toEqual({ kind: 'redirect', path: '/a/b?c' });
  });

  it.each([
    ['BASE', BASE],
    ['MERGE_SLASHES', MERGE],
    ['DECODE_AND_MERGE_SLASHES', DECODE],
  ] as const)('leaves no dot segment, no backslash and no fragment under %s', (_name, options) => {
    fc.assert(
      fc.property(attack, (target) => {
        const [path = ''] = pathOf(target, options).split('?');
        expect(path.startsWith('/')).toBe(true);
        expect(path.split('/').filter((segment) => segment === '.' || segment === '..')).toEqual([]);
        expect(path).not.toMatch(/[\\#"{]/);
        if (options.mergeSlashes && path !== '//') expect(path).not.toContain('//');
      }),
      { numRuns: 2_000 },
    );
  });

  it('is the same twice as once, but for an escaped dot segment with parameters (S11)', () => {
    fc.assert(
      fc.property(attack, (target) => {
        fc.pre(!/%2e|;/i.test(target));
        const once = pathOf(target, BASE);
        expect(pathOf(once, BASE)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('of a target, path normalisation', () => {
  const REJECT = { ...BASE, escapedSlashes: 'REJECT_REQUEST' } as const;
  const REDIRECT = { ...BASE, escapedSlashes: 'UNESCAPE_AND_REDIRECT' } as const;

  it.each([
    ['cuts everything after the first #', '/a#b?c#d', '/a'],
    ['takes what follows the first ? for the query, and leaves that alone', '/x/../a?b=/../%61//?c', '/a?b=/../%61//?c'],
    ['drops . and goes up for ..', '/a/./b/../c', '/a/c'],
    ['keeps the slash after a dot segment at the end', '/a/b/..', '/a/'],
    ['keeps the slash after one dot at the end', '/a/.', '/a/'],
    ['does not go above the root', '/../../a', '/a'],
    ['is the root when everything goes', '/a/..', '/'],
    ['takes an escaped dot for one', '/a/%2E%2e/b', '/b'],
    ['takes .. with parameters for a dot segment', '/a/b/..;v=1/c', '/a/c'],
    ['takes .. with several parameters for a dot segment', '/a/b/..;v;w/c', '/a/c'],
    ['takes . with parameters for a dot segment', '/a/.;v=1/b', '/a/b'],
    ['leaves names that only begin with dots', '/.a/..b/...', '/.a/..b/...'],
    ['leaves names with dots, minus and underscore', '/a.b-c_d', '/a.b-c_d'],
    ['leaves parameters behind a name', '/a;b/../c', '/c'],
    ['decodes unreserved bytes: letters, digits, - . _ ~', '/%41%5a%61%7A%30%39%2d%5F%7e/a%2eb', '/AZaz09-_~/a.b'],
    ['leaves escapes of reserved bytes as they are written', '/%3b%3F%23%25%2c%40', '/%3b%3F%23%25%2c%40'],
    ['leaves escapes of the neighbours of unreserved bytes', '/%2f%3a%40%5b%60%7b%7d%7f', '/%2f%3a%40%5b%60%7b%7d%7f'],
    ['decodes once', '/%2561', '/%2561'],
    ['leaves a percent sign that escapes nothing', '/%/%6/%6g/%g1/%%61', '/%/%6/%6g/%g1/%a'],
    ['escapes a space', '/a b', '/a%20b'],
    ['escapes a byte above ASCII', '/\x80\xe9\xff', '/%80%E9%FF'],
    ['leaves DEL and ASCII marks', "/\x7f!$&'()*+,:@=", "/\x7f!$&'()*+,:@="],
    ['escapes a character beyond a byte as UTF-8', '/€', '/%E2%82%AC'],
    ['turns backslashes into slashes', '\\a\\..\\b', '/b'],
    ['leaves a path that does not begin with a slash, but for its bytes', '*/../%61', '*/../a'],
  ])('under BASE %s: %s', (_rule, target, path) => {
    expect(pathOf(target, BASE)).toBe(path);
  });

  it.each([
    ['//', '//'],
    ['///', '//'],
    ['//a', '/a'],
    ['/a//', '/a/'],
    ['/a////b//c', '/a/b/c'],
    ['/a/..//b', '/b'],
  ])('under MERGE_SLASHES makes %s %s', (target, path) => {
    expect(pathOf(target, MERGE)).toBe(path);
    expect(pathOf(target, { ...NONE, mergeSlashes: true })).toBe(target === '/a/..//b' ? '/a/../b' : path);
  });

  it.each(['%2f', '%2F', '%5c', '%5C'])('under DECODE_AND_MERGE_SLASHES decodes every %s', (slash) => {
    expect(pathOf(`/a${slash}b${slash}${slash}c?${slash}`, DECODE)).toBe(`/a/b/c?${slash}`);
  });

  it.each(['%2f', '%2F', '%5c', '%5C'])('rejects %s, or redirects to what it stands for, where that is asked for', (slash) => {
    const to = /5c/i.test(slash) ? '\\' : '/';
    expect(normalizePath(`/a${slash}b`, REJECT)).toEqual({ kind: 'reject' });
    expect(normalizePath(`/a${slash}b`, REDIRECT)).toEqual({ kind: 'redirect', path: '/a/b' });
    expect(normalizePath(`/a${slash}b${slash}`, { ...REDIRECT, normalizePath: false })).toEqual({
      kind: 'redirect',
      path: `/a${to}b${to}`,
    });
    expect(pathOf(`/a${slash}b`, { ...NONE, escapedSlashes: 'UNESCAPE_AND_FORWARD' })).toBe(`/a${to}b`);
  });

  it.each([REJECT, REDIRECT])('neither rejects nor redirects what has no escaped slash: %j', (options) => {
    expect(normalizePath('/a//b/../%61?%2f', options)).toEqual({ kind: 'path', path: '/a//a?%2f' });
  });

  it.each([NONE, BASE, MERGE, DECODE])('rejects a zero byte, escaped or not, but not in the query: %j', (options) => {
    expect(normalizePath('/a%00', options)).toEqual({ kind: 'reject' });
    expect(normalizePath('/a\0b', options)).toEqual({ kind: 'reject' });
    expect(normalizePath('/a?%00', options)).toEqual({ kind: 'path', path: '/a?%00' });
  });
});
