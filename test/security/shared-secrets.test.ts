import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Key material as it stands in files, with a body; a marker alone is a text that code looks for. */
const MATERIAL: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a private key', /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/=]{40}/],
  ['the private part of a JWK', /["']?\bd["']?\s*:\s*["'][A-Za-z0-9_-]{40,}["']/],
  ['a symmetric JWK', /["']?\bk["']?\s*:\s*["'][A-Za-z0-9_-]{22,}["']/],
  ['a signed token', /eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}/],
];

/** RFC 7515, A.3: printed there, so that draws of tests can be repeated; nobody's secret. */
const PUBLISHED = /jpsQnnGQmL-YBIffH1136cspYG6-0iY[7]X1fCE9-E9LI/g;

const found = (text: string): string[] => MATERIAL.flatMap(([what, pattern]) => (pattern.test(text.replace(PUBLISHED, '')) ? [what] : []));

describe('the repository', () => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);

  it('holds no key and no token that two meshes could share', () => {
    expect(files.length).toBeGreaterThan(1_000);
    const hits = files.flatMap((file) => found(readFileSync(join(root, file), 'latin1')).map((what) => `${file}: ${what}`));
    expect(hits).toEqual([]);
  });

  it.each([
    [`-----BEGIN ${'PRIVATE'} KEY-----\n${'A'.repeat(64)}`, 'a private key'],
    [`{"kty":"EC","d":"${'a'.repeat(43)}"}`, 'the private part of a JWK'],
    [`{"kty":"oct","k":"${'a'.repeat(43)}"}`, 'a symmetric JWK'],
    [['eyJhbGciOiJIUzI1NiJ9', 'eyJpc3MiOiJhIn0AAAA', 'A'.repeat(43)].join('.'), 'a signed token'],
  ])('would not hide one: %.30s', (text, what) => {
    expect(found(text)).toEqual([what]);
  });
});
