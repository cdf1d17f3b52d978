import { describe, expect, it } from 'vitest';
import { literalPrefix, stringTest } from './regex-shortcut.ts';

describe('a pattern that needs no engine', () => {
  it.each<[pattern: string, takes: string[], leaves: string[]]>([
    ['/a-b_c~!@#%&=:;"\'<>, 9Z', ['/a-b_c~!@#%&=:;"\'<>, 9Z'], ['', 'a', '/a-b_c~!@#%&=:;"\'<>, 9Zx']],
    ['a\\.b\\+\\*\\?\\(\\)\\|\\[\\]\\{\\}\\^\\$\\/\\-', ['a.b+*?()|[]{}^$/-'], ['axb+*?()|[]{}^$/-']],
    ['.*', ['', 'a'], []],
    ['.*.*', ['', 'a'], []],
    ['.+', ['a'], ['']],
    ['/a.*', ['/a', '/ab'], ['', '/', 'x/a']],
    ['/a\\..*', ['/a.', '/a.b'], ['/a', '/ab']],
    ['.*\\.b', ['.b', 'a.b'], ['ab', '.bc']],
    ['.*a.*', ['a', 'xa', 'ax'], ['', 'x']],
    ['.*a\\.b.*', ['a.b', 'xa.bx'], ['axb']],
  ])('%j takes the whole text by a comparison', (pattern, takes, leaves) => {
    const test = stringTest(pattern)!;
    expect([takes.map(test), leaves.map(test)]).toEqual([takes.map(() => true), leaves.map(() => false)]);
  });

  it.each([
    'a|b',
    'a+',
    'a.c',
    '^a',
    'a$',
    '\\d',
    '\\',
    'a\\.*',
    '.*\\.*',
    '.*a\\.*',
    'a.*b',
    '.*a.*b',
    '.+a',
    'a.+',
    '[ab].*',
    '.*[ab]',
    '.*[ab].*',
    '(?i)a',
    'é',
  ])('is not %j', (pattern) => {
    expect(stringTest(pattern)).toBeUndefined();
  });
});

describe('what a text must begin with to be taken by a pattern', () => {
  it.each([
    ['/api/v[0-9]', '/api/v'],
    ['/a\\.b.c', '/a.b'],
    ['/a/.*', '/a/'],
    ['ab*', 'a'],
    ['ab?c', 'a'],
    ['ab{2}', 'a'],
    ['ab+', 'ab'],
    ['a\\.*', 'a'],
    ['a\\.', 'a.'],
    ['a\\dc', 'a'],
    ['a|ab', ''],
    ['(a)b', ''],
    ['^a', ''],
    ['', ''],
  ])('%j: %j', (pattern, prefix) => {
    expect(literalPrefix(pattern)).toBe(prefix);
  });
});
