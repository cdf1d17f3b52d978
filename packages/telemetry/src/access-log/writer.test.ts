import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { LogWriter } from './writer.ts';

describe('access logs in files', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ripstop-log-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('that cannot be written are told once, and end nothing', async () => {
    const told: string[] = [];
    const path = join(dir, 'missing', 'access.log');
    const writer = new LogWriter(path, (line) => told.push(line));
    writer.write('one\n');
    await vi.waitFor(() => expect(told).toHaveLength(1));
    expect(told[0]).toMatch(`the access log ${path} cannot be written: ENOENT`);
    writer.write('two\n');
    writer.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect([told.length, writer.dropped]).toEqual([1, 1]);
  });

  it('take no line after their end', async () => {
    const told: string[] = [];
    const path = join(dir, 'access.log');
    const writer = new LogWriter(path, (line) => told.push(line));
    writer.write('one\n');
    writer.close();
    writer.write('two\n');
    await vi.waitFor(() => expect(readFileSync(path, 'utf8')).toBe('one\n'));
    expect([told, writer.dropped]).toEqual([[], 1]);
  });
});
