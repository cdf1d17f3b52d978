import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rescanFiles, scanFolder } from './folder.ts';

describe('some files of a folder that are looked at again', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-folder-'));
    for (const name of ['a.yaml', 'b.yaml']) writeFileSync(join(dir, name), `# ${name}`);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('are what a whole scan finds, and the others are as they were', () => {
    const before = scanFolder(dir);
    writeFileSync(join(dir, 'a.yaml'), '# another a');
    const after = rescanFiles(dir, before, new Set(['a.yaml']));
    expect(after).toEqual(scanFolder(dir));
    expect(after!.files[1]).toBe(before.files[1]);
  });

  it.each([
    ['is new', () => writeFileSync(join(dir, 'c.yaml'), '# c'), 'c.yaml'],
    ['is gone', () => rmSync(join(dir, 'b.yaml')), 'b.yaml'],
    [
      'has become a link',
      () => {
        rmSync(join(dir, 'b.yaml'));
        symlinkSync(join(dir, 'a.yaml'), join(dir, 'b.yaml'));
      },
      'b.yaml',
    ],
    ['lies elsewhere', () => {}, '../a.yaml'],
  ])('call for a whole scan when one %s', (_what, change, name) => {
    const before = scanFolder(dir);
    change();
    expect(rescanFiles(dir, before, new Set([name]))).toBeUndefined();
  });
});
