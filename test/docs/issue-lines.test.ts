import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './sources.ts';

const page = readFileSync(join(root, 'docs/design/issue-lines.md'), 'utf8');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

/** `[what, proof]` of every row. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (what |-)/.test(line))
  .map((line) => line.slice(2, -2).split(' | ') as [string, string]);

/** What is wrong with a proof; undefined when it stands. */
function fault(proof: string): string | undefined {
  if (/^open: \S/.test(proof)) return undefined;
  const named = [...proof.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  if (named.length === 0) return 'neither a test, nor a command, nor "open: why"';
  return named.find((name) => (name.startsWith('npm run ') ? scripts[name.slice(8)] === undefined : !existsSync(join(root, name))));
}

describe('docs/design/issue-lines.md', () => {
  it('names for each line a test or command that is there, or says why it is open', () => {
    expect(rows.length).toBeGreaterThan(100);
    expect(rows.flatMap(([what, proof]) => (fault(proof) === undefined ? [] : [`${what}: ${fault(proof)}`]))).toEqual([]);
  });
});
