import type { Random } from '../ports.ts';
import type { Balancer, Host } from './balancer.ts';
import { EdfScheduler } from './edf.ts';

/**
 * Equal weights: of `choiceCount` hosts drawn with replacement the one with the fewest requests, the first on a tie. Unequal weights:
 * earliest deadline first with weight / (active + 1).
 */
export function leastRequest<H extends Host>(hosts: readonly H[], choiceCount: number, random: Random): Balancer<H> {
  if (!hosts.every((host) => host.weight === hosts[0]!.weight)) {
    const scheduler = new EdfScheduler(hosts, (host) => host.weight / (host.activeRequests + 1));
    return { pick: () => scheduler.next() };
  }
  if (hosts.length === 1) return { pick: () => hosts[0]! };
  return {
    pick: () => {
      let best = hosts[Math.floor(random() * hosts.length)]!;
      for (let choice = 1; choice < choiceCount; choice++) {
        const other = hosts[Math.floor(random() * hosts.length)]!;
        if (other.activeRequests < best.activeRequests) best = other;
      }
      return best;
    },
  };
}
