import type { Scenario, ScenarioHost } from './scenario.ts';

const up: ScenarioHost = {};
const down: ScenarioHost = { health: 'UNHEALTHY' };
const draining: ScenarioHost = { health: 'DRAINING' };
const degraded: ScenarioHost = { health: 'DEGRADED' };
const backup = (host: ScenarioHost): ScenarioHost => ({ ...host, priority: 1 });
const noPanic = { common_lb_config: { healthy_panic_threshold: {} } };
const anything = { name: 'anything' };

function scenario(name: string, hosts: readonly ScenarioHost[], reached: string, cluster: Scenario['cluster'] = noPanic): Scenario {
  return { name: `health: ${name}`, cluster, hosts, calls: [[anything, reached]] };
}

/** Health from EDS, priorities, panic. */
export const HEALTH: readonly Scenario[] = [
  scenario('unhealthy and draining hosts are passed over', [up, down, draining, up], 'ad'),
  scenario('degraded ones are needed when too few are well', [up, degraded, down, down], 'ab'),
  scenario('and not while enough are', [up, up, up, degraded], 'abc'),
  scenario('only degraded ones', [degraded, down, degraded], 'ac'),
  scenario('nobody', [down, draining], '-'),
  scenario('nobody, with panic', [down, draining], 'ab', {}),
  scenario('half of them: panic is off', [up, up, down, down], 'ab'),
  scenario('less than half, with panic', [up, down, down, down], 'abcd', {}),
  scenario('a backup that is not needed', [up, up, up, backup(up)], 'abc'),
  scenario('a backup that is', [up, down, down, backup(up)], 'ad'),
  scenario('all but the backup are down', [down, down, backup(up), backup(down), backup(up)], 'ce'),
  scenario('degraded ones of the first priority only when the backup does not suffice', [degraded, backup(up)], 'b'),
  scenario('neither suffices, with panic: by their number', [down, down, backup(down)], 'abc', {}),
];

const aggregate = (
  name: string,
  hosts: readonly ScenarioHost[],
  aggregates: readonly number[],
  reached: string,
  cluster = noPanic,
): Scenario => ({
  ...scenario(name, hosts, reached, cluster),
  name: `aggregate: ${name}`,
  aggregates,
});

/** Aggregate clusters. */
export const AGGREGATES: readonly Scenario[] = [
  aggregate('the first cluster', [up, up, up], [2, 1], 'ab'),
  aggregate('the second when the first is down', [down, down, up], [2, 1], 'c'),
  aggregate('both when the first is weak', [up, down, down, up], [3, 1], 'ad'),
  aggregate('three', [down, down, up, up], [1, 1, 2], 'cd'),
  aggregate('priorities within them', [down, backup(up), up], [2, 1], 'b'),
  aggregate('nobody', [down, down], [1, 1], '-'),
];
