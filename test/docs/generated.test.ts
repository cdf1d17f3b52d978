import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PAGES } from '../../scripts/docs/pages.ts';

const reference = join(import.meta.dirname, '../../docs/reference');

describe('generated pages say what the code says', () => {
  it.each(Object.keys(PAGES))('docs/reference/%s is as `npm run docs` would write it', (name) => {
    expect(readFileSync(join(reference, name), 'utf8')).toBe(PAGES[name]!());
  });
});
