import { describe, expect, it } from 'vitest';
import { NO_PEER, type Peer } from '../exchange.ts';
import { FakeClock } from '../testing/fakes.ts';
import { Suspects } from './suspects.ts';

const from = (address: string, uri?: string): Peer => ({ ...NO_PEER, address, uriSans: uri === undefined ? [] : [uri] });

describe('a suspect', () => {
  it('waits, and one of its connections after the other', () => {
    const suspects = new Suspects(new FakeClock());
    suspects.add(from('10.0.0.1'));
    expect([1, 2, 3].map(() => suspects.waitOf(from('10.0.0.1')))).toEqual([250, 275, 300]);
  });

  it('is turned away when too many of its connections wait', () => {
    const clock = new FakeClock();
    const suspects = new Suspects(clock);
    suspects.add(from('10.0.0.1'));
    const waits = Array.from({ length: 1_000 }, () => suspects.waitOf(from('10.0.0.1')));
    expect(waits.filter((wait) => wait !== undefined)).toHaveLength(191);
    expect(waits.at(190)).toBe(5_000);
    clock.advance(1_000);
    expect(suspects.waitOf(from('10.0.0.1'))).toBe(4_025);
  });

  it('does not begin anew by abusing another connection', () => {
    const suspects = new Suspects(new FakeClock());
    suspects.add(from('10.0.0.1'));
    suspects.waitOf(from('10.0.0.1'));
    suspects.add(from('10.0.0.1'));
    expect(suspects.waitOf(from('10.0.0.1'))).toBe(275);
  });

  it('is forgotten when ten thousand others are known since: memory has a bound', () => {
    const suspects = new Suspects(new FakeClock());
    for (let at = 0; at < 10_000; at++) suspects.add(from(`a${at}`));
    expect(suspects.waitOf(from('a0'))).toBe(250);
    suspects.add(from('a0')); // again: a1 is the oldest now
    suspects.add(from('last'));
    expect(['a0', 'a1', 'a2', 'last'].map((name) => suspects.waitOf(from(name)))).toEqual([275, 0, 250, 250]);
  });

  it('is none any more after ten seconds', () => {
    const clock = new FakeClock();
    const suspects = new Suspects(clock);
    suspects.add(from('10.0.0.1'));
    clock.advance(9_999);
    expect(suspects.waitOf(from('10.0.0.1'))).toBe(250);
    clock.advance(1);
    expect(suspects.waitOf(from('10.0.0.1'))).toBe(0);
  });

  it('is known by its identity, and others behind its address are not suspected', () => {
    const suspects = new Suspects(new FakeClock());
    suspects.add(from('10.0.0.1', 'spiffe://cluster.local/ns/a/sa/bad'));
    expect(suspects.waitOf(from('10.0.0.1', 'spiffe://cluster.local/ns/a/sa/good'))).toBe(0);
    expect(suspects.waitOf(from('10.0.0.1'))).toBe(0);
    expect(suspects.waitOf(from('10.0.0.2', 'spiffe://cluster.local/ns/a/sa/bad'))).toBe(250);
  });
});
