import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SpentTokens } from './spent-tokens.ts';

const MINUTE = 60_000;

describe('spent tokens', () => {
  let dir: string;
  let time: number;
  const now = (): number => time;
  const linesOnDisk = (): string[] => readFileSync(join(dir, 'spent-tokens'), 'utf8').split('\n').filter(Boolean);
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ripstop-spent-'));
    time = Date.UTC(2026, 5, 1);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it.each(['beside the keys', 'in memory only'])('are taken once: %s', (where) => {
    const spent = new SpentTokens(where === 'in memory only' ? undefined : dir, now);
    expect([spent.take('a', time + MINUTE), spent.take('b', time + MINUTE), spent.take('a', time + MINUTE)]).toEqual([true, true, false]);
    expect(existsSync(join(dir, 'spent-tokens'))).toBe(where !== 'in memory only');
  });

  it('stay spent over a restart, by their hash, in a file that nobody else reads', () => {
    new SpentTokens(dir, now).take('a', time + MINUTE);
    const again = new SpentTokens(dir, now);
    expect([again.take('a', time + MINUTE), again.take('b', time + MINUTE)]).toEqual([false, true]);
    const hash = createHash('sha256').update('a').digest('base64url');
    expect(linesOnDisk()[0]).toBe(`${hash} ${time + MINUTE}`);
    expect(statSync(join(dir, 'spent-tokens')).mode & 0o777).toBe(0o600);
  });

  it('are read past a line that a crash has cut off', () => {
    new SpentTokens(dir, now).take('a', time + MINUTE);
    appendFileSync(join(dir, 'spent-tokens'), 'c3B\n');
    expect(new SpentTokens(dir, now).take('a', time + MINUTE)).toBe(false);
  });

  it('are dropped from memory and disk at a restart once they have expired, not a millisecond before', () => {
    new SpentTokens(dir, now).take('a', time + MINUTE);
    time += MINUTE - 1;
    expect(new SpentTokens(dir, now).take('a', time)).toBe(false);
    time += 1;
    const later = new SpentTokens(dir, now);
    later.take('b', time + MINUTE);
    expect(later.size).toBe(1);
    expect(linesOnDisk()).toHaveLength(1);
  });

  it('are dropped while it runs: after two hours of one token a second that lives ten minutes, no more stand than live twice over', () => {
    const spent = new SpentTokens(undefined, now);
    let most = 0;
    for (let second = 0; second < 2 * 3600; second++) {
      time += 1000;
      if (!spent.take(`token ${second}`, time + 10 * MINUTE)) throw new Error('taken before');
      most = Math.max(most, spent.size);
    }
    expect(most).toBeLessThanOrEqual(1200);
    expect(spent.take(`token ${2 * 3600 - 599}`, time)).toBe(false);
  });

  it('that have not expired all stand, however many there are', () => {
    const spent = new SpentTokens(undefined, now);
    for (let token = 0; token < 5000; token++) spent.take(`${token}`, time + MINUTE);
    expect(spent.size).toBe(5000);
    for (let token = 0; token < 5000; token++) if (spent.take(`${token}`, time + MINUTE)) throw new Error(`${token} taken twice`);
  });

  it('are dropped from the file as well while it runs', () => {
    const spent = new SpentTokens(dir, now);
    for (let token = 0; token < 1024; token++) spent.take(`${token}`, time + MINUTE);
    time += MINUTE;
    spent.take('last', time + MINUTE);
    expect(linesOnDisk()).toHaveLength(1);
    expect(new SpentTokens(dir, now).take('last', time + MINUTE)).toBe(false);
  });

  it('that live on stay in the file, in their own words, when others are dropped', () => {
    new SpentTokens(dir, now).take('long', time + 2 * MINUTE);
    new SpentTokens(dir, now).take('short', time + MINUTE);
    const [long] = linesOnDisk();
    time += MINUTE;
    const spent = new SpentTokens(dir, now);
    expect(spent.size).toBe(0);
    expect(spent.take('long', time)).toBe(false);
    expect(readFileSync(join(dir, 'spent-tokens'), 'utf8')).toBe(`${long}\n`);
    expect(statSync(join(dir, 'spent-tokens')).mode & 0o777).toBe(0o600);
  });

  it('leave the file alone while none of them has expired', () => {
    new SpentTokens(dir, now).take('a', time + MINUTE);
    const before = statSync(join(dir, 'spent-tokens')).ino;
    new SpentTokens(dir, now).take('a', time + MINUTE);
    expect(statSync(join(dir, 'spent-tokens')).ino).toBe(before);
  });

  it.each([
    ['before the hash', (line: string) => `x${line}`],
    ['behind the time', (line: string) => `${line}x`],
  ])('are none when a line has something %s', (_where, spoil) => {
    new SpentTokens(dir, now).take('a', time + MINUTE);
    const [line] = linesOnDisk();
    writeFileSync(join(dir, 'spent-tokens'), `${spoil(line!)}\n`);
    expect(new SpentTokens(dir, now).take('a', time + MINUTE)).toBe(true);
  });

  it('are looked through again only when twice as many stand as lived at the last look', () => {
    let looks = 0;
    const spent = new SpentTokens(undefined, () => {
      looks++;
      return time;
    });
    for (let token = 0; token < 1024; token++) spent.take(`${token}`, time + MINUTE);
    expect(looks).toBe(0);
    for (let token = 1024; token < 2048; token++) spent.take(`${token}`, time + MINUTE);
    expect(looks).toBe(1024);
    spent.take('one more', time + MINUTE);
    expect(looks).toBe(1024 + 2048);
  });
});
