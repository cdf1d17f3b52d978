import { describe, expect, test } from 'vitest';
import { compilePathMatch, type PathMatch } from './path-matcher.ts';
import type { Route } from './route.ts';
import { RouteIndex } from './route-index.ts';

type Literal = Extract<PathMatch, { readonly value: string }>;

function route(name: string, match: Literal | undefined): Route & { readonly test: (path: string) => boolean } {
  return {
    name,
    test: match === undefined ? () => true : compilePathMatch(match, true),
    matches: () => true,
    literal: match?.value,
    action: { kind: 'inbound', clusterName: '', timeoutMs: 0, maxStreamDurationMs: 0 },
    filters: [],
    headers: undefined,
    operation: '',
    source: undefined,
  };
}

const prefix = (value: string): Literal => ({ kind: 'prefix', value });
const numbered = (count: number): Literal[] => Array.from({ length: count }, (_, n) => prefix(`/api/r${n}/`));
const names = (found: readonly Route[] | undefined): string[] | undefined => found?.map(({ name }) => name);
const indexOf = (matches: readonly (Literal | undefined)[]): RouteIndex | undefined =>
  RouteIndex.of(matches.map((match, at) => route(String(at), match)));

describe('an index of routes', () => {
  test('leaves the one prefix that a path has', () => {
    expect(names(indexOf(numbered(20))?.candidates('/api/r17/items'))).toEqual(['17']);
  });

  test('keeps, in order, what any path may match', () => {
    const index = indexOf([undefined, ...numbered(10), prefix('/api/r1'), undefined]);
    expect(names(index?.candidates('/api/r4/items'))).toEqual(['0', '5', '11', '12']);
    expect(names(index?.candidates('/elsewhere'))).toEqual(['0', '11', '12']);
  });

  test('is not made for few routes, nor for routes of one segment', () => {
    expect(indexOf(numbered(5))).toBeUndefined();
    expect(indexOf(Array.from({ length: 30 }, () => prefix('/api/only/')))).toBeUndefined();
  });

  test('never hides the route that a scan would find', () => {
    const letters = ['a', 'b', 'ab', 'a/', 'b/', '/', 'c'];
    let seed = 7;
    const draw = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    const path = (): string => `/${Array.from({ length: draw(6) }, () => letters[draw(letters.length)]).join('')}`;
    const kinds = ['prefix', 'exact', 'separated_prefix'] as const;
    let indexed = 0;
    for (let round = 0; round < 300; round++) {
      const routes = Array.from({ length: 8 + draw(40) }, (_, at) =>
        route(String(at), draw(10) === 0 ? undefined : { kind: kinds[draw(3)]!, value: path() }),
      );
      const index = RouteIndex.of(routes);
      if (index === undefined) continue;
      indexed++;
      for (let probe = 0; probe < 30; probe++) {
        const asked = path();
        const found = (list: readonly Route[]): string | undefined =>
          (list as readonly (typeof routes)[number][]).find(({ test: matches }) => matches(asked))?.name;
        expect(found(index.candidates(asked)), asked).toBe(found(routes));
      }
    }
    expect(indexed).toBeGreaterThan(50);
  });
});
