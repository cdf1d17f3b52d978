import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock, ConfigSource, ConfigUpdate, Rejection } from '@ripstop/core';
import { CLUSTER_TYPE_URL, DeltaDiscoveryResponse, ENDPOINT_TYPE_URL, VIRTUAL_HOST_TYPE_URL } from '@ripstop/xds-api';
import { afterEach, describe, expect, it } from 'vitest';
import { createCachedSource } from './cached-source.ts';
import { DeltaSubscriptions } from './delta-subscriptions.ts';

describe('delta subscriptions', () => {
  const respond = (typeUrl: string, names: string[], removed: string[] = []): DeltaDiscoveryResponse =>
    DeltaDiscoveryResponse.fromPartial({
      typeUrl,
      nonce: 'n1',
      resources: names.map((name) => ({ name, version: '7', resource: { typeUrl, value: new Uint8Array() } })),
      removedResources: removed,
    });

  it('sends only differences, and nothing for a type of which nothing was ever wanted', () => {
    const state = new DeltaSubscriptions();
    expect(state.want(ENDPOINT_TYPE_URL, [])).toBeUndefined();
    expect(state.want(ENDPOINT_TYPE_URL, ['a', 'b'])).toMatchObject({ resourceNamesSubscribe: ['a', 'b'], resourceNamesUnsubscribe: [] });
    expect(state.want(ENDPOINT_TYPE_URL, ['b', 'c'])).toMatchObject({ resourceNamesSubscribe: ['c'], resourceNamesUnsubscribe: ['a'] });
    expect(state.want(ENDPOINT_TYPE_URL, ['c', 'b'])).toBeUndefined();
  });

  it('tells all names and known versions after a reconnect, but not those it refused', () => {
    const state = new DeltaSubscriptions();
    state.want(CLUSTER_TYPE_URL, '*');
    const response = respond(CLUSTER_TYPE_URL, ['x', 'y']);
    state.read(response);
    const answer = state.answer(response, [{ typeUrl: CLUSTER_TYPE_URL, name: 'y', reason: 'bad' }]);
    expect(answer).toMatchObject({ responseNonce: 'n1', errorDetail: { message: 'y: bad' } });
    expect(state.resume()).toMatchObject([{ resourceNamesSubscribe: ['*'], initialResourceVersions: { x: '7' } }]);
  });

  it('does not name on a new stream what it has given up, and asks for it anew', () => {
    const state = new DeltaSubscriptions();
    state.want(VIRTUAL_HOST_TYPE_URL, ['*', 't/a']);
    state.read(respond(VIRTUAL_HOST_TYPE_URL, ['t/a']));
    state.want(VIRTUAL_HOST_TYPE_URL, []);
    expect(state.resume()).toEqual([]);
    expect(state.want(VIRTUAL_HOST_TYPE_URL, ['t/a'])).toMatchObject({ resourceNamesSubscribe: ['t/a'], initialResourceVersions: {} });
  });

  it('takes an empty resource for the word that none of its names exists', () => {
    const state = new DeltaSubscriptions();
    state.want(VIRTUAL_HOST_TYPE_URL, ['*', 't/a']);
    const empty = { name: 't/one', aliases: ['t/a'], version: '' };
    const full = { name: 't/b', aliases: ['t/c'], version: '1', resource: { typeUrl: VIRTUAL_HOST_TYPE_URL, value: new Uint8Array() } };
    const update = state.read(DeltaDiscoveryResponse.fromPartial({ typeUrl: VIRTUAL_HOST_TYPE_URL, resources: [empty, full] }));
    expect(update.removed).toEqual(['t/one', 't/a']);
    expect(update.resources).toEqual([{ name: 't/b', version: '1', aliases: ['t/c'], body: new Uint8Array() }]);
    expect(state.resume()).toMatchObject([{ resourceNamesSubscribe: ['*', 't/a'], initialResourceVersions: { 't/b': '1' } }]);
  });

  it('ignores resources that it did not ask for', () => {
    const state = new DeltaSubscriptions();
    state.want(ENDPOINT_TYPE_URL, ['a']);
    const update = state.read(respond(ENDPOINT_TYPE_URL, ['a', 'stranger'], ['other']));
    expect(update.resources.map(({ name }) => name)).toEqual(['a']);
    expect(update.removed).toEqual([]);
  });
});

