import type { ConfigUpdate, LastUse } from '@ripstop/core';
import { VIRTUAL_HOST_TYPE_URL } from '@ripstop/xds-api';
import { beforeEach, describe, expect, it } from 'vitest';
import { HostSubscriptions } from './host-subscriptions.ts';

const MINUTE_MS = 60_000;

/** Runs timers as time is set. */
class HandClock {
  private time = 0;
  private readonly timers = new Set<{ readonly at: number; readonly run: () => void }>();
  now = (): number => this.time;
  wallTime = (): number => this.time;
  setTimer = (run: () => void, delayMs: number) => {
    const timer = { at: this.time + delayMs, run };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  };
  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.timers.delete(next);
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }
  get pending(): number {
    return this.timers.size;
  }
}

describe('subscriptions to hosts', () => {
  let clock: HandClock;
  let uses: Map<string, LastUse>;
  let forgotten: string[];
  let changes: number;
  let hosts: HostSubscriptions;
  beforeEach(() => {
    clock = new HandClock();
    uses = new Map();
    forgotten = [];
    changes = 0;
    hosts = new HostSubscriptions({
      clock,
      onChange: () => {
        changes++;
      },
      lastUse: (name) => uses.get(name),
      forget: (name) => forgotten.push(name),
    });
  });

  const update = (names: readonly string[], removed: readonly string[] = [], aliases: readonly string[] = []): ConfigUpdate => ({
    typeUrl: VIRTUAL_HOST_TYPE_URL,
    version: '1',
    resources: names.map((name) => ({ name, version: '1', body: new Uint8Array(), aliases })),
    removed,
    full: false,
  });

  it('are made once, however many ask, and end the wait of all', async () => {
    const waits = [hosts.ask('t/a'), hosts.ask('t/a')];
    expect(changes).toBe(1);
    expect(hosts.names).toEqual(['t/a']);
    hosts.settle(update(['t/a']), []);
    await Promise.all(waits);
    expect(hosts.ask('t/a')).toBeUndefined();
    expect(changes).toBe(1);
  });

  it('are answered by an alias, or by the word that there is none', async () => {
    const waits = [hosts.ask('t/a'), hosts.ask('t/b')];
    hosts.settle(update(['t/one'], ['t/b'], ['t/a']), []);
    await Promise.all(waits);
    expect(hosts.ask('t/b')).toBeUndefined();
  });

  it('are not answered by what is refused', () => {
    void hosts.ask('t/a');
    hosts.settle(update(['t/a']), [{ name: 't/a' }]);
    expect(hosts.ask('t/a')).toBeInstanceOf(Promise);
  });

  it('are given back when nobody has asked for ten minutes', () => {
    void hosts.ask('t/a');
    void hosts.ask('t/used');
    hosts.settle(update(['t/a', 't/used']), []);
    uses.set('t/used', { at: 5 * MINUTE_MS });
    clock.pass(11 * MINUTE_MS);
    expect(hosts.names).toEqual(['t/used']);
    expect(forgotten).toEqual(['t/a']);
    clock.pass(6 * MINUTE_MS);
    expect(hosts.names).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('that nobody answers are given back, too, and whoever waits goes on', async () => {
    const wait = hosts.ask('t/a');
    clock.pass(11 * MINUTE_MS);
    await wait;
    expect(hosts.names).toEqual([]);
  });

  it('make room: what does not exist goes first, then what was unused for longest; those that wait stay', () => {
    for (let index = 0; index < 2_000; index++) void hosts.ask(`t/${index}`);
    expect(hosts.ask('t/more')).toBeUndefined();
    expect(hosts.names).not.toContain('t/more');
    clock.pass(1);
    hosts.settle(update(['t/1', 't/2'], ['t/0']), []);
    uses.set('t/1', { at: 1 });
    void hosts.ask('t/a');
    expect(forgotten).toEqual(['t/0']);
    void hosts.ask('t/b');
    expect(forgotten).toEqual(['t/0', 't/2']);
    expect(hosts.names).toHaveLength(2_000);
  });

  it('end with their route configuration, and with the mesh', async () => {
    const waits = [hosts.ask('t/a'), hosts.ask('u/v/b')];
    hosts.keepTables(['u/v']);
    await waits[0];
    expect(hosts.names).toEqual(['u/v/b']);
    hosts.close();
    await waits[1];
    expect(clock.pending).toBe(0);
  });
});
