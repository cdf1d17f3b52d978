import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSubstitution, compileRegex } from './regex.ts';

describe('a regular expression', () => {
  // Own, obvious patterns without nesting: V8 answers the same and cannot blow up.
  const atom = fc.constantFrom('a', 'b', '.', '\\.', '[ab]', 'a+', 'b*', '(a)', '(?:b|ab)', '.*', '/', '\\d', 'x?');
  const pattern = fc.array(atom, { minLength: 1, maxLength: 4 }).map((atoms) => atoms.join(''));
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '/', '1', 'x'), maxLength: 6 });

  it('matches whole texts as its syntax says, also where it became string operations', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          pattern,
          fc.tuple(pattern, pattern).map((both) => both.join('|')),
        ),
        text,
        (source, found) => {
          expect(compileRegex(source).fullMatch(found)).toBe(new RegExp(`^(?:${source})$`, 's').test(found));
        },
      ),
      { numRuns: 10_000, seed: 20_261_126 },
    );
  });

  it('replaces every match; what is empty and stands right behind another match is none', () => {
    const table: [source: string, substitution: string, text: string, replaced: string][] = [
      ['o', '0', 'foo', 'f00'],
      ['(a)(b)', '\\2\\1', 'abab', 'baba'],
      ['a', '[\\0]', 'aa', '[a][a]'],
      ['a', '$1$&\\\\', 'a', '$1$&\\'],
      ['x*', '-', 'axb', '-a-b-'],
      ['(a)|b', '<\\1>', 'ab', '<a><>'],
      ['^/', '/v1/', '/a/b', '/v1/a/b'],
      ['z', 'y', 'a', 'a'],
    ];
    for (const [source, substitution, found, replaced] of table)
      expect([source, compileRegex(source).replaceAll(found, substitution)]).toEqual([source, replaced]);
  });

  it('is refused when it is not RE2, and a substitution when it is malformed', () => {
    for (const source of ['(?=a)', '(?<!a)b', '(a)\\1', '(', 'a**']) expect(() => compileRegex(source)).toThrow('RE2 syntax');
    for (const substitution of ['\\x', 'a\\']) expect(() => checkSubstitution('(a)', substitution)).toThrow('is no group');
    for (const substitution of ['\\0', '\\1', '\\9', '\\\\', '$9', '']) expect(() => checkSubstitution('(a)', substitution)).not.toThrow();
  });

  it('takes linear time where V8 would not come back', () => {
    expect(compileRegex('(a+)+b').fullMatch('a'.repeat(5000))).toBe(false);
  });
});
