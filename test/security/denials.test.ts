import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DENIALS, type Denial } from './denials.ts';

const root = join(import.meta.dirname, '../..');
const page = process.env.RIPSTOP_DENIALS ?? join(root, '../shared/reference/denials.md');
const present = existsSync(page);
if (!present) console.log(`skipped: whether every measured refusal is shown (no ${page})`);

interface Row {
  readonly section: string;
  readonly cause: string;
}

/** The first cells of the page's tables. */
function rowsOf(text: string): Row[] {
  const rows: Row[] = [];
  let section = '';
  for (const line of text.split('\n')) {
    const title = /^## (.*)$/.exec(line)?.[1];
    if (title !== undefined) section = title;
    const cause = /^\| (.+?) \| /.exec(line)?.[1];
    if (cause !== undefined && cause !== 'cause') rows.push({ section, cause });
  }
  return rows;
}

const isOf = (denial: Denial, { section, cause }: Row): boolean => denial.section === section && cause.startsWith(denial.cause);

describe('refusals that an Envoy makes itself', () => {
  it.skipIf(!present)('are all in the table, each once, and nothing else is', () => {
    const rows = rowsOf(readFileSync(page, 'utf8'));
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((row) => DENIALS.filter((denial) => isOf(denial, row)).length !== 1)).toEqual([]);
    expect(DENIALS.filter((denial) => !rows.some((row) => isOf(denial, row)))).toEqual([]);
  });

  it.each(DENIALS.map((denial) => ({ name: `${denial.section}: ${denial.cause}`, denial })))('$name', ({ denial: { shown, differs } }) => {
    expect(shown.length + (differs === undefined ? 0 : 1)).toBeGreaterThan(0);
    for (const [file, words] of shown)
      expect([file, readFileSync(join(root, file), 'utf8').includes(words), words]).toEqual([file, true, words]);
    if (differs !== undefined) expect(readFileSync(join(root, 'docs/reference/differences.md'), 'utf8')).toContain(`| ${differs}`);
  });
});