describe('last-known-good cache', () => {
  const dirs: string[] = [];
  afterEach(() => {
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
  });

  function setting(): { dir: string; clock: Clock & { time: number; run(): void }; logs: string[] } {
    const dir = mkdtempSync(join(tmpdir(), 'ripstop-cache-'));
    dirs.push(dir);
    let pending: (() => void) | undefined;
    const clock = {
      time: 1000,
      now: () => 0,
      wallTime: () => clock.time,
      setTimer: (run: () => void) => {
        pending = run;
        return { cancel: () => (pending = undefined) };
      },
      run: () => pending?.(),
    };
    return { dir, clock: clock as never, logs: [] };
  }

  function source(): ConfigSource & { push(update: ConfigUpdate): readonly Rejection[] } {
    let apply: ((update: ConfigUpdate) => readonly Rejection[]) | undefined;
    return {
      subscribe: (run) => {
        apply = run;
        return { want: () => {}, close: () => {} };
      },
      push: (update) => apply!(update),
    };
  }

  const update = (names: string[], full = false): ConfigUpdate => ({
    typeUrl: CLUSTER_TYPE_URL,
    version: '1',
    resources: names.map((name) => ({ name, version: '1', body: Buffer.from(name) })),
    removed: [],
    full,
  });

  it('serves what was good at start, and lets the first live answer replace it whole', () => {
    const { dir, clock } = setting();
    const first = source();
    createCachedSource(first, { dir, clock }).subscribe((given) =>
      given.resources.filter(({ name }) => name === 'bad').map(({ name }) => ({ typeUrl: CLUSTER_TYPE_URL, name, reason: 'no' })),
    );
    first.push(update(['good', 'bad']));
    clock.run();

    const live = source();
    const cached = createCachedSource(live, { dir, clock });
    const applied: ConfigUpdate[] = [];
    cached.subscribe((given) => {
      applied.push(given);
      return [];
    });
    expect(applied.map(({ resources, full }) => [resources.map(({ name }) => name), full])).toEqual([[['good'], true]]);
    expect(cached.origin()).toBe('cache');
    live.push(update(['other']));
    expect(applied[1]).toMatchObject({ full: true });
    expect(cached.origin()).toBe('live');
  });

  it('does not keep what its server wants gone soon', () => {
    const { dir, clock } = setting();
    const first = source();
    createCachedSource(first, { dir, clock }).subscribe(() => []);
    first.push(update(['stays', 'goes']));
    const { resources, ...rest } = update(['goes', 'too']);
    first.push({ ...rest, resources: resources.map((resource) => ({ ...resource, ttlMs: 1000 })) });
    clock.run();
    const applied: string[] = [];
    createCachedSource(source(), { dir, clock }).subscribe((given) => {
      applied.push(...given.resources.map(({ name }) => name));
      return [];
    });
    expect(applied).toEqual(['stays']);
  });

  it('keeps nothing that nobody asks for any longer', () => {
    const { dir, clock } = setting();
    const live = source();
    const subscription = createCachedSource(live, { dir, clock }).subscribe(() => []);
    live.push({ ...update(['a', 'b']), typeUrl: ENDPOINT_TYPE_URL });
    subscription.want(CLUSTER_TYPE_URL, '*');
    subscription.want(ENDPOINT_TYPE_URL, ['b']);
    live.push(update(['c']));
    clock.run();
    const names: string[] = [];
    createCachedSource(source(), { dir, clock }).subscribe(({ resources }) => {
      names.push(...resources.map(({ name }) => name));
      return [];
    });
    expect(names.sort()).toEqual(['b', 'c']);
  });

  it.each([
    ['damaged', (file: string) => writeFileSync(file, readFileSync(file, 'utf8').replace('savedAt', 'savedOn')), 0, /damaged/],
    ['cut short', (file: string) => writeFileSync(file, readFileSync(file, 'utf8').slice(0, -5)), 0, /damaged/],
    ['too old', () => {}, 8 * 24 * 3_600_000, /192 h old/],
  ])('is ignored, with the reason, when it is %s', (_what, spoil, later, reason) => {
    const { dir, clock, logs } = setting();
    const first = source();
    createCachedSource(first, { dir, clock }).subscribe(() => []);
    first.push(update(['a']));
    clock.run();
    spoil(join(dir, 'last-known-good.json'));
    clock.time += later;
    let calls = 0;
    createCachedSource(source(), { dir, clock, log: (line) => logs.push(line) }).subscribe(() => {
      calls++;
      return [];
    });
    expect(calls).toBe(0);
    expect(logs.join()).toMatch(reason);
  });
});
