import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXPLAINED } from '../interop/differential/explained.ts';
import { EXPLAINED as OF_SERVERS } from '../interop/differential/server/explained.ts';
import { EXPLAINED as ON_THE_WHOLE_WAY } from '../interop/whole-way/explained.ts';
import { root } from './sources.ts';

const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const page = read('docs/reference/differences.md');

/** The quoted words of a named constant. */
function wordsOf(source: string, name: string): string[] {
  const text = new RegExp(`const ${name}\\b[\\s\\S]*?;\\n`).exec(source)?.[0] ?? '';
  const words = text.replace(/\/\/.*$/gm, '').match(/'[^']+'/g) ?? [];
  return words.map((word) => word.slice(1, -1));
}

describe('the page of differences', () => {
  it('names every header that the comparison with Envoy leaves out', () => {
    const headers = wordsOf(read('test/simulation/compare.ts'), 'LEFT_OUT').filter((word) => !['response', 'upstream'].includes(word));
    expect(headers.length).toBeGreaterThan(0);
    expect(headers.filter((header) => !page.includes(`\`${header}\``))).toEqual([]);
  });

  it('names every difference that the differential and the whole way explain', () => {
    expect([...EXPLAINED, ...OF_SERVERS, ...ON_THE_WHOLE_WAY].map(({ page: line }) => line).filter((line) => !page.includes(line))).toEqual(
      [],
    );
  });

  it('names every filter that the comparison with istiod leaves out', () => {
    const filters = wordsOf(read('test/conformance/level-one.ts'), 'PRIVATE_FILTERS');
    expect(filters.length).toBeGreaterThan(0);
    expect(filters.filter((filter) => !page.includes(`\`${filter}\``))).toEqual([]);
  });
});
