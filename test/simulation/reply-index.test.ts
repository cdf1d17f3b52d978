import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REPLY_INDEX } from './reply-index.ts';

const ROOT = new URL('../../', import.meta.url);
const PAGE = new URL('../shared/reference/local-replies.md', ROOT);

const missing = !existsSync(PAGE);
if (missing)
  console.log('skipped: the list of local replies that were measured on Envoy is not here (../shared/reference/local-replies.md)');

describe('replies of Envoy’s and their tests', () => {
  it.skipIf(missing)('every line of the list that was measured has its tests or a reason, and no other', () => {
    expect(Object.keys(REPLY_INDEX)).toEqual(causesOf(readFileSync(PAGE, 'utf8')));
  });

  it.each(Object.entries(REPLY_INDEX))('%s', (_cause, proofs) => {
    expect(proofs).not.toEqual([]);
    for (const proof of proofs) {
      if ('reason' in proof) continue;
      const source = readFileSync(new URL(proof.file, ROOT), 'utf8');
      for (const name of proof.tests) expect(source.includes(name), `${proof.file} has no test "${name}"`).toBe(true);
    }
  });
});

/** First column of the page's table; a pipe inside a cell is escaped. */
function causesOf(page: string): string[] {
  const lines = page.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(1).map((line) => line.split(/(?<!\\)\|/)[1]!.trim());
}
