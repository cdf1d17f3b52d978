import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Marked, markOf } from '../translate/digest.ts';
import { Holding, HoldingPool } from './holding.ts';

const NAMES = Array.from({ length: 60 }, (_, at) => `name-${at}`);
const name = fc.constantFrom(...NAMES);
const marked = fc.tuple(name, fc.constantFrom('1', '2')).map(([of, version]): Marked => ({ name: of, mark: markOf(of, version) }));
const step = fc.record({ taken: fc.array(marked, { maxLength: 80 }), gone: fc.array(name, { maxLength: 20 }) });

/** The same as plain maps hold it. */
function apply(map: Map<string, string>, { taken, gone }: { taken: readonly Marked[]; gone: readonly string[] }): void {
  for (const entry of gone) map.delete(entry);
  for (const entry of taken) map.set(entry.name, entry.mark.version);
}

function all(holding: Holding): Map<string, string | undefined> {
  return new Map([...holding].map((entry) => [entry, holding.version(entry)]));
}

describe('what clients hold', () => {
  it('is what they were given, however much of it they share', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.uniqueArray(fc.nat(2), { minLength: 1 }), step), { maxLength: 30 }), (steps) => {
        const pool = new HoldingPool();
        const clients = [0, 1, 2].map(() => ({ holding: new Holding(pool, 'a'), plain: new Map<string, string>() }));
        // Clients that are told the same are told it by the same list.
        for (const [who, change] of steps) {
          for (const one of who) {
            clients[one]!.holding.change(change.taken, change.gone);
            apply(clients[one]!.plain, change);
          }
          for (const client of clients) {
            expect(all(client.holding)).toEqual(client.plain);
            expect(client.holding.size).toBe(client.plain.size);
            for (const entry of NAMES) expect(client.holding.has(entry)).toBe(client.plain.has(entry));
          }
        }
      }),
    );
  });

  it('has equal content for equal names and versions, in whatever order they came', () => {
    const pool = new HoldingPool();
    const [first, second] = [new Holding(pool, 'a'), new Holding(pool, 'a')];
    const entries = NAMES.map((entry) => ({ name: entry, mark: markOf(entry, '1') }));
    first.change(entries);
    for (const entry of [...entries].reverse()) second.change([{ name: entry.name, mark: markOf(entry.name, '0') }]);
    expect(second.content).not.toBe(first.content);
    for (const entry of entries) second.change([entry]);
    expect(second.content).toBe(first.content);
  });

  it('stays one object for those who hold the same and are told the same', () => {
    const pool = new HoldingPool();
    const holdings = [0, 1, 2, 3].map(() => new Holding(pool, 'a'));
    const entries = NAMES.map((entry) => ({ name: entry, mark: markOf(entry, '1') }));
    for (const holding of holdings) holding.change(entries);
    for (const version of ['2', '3']) {
      const change = [{ name: 'name-3', mark: markOf('name-3', version) }];
      for (const holding of holdings) holding.change(change);
      for (const holding of holdings) expect(holding.version('name-3')).toBe(version);
      expect(new Set(holdings.map(({ content }) => content)).size).toBe(1);
      expect(holdings[3]!.shared).toBeDefined();
      expect(holdings[3]!.shared).toBe(holdings[1]!.shared);
    }
  });

  it('is one object for all who hold the same thousands, until one of them differs', () => {
    const pool = new HoldingPool();
    const [first, second] = [new Holding(pool, 'a'), new Holding(pool, 'a')];
    for (const holding of [first, second]) holding.change(NAMES.map((entry) => ({ name: entry, mark: markOf(entry, '1') })));
    expect(first.shared).toBeDefined();
    expect(second.shared).toBe(first.shared);
    second.change([], ['name-7']);
    expect(second.shared).toBeUndefined();
    expect([first.has('name-7'), second.has('name-7')]).toEqual([true, false]);
    second.change([{ name: 'name-7', mark: markOf('name-7', '1') }]);
    expect(second.shared).toBe(first.shared);
  });

  it('is not the same for different kinds of holdings', () => {
    const pool = new HoldingPool();
    const [first, second] = [new Holding(pool, 'a'), new Holding(pool, 'b')];
    for (const holding of [first, second]) holding.change(NAMES.map((entry) => ({ name: entry, mark: markOf(entry, '1') })));
    expect(second.shared).not.toBe(first.shared);
  });
});
