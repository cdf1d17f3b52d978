import { compileCluster } from '@ripstop/compile';
import { type Clock, ClusterStates, criteriaOf, Exchange, isLease, NO_PEER } from '@ripstop/core';
import { Cluster as ClusterMessage, fromProtoJson } from '@ripstop/xds-api';
import { clustersJson, nameOf } from './cluster-json.ts';
import type { Scenario } from './scenario.ts';

/** Enough that each of six hosts is met: the chance that one is not is below 10⁻⁶. */
export const CALLS = 100;

/** Hosts in order of their names, each once; `-` for a 503. */
export function reached(names: Iterable<string>): string {
  return [...new Set(names)].sort().join('');
}

const clock: Clock = { now: () => performance.now(), wallTime: () => Date.now(), setTimer: () => ({ cancel() {} }) };

/** The hosts that each call of a scenario reaches in our own cluster. */
export function reachedHere(scenario: Scenario): string[] {
  const ports = scenario.hosts.map((_host, index) => 1000 + index);
  const specs = clustersJson(scenario, 'c', ports).map((json) => compileCluster(fromProtoJson(ClusterMessage, json), undefined));
  const cluster = new ClusterStates({ clock, random: Math.random }).adopt(specs).get('c')!;
  return scenario.calls.map(([{ match }]) => {
    const names = Array.from({ length: CALLS }, () => {
      const x = new Exchange({ direction: 'outbound', protocol: 'http1', peer: NO_PEER, port: 80, startedAt: 0 } as never);
      x.criteria = match === undefined ? undefined : criteriaOf(match);
      const lease = cluster.acquire(x);
      if (!isLease(lease)) return '-';
      lease.release({ kind: 'complete' });
      return nameOf(lease.endpoint.port - 1000);
    });
    return reached(names);
  });
}
