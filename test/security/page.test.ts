import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CELLS, type Door } from './corpus/doors.ts';
import { PAGE } from './page.ts';

const root = join(import.meta.dirname, '../..');
const page = process.env.RIPSTOP_SECURITY_PAGE ?? join(root, '../shared/reference/security-and-faults.md');
const present = existsSync(page);
if (!present) console.log(`skipped: whether every row of the security page is shown (no ${page})`);

const DOORS = Object.keys(CELLS) as Door[];

describe('rows of the security page', () => {
  it.skipIf(!present)('are all in the table, in their order, and nothing else is', () => {
    const rows = [...readFileSync(page, 'utf8').matchAll(/^\| (S\d+) \|/gm)].map(([, id]) => id);
    expect(rows.length).toBeGreaterThan(120);
    expect(PAGE.map(({ id }) => id)).toEqual(rows);
  });

  it('are what the cells of the corpus speak of', () => {
    const known = new Set(PAGE.map(({ id }) => id));
    expect(DOORS.flatMap((door) => [...CELLS[door]]).filter((id) => !known.has(id))).toEqual([]);
  });

  it.each(PAGE)('$id is tried or shown as the table says, else there is a reason', ({ id, doors, shown, because }) => {
    expect(DOORS.filter((door) => CELLS[door].has(id))).toEqual(doors);
    // A row that requests can show has cells at every door, or says why not; any other has tests, or does not apply.
    if (doors.length > 0 && doors.length < DOORS.length) expect(because).toBeDefined();
    if (doors.length === 0 && because === undefined) expect(shown.length).toBeGreaterThan(0);
    for (const [file, words] of shown) {
      expect(words.length, `${file}: ${words}`).toBeGreaterThan(3);
      const text = readFileSync(join(root, file), 'utf8');
      expect([file, words, text.includes(words)]).toEqual([file, words, true]);
      expect([file, /\b(?:it|describe)\.(?:skip|todo)\b(?!If)/.test(text)]).toEqual([file, false]);
    }
  });
});
