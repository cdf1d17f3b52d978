import type { Socket } from 'node:net';
import type { Clock } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { dialInTurn } from './happy-eyeballs.ts';
import type { Connected } from './mtls-connector.ts';
import { ConnectError } from './reset-reason.ts';

/** Three addresses whose dials the test answers. */
class Scene {
  readonly dialled: string[] = [];
  readonly cancelled: string[] = [];
  got = '';
  private timers: { at: number; run: () => void }[] = [];
  private now = 0;
  private readonly waiting = new Map<string, Connected>();

  constructor() {
    const clock: Clock = {
      now: () => this.now,
      wallTime: () => this.now,
      setTimer: (run, delayMs) => {
        const timer = { at: this.now + delayMs, run };
        this.timers.push(timer);
        const cancel = (): void => {
          this.timers = this.timers.filter((other) => other !== timer);
        };
        return { cancel };
      },
    };
    const dial = (address: string, done: Connected) => {
      this.dialled.push(address);
      this.waiting.set(address, done);
      return () => void this.cancelled.push(address);
    };
    dialInTurn(['a', 'b', 'c'], clock, dial, (failure, socket) => {
      this.got = failure?.transportFailure ?? (socket as unknown as string);
    });
  }

  after(ms: number): this {
    this.now += ms;
    for (const timer of this.timers.filter(({ at }) => at <= this.now)) {
      this.timers = this.timers.filter((other) => other !== timer);
      timer.run();
    }
    return this;
  }

  stands(address: string): this {
    this.waiting.get(address)!(undefined, `socket to ${address}` as unknown as Socket, false);
    return this;
  }

  fails(address: string): this {
    this.waiting.get(address)!(new ConnectError('connect-failure', `no ${address}`), undefined, false);
    return this;
  }

  get timersLeft(): number {
    return this.timers.length;
  }
}

describe('a host with several addresses', () => {
  it.each<[what: string, happens: (scene: Scene) => Scene, dialled: string, cancelled: string, got: string]>([
    ['the first one stands', (s) => s.after(299).stands('a'), 'a', '', 'socket to a'],
    ['it takes its time: the second is dialled beside it', (s) => s.after(300).stands('b'), 'ab', 'a', 'socket to b'],
    ['and may still be later', (s) => s.after(300).stands('a'), 'ab', 'b', 'socket to a'],
    ['it fails: the second at once', (s) => s.fails('a').stands('b'), 'ab', '', 'socket to b'],
    ['all are slow', (s) => s.after(300).after(300).stands('c'), 'abc', 'ab', 'socket to c'],
    ['all fail', (s) => s.fails('a').fails('b').fails('c'), 'abc', '', 'no c'],
    ['a slow one is waited for', (s) => s.after(300).fails('b').fails('c').stands('a'), 'abc', '', 'socket to a'],
    ['and fails last', (s) => s.after(300).fails('b').fails('c').fails('a'), 'abc', '', 'no a'],
  ])('%s', (_what, happens, dialled, cancelled, got) => {
    const scene = happens(new Scene());
    expect([scene.dialled.join(''), scene.cancelled.join(''), scene.got]).toEqual([dialled, cancelled, got]);
    expect(scene.timersLeft).toBe(0);
  });
});
