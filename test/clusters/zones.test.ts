import { compileCluster } from '@ripstop/compile';
import { type Clock, ClusterStates, Exchange, isLease, NO_PEER } from '@ripstop/core';
import { Cluster, type fromProtoJson as FromJson, fromProtoJson } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { offShares, ZONES, type ZoneScenario, zoneClusters } from './zones.ts';

const CALLS = 4000;
const clock: Clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };

/** The same beside a real Envoy: test/interop/zones.test.ts. */
describe('zone aware routing', () => {
  it.each(ZONES.filter(({ young }) => young === undefined).map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    (_name, scenario) => {
      expect(offShares(scenario.shares, countsHere(scenario), CALLS)).toEqual([]);
    },
  );

  it('does nothing where a process does not know which cluster it is one of', () => {
    const [{ local, upstream }] = ZONES as readonly [ZoneScenario];
    const counts = countsHere({ name: '', local, upstream, shares: {} }, false);
    expect(offShares({ a: 0.5, b: 0.5 }, counts, CALLS)).toEqual([]);
  });

  it('is weighed again when the own cluster changes', () => {
    const scenario = ZONES[0]!;
    const specs = specsOf(scenario);
    const states = statesOf();
    const cluster = states.adopt(specs).get('c')!;
    expect(countsOf(cluster)).toEqual(new Map([['a', CALLS]]));
    const [moved] = specsOf({ ...scenario, local: { a: [6, 0] } });
    states.adopt([moved!, specs[1]!]);
    expect([...countsOf(cluster).keys()].sort()).toEqual(['a', 'b']);
  });
});

function countsHere(scenario: ZoneScenario, known = true): ReadonlyMap<string, number> {
  return countsOf(statesOf(known).adopt(specsOf(scenario)).get('c')!);
}

function statesOf(known = true): ClusterStates {
  const locality = { region: '', zone: 'a', subZone: '' };
  return new ClusterStates({ clock, random: Math.random, ...(known ? { localCluster: { name: 'c-local', locality } } : {}) });
}

function specsOf(scenario: ZoneScenario): ReturnType<typeof compileCluster>[] {
  const address = (zone: string, index: number): object => ({ socket_address: { address: zone, port_value: 1000 + index } });
  return zoneClusters(scenario, 'c', address).map((json) =>
    compileCluster(fromProtoJson(Cluster, json as Parameters<typeof FromJson>[1]), undefined),
  );
}

function countsOf(cluster: ReturnType<ReturnType<ClusterStates['adopt']>['get']> & object): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (let call = 0; call < CALLS; call++) {
    const x = new Exchange({ direction: 'outbound', protocol: 'http1', peer: NO_PEER, port: 80, startedAt: 0 } as never);
    const lease = cluster.acquire(x);
    const zone = isLease(lease) ? lease.endpoint.address : '-';
    if (isLease(lease)) lease.release({ kind: 'complete' });
    counts.set(zone, (counts.get(zone) ?? 0) + 1);
  }
  return counts;
}
