import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IssuanceLog } from './issuance-log.ts';

const NOW = Date.UTC(2026, 5, 1);
const entry = { spiffeId: 'spiffe://a/ns/b/sa/c', serialNumber: '1', notAfterMs: NOW + 1000, by: 'join token', from: '10.0.0.9' };

describe('the issuance log', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-issued-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const linesOf = (name: string): unknown[] =>
    readFileSync(join(dir, name), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as unknown);

  it('has a line for each certificate: who, which, until when, by what proof, from where; for its owner alone', () => {
    const log = new IssuanceLog(dir, () => NOW);
    log.add(entry);
    log.add({ ...entry, serialNumber: '2' });
    expect(linesOf('issued.jsonl')).toEqual(
      ['1', '2'].map((serialNumber) => ({
        time: '2026-06-01T00:00:00.000Z',
        spiffeId: 'spiffe://a/ns/b/sa/c',
        serialNumber,
        notAfter: '2026-06-01T00:00:01.000Z',
        by: 'join token',
        from: '10.0.0.9',
      })),
    );
    expect(statSync(join(dir, 'issued.jsonl')).mode & 0o777).toBe(0o600);
  });

  it('keeps two files of its size at most', () => {
    const size =
      JSON.stringify({ time: '2026-06-01T00:00:00.000Z', ...entry, notAfterMs: undefined, notAfter: '2026-06-01T00:00:01.000Z' }).length +
      1;
    const log = new IssuanceLog(dir, () => NOW, 2 * size);
    const serialsOf = (name: string): unknown[] => linesOf(name).map((line) => (line as { serialNumber: unknown }).serialNumber);
    for (let serial = 1; serial <= 5; serial++) log.add({ ...entry, serialNumber: String(serial) });
    expect(serialsOf('issued.jsonl.1')).toEqual(['3', '4']);
    expect(serialsOf('issued.jsonl')).toEqual(['5']);
  });

  it('keeps files of ten mebibytes, and begins anew at that size, not before', () => {
    const file = join(dir, 'issued.jsonl');
    for (const [bytes, older] of [
      [10 * 1024 * 1024 - 1, false],
      [10 * 1024 * 1024, true],
    ] as const) {
      writeFileSync(file, '');
      truncateSync(file, bytes);
      new IssuanceLog(dir, () => NOW).add(entry);
      expect(existsSync(`${file}.1`)).toBe(older);
    }
  });

  it('that cannot be written fails loudly', () => {
    expect(() => new IssuanceLog(join(dir, 'gone'), () => NOW).add(entry)).toThrow(/ENOENT/);
  });
});
