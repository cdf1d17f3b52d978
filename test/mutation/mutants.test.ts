import { describe, expect, it } from 'vitest';
import { mutate, namesOf, SWITCH } from './mutants.ts';
import { draw } from './sample.ts';

/** The changes of a text, as `original => replacement`. */
function changesOf(source: string): string[] {
  return mutate('a.ts', source, 1).mutants.map(({ original, replacement }) => `${original} => ${replacement || 'nothing'}`);
}

/** What the constant `x` of a text is when a mutant is on; 0 is none. */
function valueWith(source: string, on: number): unknown {
  const { text } = mutate('a.ts', source, 1);
  return new Function(SWITCH, 'a', 'b', `${text} return x;`)((mutant: number) => mutant === on, 3, undefined);
}

describe('the mutants', () => {
  it.each<[source: string, changes: readonly string[]]>([
    ['f(a < b)', ['f(a < b) => nothing', 'a < b => a <= b', 'a < b => a >= b']],
    ['const x = a && b;', ['a && b => a', 'a && b => b']],
    ['const x = a ? 1 : b;', ['a => true', 'a => false', '1 => 2']],
    ['if (a || b) g = 1;', ['a || b => true', 'a || b => a', 'a || b => b', 'g = 1; => nothing', '1 => 2']],
    ["const x = { key: 'v' };", ["'v' => ''"]],
    ['const x = a?.b[0].c?.();', ['a?.b[0].c?.() => a?.b[0].c()', 'a?.b[0].c?.() => a.b[0].c?.()', '0 => 1']],
    ['const x = a.every(b);', ['a.every(b) => a.some(b)']],
    ['const x = a.filter(b).length;', ['a.filter(b) => a']],
    [
      'const x = /^[a-z]+$/.test(a);',
      ['^', '$', 'class', 'plus'].map((_, index) => `/^[a-z]+$/ => ${['/[a-z]+$/', '/^[a-z]+/', '/^[^a-z]+$/', '/^[a-z]$/'][index]}`),
    ],
    ['const f = (a: number): number => g(a);', ['g(a) => undefined']],
    ['function f(): void { g(); h(); }', ['{ g(); h(); } => nothing', 'g(); => nothing', 'h(); => nothing']],
    ["throw new Error(a ? 'x' : 'y');", ["throw new Error(a ? 'x' : 'y'); => nothing"]],
    ["import x from 'y'; type T = 'a' | 1; export const z = x as 'a';", []],
  ])('of %s are %j', (source, changes) => {
    expect(changesOf(source)).toEqual(changes);
  });

  it('stand in one text, and each is there when its switch is on', () => {
    const source = `const x = a > 2 ? \`\${a}\` : [b?.length ?? -1];`;
    const { mutants } = mutate('a.ts', source, 1);
    const values = [0, ...mutants.map(({ id }) => id)].map((on) => {
      try {
        return JSON.stringify(valueWith(source, on));
      } catch (error) {
        return (error as Error).name;
      }
    });
    expect(values[0]).toBe('"3"');
    expect(Object.fromEntries(mutants.map(({ replacement }, index) => [replacement, values[index + 1]]))).toMatchObject({
      true: '"3"',
      false: '[-1]',
      'a <= 2': '[-1]',
      '``': '""',
    });
  });

  it('have names that tell the second of two alike', () => {
    const { mutants } = mutate('a.ts', 'f(1); f(1);', 1);
    expect([...namesOf(mutants).values()].filter((name) => name.includes('1 => 2'))).toEqual([
      'a.ts [literal] 1 => 2',
      'a.ts [literal] 1 => 2 #2',
    ]);
  });
});

describe('a sample', () => {
  const all = Array.from({ length: 1000 }, (_, index) => index);

  it('is the same for the same seed, has no item twice and keeps their order', () => {
    const sample = draw(all, 100, 7);
    expect(draw(all, 100, 7)).toEqual(sample);
    expect(draw(all, 100, 8)).not.toEqual(sample);
    expect(new Set(sample).size).toBe(100);
    expect(sample.toSorted((a, b) => a - b)).toEqual(sample);
    expect(draw(all, 2000, 7)).toEqual(all);
  });
});
