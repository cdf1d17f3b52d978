import type { Balancer } from '../balancer/balancer.ts';
import { leastRequest } from '../balancer/least-request.ts';
import { maglev, ringHash } from '../balancer/ring-hash.ts';
import { randomBalancer, roundRobin } from '../balancer/round-robin.ts';
import type { Random } from '../ports.ts';
import type { BalancerSpec, ClusterSpec } from './cluster-spec.ts';
import type { EndpointState } from './endpoint-state.ts';
import { priorityLoad } from './priority-load.ts';

type Pick = Balancer<EndpointState>;

/** One locality's share of a priority. */
interface LocalityChoice {
  readonly weight: number;
  readonly balancer: Pick;
}

interface PriorityChoice {
  readonly percent: number;
  readonly choices: readonly LocalityChoice[];
  readonly totalWeight: number;
}

/**
 * Priority, then locality, then host: rebuilt whole whenever hosts, health or ejections change, so that a pick is draws and array
 * look-ups. Undefined = no host may be picked.
 */
export function buildPicker(spec: ClusterSpec, hosts: readonly EndpointState[], random: Random): Pick | undefined {
  const byPriority = groupByPriority(hosts);
  const usable = byPriority.map((group) => usableOf(group));
  const load = priorityLoad(
    byPriority.map((group, index) => ({ total: group.length, healthy: usable[index]!.length })),
    spec.panicThreshold,
  );
  if (load === undefined) return undefined;
  const priorities: PriorityChoice[] = [];
  for (const [index, percent] of load.load.entries()) {
    const candidates = load.panic[index] ? byPriority[index]! : usable[index]!;
    if (percent > 0 && candidates.length > 0) priorities.push(priorityChoice(spec, percent, candidates, byPriority[index]!, random));
  }
  if (priorities.length === 0) return undefined;
  if (priorities.length === 1 && priorities[0]!.choices.length === 1) return priorities[0]!.choices[0]!.balancer;
  return {
    pick: (hash, attempt) => {
      const choices = draw(priorities, 100, (entry) => entry.percent, random);
      return draw(choices.choices, choices.totalWeight, (entry) => entry.weight, random).balancer.pick(hash, attempt);
    },
  };
}

/** Healthy hosts; degraded ones only when there is no healthy one. */
function usableOf(group: readonly EndpointState[]): readonly EndpointState[] {
  const healthy = group.filter((host) => host.usable);
  return healthy.length > 0 ? healthy : group.filter((host) => host.health === 'DEGRADED' && !host.ejected);
}

function groupByPriority(hosts: readonly EndpointState[]): EndpointState[][] {
  const groups: EndpointState[][] = [];
  for (const host of hosts) {
    while (groups.length <= host.priority) groups.push([]);
    groups[host.priority]!.push(host);
  }
  return groups;
}

function priorityChoice(
  spec: ClusterSpec,
  percent: number,
  candidates: readonly EndpointState[],
  all: readonly EndpointState[],
  random: Random,
): PriorityChoice {
  if (!spec.localityWeighted)
    return { percent, choices: [{ weight: 1, balancer: createBalancer(spec.balancer, candidates, random) }], totalWeight: 1 };
  const choices: LocalityChoice[] = [];
  for (const { locality, weight } of spec.localities) {
    const inside = candidates.filter((host) => host.locality === locality);
    const total = all.filter((host) => host.locality === locality).length;
    if (weight === 0 || inside.length === 0) continue;
    const available = Math.min(100, (140 * inside.length) / total);
    choices.push({ weight: weight * available, balancer: createBalancer(spec.balancer, inside, random) });
  }
  if (choices.length === 0) choices.push({ weight: 1, balancer: createBalancer(spec.balancer, candidates, random) });
  return { percent, choices, totalWeight: choices.reduce((sum, choice) => sum + choice.weight, 0) };
}

function createBalancer(spec: BalancerSpec, hosts: readonly EndpointState[], random: Random): Pick {
  switch (spec.kind) {
    case 'round_robin':
      return roundRobin(hosts, random);
    case 'random':
      return randomBalancer(hosts, random);
    case 'least_request':
      return leastRequest(hosts, spec.choiceCount, random);
    case 'ring_hash':
      return ringHash(hosts, spec.minimumRingSize, spec.maximumRingSize, random);
    case 'maglev':
      return maglev(hosts, spec.tableSize, random);
  }
}

function draw<T>(entries: readonly T[], total: number, weightOf: (entry: T) => number, random: Random): T {
  if (entries.length === 1) return entries[0]!;
  let left = random() * total;
  for (let index = 0; index < entries.length - 1; index++) {
    left -= weightOf(entries[index]!);
    if (left < 0) return entries[index]!;
  }
  return entries.at(-1)!;
}
