import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { filesBelow, root } from './sources.ts';

const pages = filesBelow(join(root, 'docs/design'), '.md').filter((file) => /rules-[a-z]+\.md$/.test(file));

/** Rows of the tables, without their heads. */
function rows(page: string): string[][] {
  return readFileSync(page, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (-|rule )/.test(line))
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    );
}

/** `file` or `file › title` of a cell. */
function testsOf(cell: string): { readonly file: string; readonly title: string }[] {
  return [...cell.matchAll(/`([^` ]+\.test\.ts)(?: › ([^`]+))?`/g)].map(([, file, title]) => ({ file: file!, title: title ?? '' }));
}

function titles(file: string): string {
  return existsSync(join(root, file)) ? readFileSync(join(root, file), 'utf8').replaceAll("\\'", "'") : '';
}

describe.each(pages.map((page) => [page.slice(root.length).replace(/^\//, ''), page] as const))('the rules of %s', (_name, page) => {
  it('each have a test that is there, or a reason', () => {
    const found = rows(page);
    expect(found.length).toBeGreaterThan(10);
    const missing = found.flatMap(([rule, cell = '']) => {
      const tests = testsOf(cell);
      if (tests.length === 0) return /^(not |no )/.test(cell) ? [] : [`${rule}: neither a test nor "not …: why"`];
      return tests
        .filter(({ file, title }) => titles(file) === '' || !titles(file).includes(title))
        .map((test) => `${rule}: ${test.file} › ${test.title}`);
    });
    expect(missing).toEqual([]);
  });
});
