import { SnapshotCompiler, standardFilters } from '@ripstop/compile';
import { ClusterStates, type ConfigSource, type ConfigUpdate, SnapshotRef } from '@ripstop/core';
import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { ConfigLoop } from './config-loop.ts';

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Cluster states that fail when they are told to. */
class Failing extends ClusterStates {
  fails = false;
  override adopt(...args: Parameters<ClusterStates['adopt']>): ReturnType<ClusterStates['adopt']> {
    if (this.fails) throw new Error('a defect');
    return super.adopt(...args);
  }
}

describe('the configuration loop', () => {
  it('tells of a snapshot that cannot be made, keeps the last one, and goes on', async () => {
    const clusterStates = new Failing({ clock, random });
    const compiler = new SnapshotCompiler({ clock, random, filters: standardFilters(), clusterStates });
    const snapshots = new SnapshotRef();
    let apply: Parameters<ConfigSource['subscribe']>[0] = () => [];
    const source: ConfigSource = {
      subscribe: (run) => {
        apply = run;
        return { want: () => {}, close: () => {} };
      },
    };
    const failures: string[] = [];
    const loop = new ConfigLoop(source, compiler, snapshots, clock, { onFailure: ({ message }) => failures.push(message) });
    const push = async (version: string): Promise<string | undefined> => {
      const update: Omit<ConfigUpdate, 'typeUrl'> = { version, resources: [], removed: [], full: true };
      for (const typeUrl of [CLUSTER_TYPE_URL, LISTENER_TYPE_URL]) apply({ typeUrl, ...update });
      await turn();
      return snapshots.current?.version;
    };
    expect(await push('1')).toBe('1');
    clusterStates.fails = true;
    expect([await push('2'), failures]).toEqual(['1', ['a defect']]);
    clusterStates.fails = false;
    expect(await push('3')).toBe('3');
    loop.close();
  });
});
