import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ClusterStates } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import { CompilerEnvironment } from './compiler-environment.ts';

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the state of filters', () => {
  const env = new CompilerEnvironment({ clock, random, filters: [], clusterStates: new ClusterStates({ clock, random }) });
  let made = 0;
  const bucket = (key: string): { readonly number: number } => env.filterEnv('inbound').state(key, () => ({ number: ++made }));

  it('is one for all that ask by its key while somebody holds it, and begins anew when nobody does', async () => {
    const held = bucket('held');
    expect(bucket('dropped').number).toBe(2);
    await turn();
    collect();
    await turn();
    expect(bucket('held')).toBe(held);
    expect(bucket('dropped').number).toBe(3);
  });
});
