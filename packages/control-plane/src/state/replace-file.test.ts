import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile } from './replace-file.ts';

describe('a file that is replaced', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-state-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const modeOf = (name: string): number => statSync(join(dir, name)).mode & 0o777;

  it('holds the new text, and nothing is left beside it', () => {
    const file = join(dir, 'one');
    replaceFile(file, 'old');
    replaceFile(file, 'new', { flush: true });
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(readdirSync(dir)).toEqual(['one']);
  });

  it('is readable by its owner only, unless another mode is asked for', () => {
    replaceFile(join(dir, 'private'), '');
    replaceFile(join(dir, 'public'), '', { mode: 0o644 });
    expect([modeOf('private'), modeOf('public')]).toEqual([0o600, 0o644]);
  });

  it('has the mode that was asked for even where a crash left a temporary file of another one', () => {
    writeFileSync(join(dir, 'one.tmp'), 'half', { mode: 0o644 });
    replaceFile(join(dir, 'one'), 'whole');
    expect(modeOf('one')).toBe(0o600);
  });

  it('stays as it was when the new text cannot be written', () => {
    expect(() => replaceFile(join(dir, 'missing', 'one'), 'text')).toThrow(/ENOENT/);
    expect(readdirSync(dir)).toEqual([]);
  });
});
