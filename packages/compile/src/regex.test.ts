import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSubstitution, compileRegex } from './regex.ts';

/** Of the processor: a machine that is busy with other things takes nothing from it. */
function cpuMsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
}

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

  it('that is empty is refused', () => {
    expect(() => compileRegex('')).toThrow('an empty regular expression');
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
      ['(a)', '\\2', 'aba', 'aba'], // A group that the pattern does not have: RE2 replaces nothing.
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
    for (const source of ['(a+)+b', '(a|aa)+$', '(a*)*b', '([a-z]+)*\\d', '(x+x+)+y', '(.*a){20}']) {
      const started = process.cpuUsage();
      expect([source, compileRegex(source).fullMatch(`${'a'.repeat(8_000)}!`)]).toEqual([source, false]);
      expect(cpuMsSince(started)).toBeLessThan(1_000);
    }
  });

  it('is refused when its program is larger than what Envoy takes from Istio, or repeats too often, before time goes into it', () => {
    const started = process.cpuUsage();
    for (const source of [
      'a'.repeat(40_000),
      'x'.repeat(2 ** 20),
      '(?:abcd|efgh.){900}(?:ijkl|mnop.){900}(?:abcd|efgh.){900}(?:ijkl|mn.){900}',
    ])
      expect(() => compileRegex(source)).toThrow(/a program of \d+ instructions; at most 32768 are taken/);
    expect(compileRegex('a'.repeat(32_766)).fullMatch('a'.repeat(32_766))).toBe(true);
    expect(() => compileRegex('a'.repeat(32_767))).toThrow('a program of 32769 instructions');
    expect(() => compileRegex('a'.repeat(32_768))).toThrow('a program of 32770 instructions');
    expect(() => compileRegex(`${'a'.repeat(80)}(`)).toThrow(`regular expression "${'a'.repeat(80)}…": `);
    expect(() => compileRegex(`${'a'.repeat(79)}(`)).toThrow(/regular expression "a{79}\(": .*missing closing \).* \(RE2 syntax\)/);
    for (const source of ['((a{100}){100}){100}', 'a{1001}', '('.repeat(2_000) + ')'.repeat(2_000)])
      expect(() => compileRegex(source)).toThrow('RE2 syntax');
    expect(cpuMsSince(started)).toBeLessThan(2_000);
  });

  it('whose program is large reads no text that would take it long: that throws, at once, and says why', () => {
    const bomb = compileRegex('(.*a){1000}');
    expect(bomb.fullMatch('a'.repeat(400))).toBe(false);
    const started = process.cpuUsage();
    expect(() => bomb.fullMatch('a'.repeat(8_000))).toThrow(/program of 5002 instructions: a text of 8000 characters is too long/);
    expect(() => bomb.replaceAll('a'.repeat(8_000), 'b')).toThrow('too long');
    expect(cpuMsSince(started)).toBeLessThan(100);
    // Who is not meant by it is not refused.
    expect(compileRegex('/a/(.*a){1000}').fullMatch(`/b/${'a'.repeat(8_000)}`)).toBe(false);
    // The product counts: sixteen instructions take 131072 characters.
    const sixteen = compileRegex('[ab]{14}');
    expect(sixteen.fullMatch('a'.repeat(2 ** 17))).toBe(false);
    expect(() => sixteen.fullMatch('a'.repeat(2 ** 17 + 1))).toThrow('a program of 16 instructions');
    // What an app means by patterns stays far from it: the longest path with an ordinary pattern.
    expect(compileRegex('/api/v[0-9]+/(users|orders)/.*\\.json').fullMatch(`/api/v1/users/${'x'.repeat(60_000)}.json`)).toBe(true);
  });
});
