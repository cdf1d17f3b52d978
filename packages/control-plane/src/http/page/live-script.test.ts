import { createContext, runInContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { LIVE_SCRIPT } from './live-script.ts';

interface Edge {
  readonly from: string;
  readonly to: string;
  readonly rps: number;
  readonly errorPercent: number;
}

/** The script's own functions, in a page that has nothing and asks nobody. */
function functionsOfPage(): {
  drawn(edges: readonly Edge[], wanted: string): { readonly edges: readonly Edge[]; readonly left: number };
  layers(edges: readonly Edge[]): Map<string, number>;
  changed(id: string, value: unknown): boolean;
} {
  const node = { value: '', addEventListener: () => {}, classList: { add: () => {}, remove: () => {} } };
  const context = createContext({
    document: { getElementById: () => node, body: node },
    setTimeout: () => {},
    fetch: async () => ({ ok: false }),
  });
  return runInContext(`${LIVE_SCRIPT}\n({ drawn, layers, changed })`, context);
}

const edge = (from: string, to: string, rps = 1, errorPercent = 0): Edge => ({ from, to, rps, errorPercent });

describe('the service graph of the live page', () => {
  const page = functionsOfPage();

  it('draws failing and busy edges first when there are more than can be read, and says how many are left', () => {
    const many = Array.from({ length: 500 }, (_unused, index) => edge(`a${index}`, `b${index}`, index, index === 7 ? 5 : 0));
    const { edges, left } = page.drawn(many, '');
    expect([edges.length, left, edges[0]!.from, edges[1]!.from]).toEqual([120, 380, 'a7', 'a499']);
  });

  it('draws what the filter asks for', () => {
    const { edges, left } = page.drawn([edge('web', 'Reviews'), edge('web', 'ratings')], 'reviews');
    expect([edges.map(({ to }) => to), left]).toEqual([['Reviews'], 0]);
  });

  it('puts a service behind all that call it, also where they call in a circle', () => {
    const depth = page.layers([edge('web', 'a'), edge('web', 'b'), edge('a', 'b'), edge('b', 'a'), edge('b', 'b')]);
    expect(Object.fromEntries(depth)).toEqual({ web: 0, a: 1, b: 2 });
  });

  it('leaves what has not changed as it stands', () => {
    expect([page.changed('x', [1]), page.changed('x', [1]), page.changed('x', [2])]).toEqual([true, false, true]);
  });
});
