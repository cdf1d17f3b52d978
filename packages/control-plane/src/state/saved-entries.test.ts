import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SavedEntries } from './saved-entries.ts';

describe('entries that are kept over a restart', () => {
  let dir: string;
  let saved: SavedEntries<number>;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-state-'));
    saved = opened();
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function opened(): SavedEntries<number> {
    return new SavedEntries(dir, {
      name: 'numbers.json',
      holds: 'numbers',
      accepts: (value): value is number => typeof value === 'number',
    });
  }

  it('are none without a file', () => {
    expect(saved.load()).toEqual(new Map());
  });

  it('are what was saved last, in its order', () => {
    saved.save(new Map([['a', 1]]));
    saved.save(new Map(Object.entries({ c: 3, b: 2 })));
    expect([...opened().load()]).toEqual([
      ['c', 3],
      ['b', 2],
    ]);
    expect(readFileSync(join(dir, 'numbers.json'), 'utf8')).toBe('[["c",3],["b",2]]');
  });

  it('are readable by their owner only', () => {
    saved.save(new Map());
    expect(statSync(join(dir, 'numbers.json')).mode & 0o777).toBe(0o600);
  });

  it.each(['{"a":1}', 'null', '[1]', '[["a"]]', '[[1,1]]', '[["a",1],["b","2"]]'])('that are damaged are told by file: %s', (text) => {
    writeFileSync(join(dir, 'numbers.json'), text);
    expect(() => saved.load()).toThrow(`${join(dir, 'numbers.json')} does not hold numbers`);
  });

  it('that were cut off are told by file', () => {
    writeFileSync(join(dir, 'numbers.json'), '[["a"');
    expect(() => saved.load()).toThrow(`${join(dir, 'numbers.json')} is not JSON: `);
  });

  it('that cannot be read are told as the file system says it', () => {
    mkdirSync(join(dir, 'numbers.json'));
    expect(() => saved.load()).toThrow(/EISDIR/);
  });
});
