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
