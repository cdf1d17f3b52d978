import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasChanged, rescanFiles, scanFolder } from './folder.ts';

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

describe('whether a folder has changed', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-folder-'));
    mkdirSync(join(dir, 'more'));
    for (let at = 0; at < 450; at++) writeFileSync(join(dir, at % 2 === 0 ? 'more' : '', `${at}.yaml`), `# ${at}`);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** The answer, and how often it stopped on the way. */
  function asked(change: () => void): { readonly answer: boolean; readonly stops: number } {
    const look = hasChanged(dir, scanFolder(dir));
    change();
    let stops = 0;
    for (let step = look.next(); ; step = look.next()) {
      if (step.done === true) return { answer: step.value, stops };
      stops++;
    }
  }

  it('is found out some files at a time', () => {
    expect(asked(() => {})).toEqual({ answer: false, stops: 9 });
  });

  it.each([
    ['a file was written', () => writeFileSync(join(dir, '449.yaml'), '# another')],
    ['a file came', () => writeFileSync(join(dir, 'more', 'new.yaml'), '# new')],
    ['a file went', () => rmSync(join(dir, 'more', '8.yaml'))],
    ['the folder went', () => rmSync(dir, { recursive: true })],
  ])('is said when %s', (_what, change) => {
    expect(asked(change).answer).toBe(true);
  });
});
