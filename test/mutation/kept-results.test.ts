import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type KeptOptions, KeptResults } from './kept-results.ts';

const TARGET = 'src/a.ts';
const TESTS = ['src/a.test.ts', 'src/b.test.ts'];

describe('results of earlier runs', () => {
  let directory: string;
  let texts: Record<string, string>;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ripstop-mutation-'));
    texts = { [TARGET]: 'a', 'src/b.ts': 'b', 'src/c.ts': 'c', [TESTS[0]!]: 'tests a', [TESTS[1]!]: 'tests b' };
    open().save(TARGET, [
      { name: 'killed', verdict: 'failed', by: TESTS[0], files: TESTS },
      { name: 'survivor', verdict: 'survived', by: undefined, files: TESTS },
      { name: 'unreached', verdict: 'unreached', by: undefined, files: [] },
    ]);
  });

  function open(changes: Partial<KeptOptions> = {}): KeptResults {
    const measured = [
      { file: TESTS[0]!, imports: [TESTS[0]!, TARGET, 'src/b.ts'] },
      { file: TESTS[1]!, imports: [TESTS[1]!, TARGET, 'src/c.ts'] },
    ];
    return new KeptResults({ directory, base: 'base', measured, read: (path) => texts[path]!, ...changes });
  }
  const known = (kept = open(), files: readonly string[] = TESTS, unreachedFiles: readonly string[] = []): unknown =>
    Object.fromEntries(
      kept.of(TARGET, [
        { name: 'killed', files },
        { name: 'survivor', files },
        { name: 'unreached', files: unreachedFiles },
        { name: 'new', files },
      ]),
    );

  it('hold as long as nothing changed', () => {
    expect(known()).toEqual({ killed: 'failed', survivor: 'survived', unreached: 'unreached' });
  });

  it.each([
    ['the target', TARGET, {}],
    ['the test file that noticed the mutant', TESTS[0]!, { unreached: 'unreached' }],
    ['what that imports', 'src/b.ts', { unreached: 'unreached' }],
    ['another test file that reaches it', TESTS[1]!, { killed: 'failed', unreached: 'unreached' }],
    ['what only that imports', 'src/c.ts', { killed: 'failed', unreached: 'unreached' }],
  ])('hold no more where they rest on what changed: %s', (_what, path, wanted) => {
    texts[path] += ' changed';
    expect(known()).toEqual(wanted);
  });

  it('of what survived hold no more when another test reaches it', () => {
    expect(known(open(), [TESTS[0]!])).toEqual({ killed: 'failed', unreached: 'unreached' });
    expect(known(open(), TESTS, [TESTS[0]!])).toEqual({ killed: 'failed', survivor: 'survived' });
  });

  it('hold no more when the gate changed', () => {
    expect(known(open({ base: 'other' }))).toEqual({});
  });

  it('hold no more when the test file that noticed is gone', () => {
    expect(known(open({ measured: [] }))).toEqual({ unreached: 'unreached' });
  });

  it('are added to those that are there', () => {
    open().save(TARGET, [{ name: 'new', verdict: 'late', by: TESTS[1], files: TESTS }]);
    expect(known()).toEqual({ killed: 'failed', survivor: 'survived', unreached: 'unreached', new: 'late' });
  });

  it('that cannot be read are none', () => {
    const [file] = readdirSync(directory);
    writeFileSync(join(directory, file!), '{');
    expect(known()).toEqual({});
  });
});
