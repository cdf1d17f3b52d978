import type { Clock } from '@ripstop/core';
import { CLUSTER_TYPE_URL, DeltaDiscoveryResponse, ENDPOINT_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { DeltaSubscriptions } from './delta-subscriptions.ts';
import { ResourceLifetimes } from './resource-lifetimes.ts';

class FakeClock implements Clock {
  private nowMs = 0;
  private readonly timers = new Set<{ readonly atMs: number; readonly run: () => void }>();
  now = () => this.nowMs;
  wallTime = () => this.nowMs;
  setTimer(run: () => void, delayMs: number) {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }
  get waiting(): number {
    return this.timers.size;
  }
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const [next] = [...this.timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.timers.delete(next);
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = endMs;
  }
}

function setting() {
  const clock = new FakeClock();
  const gone: string[] = [];
  const lifetimes = new ResourceLifetimes(clock, (typeUrl, names) => {
    gone.push(...names.map((name) => `${name}@${clock.now()}`));
    state.expire(typeUrl, names);
  });
  const state = new DeltaSubscriptions(lifetimes);
  state.want(CLUSTER_TYPE_URL, '*');
  /** `body`: a resource; without one it is a beat, or the word that there is none. */
  const hear = (name: string, { version = '1', seconds, body = true }: { version?: string; seconds?: number; body?: boolean } = {}) =>
    state.read(
      DeltaDiscoveryResponse.fromPartial({
        typeUrl: CLUSTER_TYPE_URL,
        resources: [
          {
            name,
            version,
            ...(seconds === undefined ? {} : { ttl: { seconds, nanos: 500_000_000 } }),
            ...(body ? { resource: { typeUrl: CLUSTER_TYPE_URL, value: new Uint8Array() } } : {}),
          },
        ],
      }),
    );
  const versions = () => state.resume()[0]!.initialResourceVersions;
  return { clock, gone, lifetimes, state, hear, versions };
}

describe('the time to live of a resource', () => {
  it('ends it when it is not confirmed, and the server is not told that it is here', () => {
    const { clock, gone, hear, versions } = setting();
    expect(hear('a', { seconds: 3 }).resources).toMatchObject([{ name: 'a', ttlMs: 3500 }]);
    hear('for-ever');
    clock.advance(3499);
    expect(gone).toEqual([]);
    clock.advance(1);
    expect(gone).toEqual(['a@3500']);
    expect(versions()).toEqual({ 'for-ever': '1' });
    expect(clock.waiting).toBe(0);
  });

  it('begins anew with each beat of the version that is here; a beat is no update', () => {
    const { clock, gone, hear } = setting();
    hear('a', { seconds: 3 });
    clock.advance(3000);
    expect(hear('a', { seconds: 3, body: false })).toMatchObject({ resources: [], removed: [] });
    clock.advance(3000);
    expect(gone).toEqual([]);
    clock.advance(500);
    expect(gone).toEqual(['a@6500']);
  });

  it.each([
    ['of another version', { version: '2', seconds: 3, body: false }],
    ['without a time to live', { body: false }],
  ])('is not confirmed by a resource without a body %s: it does not exist', (_what, given) => {
    const { clock, gone, hear } = setting();
    hear('a', { seconds: 3 });
    expect(hear('a', given).removed).toEqual(['a']);
    clock.advance(10_000);
    expect(gone).toEqual([]);
  });

  it('is taken back by a resource that has none', () => {
    const { clock, gone, hear } = setting();
    hear('a', { seconds: 3 });
    hear('a', { version: '2' });
    clock.advance(10_000);
    expect(gone).toEqual([]);
  });

  it('is of no interest once the name is not', () => {
    const { clock, gone, state } = setting();
    state.want(ENDPOINT_TYPE_URL, ['a']);
    state.read(
      DeltaDiscoveryResponse.fromPartial({
        typeUrl: ENDPOINT_TYPE_URL,
        resources: [{ name: 'a', version: '1', ttl: { seconds: 1 }, resource: { typeUrl: ENDPOINT_TYPE_URL } }],
      }),
    );
    state.want(ENDPOINT_TYPE_URL, []);
    clock.advance(2000);
    expect(gone).toEqual([]);
  });

  it('has one timer for all, at the first that runs out', () => {
    const { clock, gone, hear, lifetimes } = setting();
    hear('late', { seconds: 9 });
    hear('early', { seconds: 2 });
    expect(clock.waiting).toBe(1);
    clock.advance(5_000);
    expect(gone).toEqual(['early@2500']);
    clock.advance(5_000);
    expect(gone).toEqual(['early@2500', 'late@9500']);
    hear('another', { seconds: 1 });
    lifetimes.close();
    expect(clock.waiting).toBe(0);
  });
});
