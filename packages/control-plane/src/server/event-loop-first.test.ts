import { describe, expect, it } from 'vitest';
import { eventLoopFirst, type ProcessControls } from './event-loop-first.ts';

const THREADS = ['MainThread', 'DelayedTaskSche', 'V8Worker', 'node-V8Worker', 'libuv-worker', ''].map((name, index) => ({
  id: 100 + index,
  name,
}));

function controls(changes: Partial<ProcessControls> = {}): ProcessControls & { readonly done: string[] } {
  const done: string[] = [];
  return {
    done,
    v8: '13.6.233.17-node.37',
    nice: () => 0,
    threads: () => THREADS,
    setNice: (thread, nice) => done.push(`${thread} nice ${nice}`),
    setFlag: (flag) => done.push(flag),
    ...changes,
  };
}

describe('a process that serves a control plane', () => {
  it.each([
    [-5, 0],
    [0, 5],
    [15, 19],
    [19, 19],
  ])('that is %d nice makes the threads of V8 %d nice, and no others', (nice, helpers) => {
    const process = controls({ nice: () => nice });
    expect(eventLoopFirst(process)).toEqual({ nicer: 2 });
    expect(process.done.slice(1)).toEqual([`102 nice ${helpers}`, `103 nice ${helpers}`]);
  });

  it.each([
    ['12.4.254.21-node.33', false],
    ['13.6.233.17-node.37', true],
    ['14.6.202.33-node.18', false],
  ])('sets the flag that V8 has and does not have on: %s, %s', (v8, isSet) => {
    const process = controls({ v8, threads: () => [] });
    eventLoopFirst(process);
    expect(process.done).toEqual(isSet ? ['--no-separate-gc-phases'] : []);
  });

  it('says what the system does not allow', () => {
    const setNice = (): void => {
      throw new Error('EPERM: operation not permitted');
    };
    const answer = eventLoopFirst(controls({ setNice }));
    expect(answer).toEqual({ nicer: 0, problem: "V8's threads stay as urgent as the event loop: EPERM: operation not permitted" });
  });

  it('is left alone where threads cannot be told apart', () => {
    const process = controls({ v8: '12.4', threads: () => [{ id: 1, name: 'node' }] });
    expect(eventLoopFirst(process)).toEqual({ nicer: 0 });
    expect(process.done).toEqual([]);
  });
});
