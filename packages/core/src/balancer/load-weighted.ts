import type { HostLoad, LoadWeightsSpec } from '../orca/host-load.ts';
import type { Clock, Random } from '../ports.ts';
import type { Balancer, Host, Warmup } from './balancer.ts';
import { EdfScheduler } from './edf.ts';
import { headStart } from './round-robin.ts';

/**
 * Envoy's client-side weighted round robin: hosts by the weights that their load reports give them. Weights are looked at once per update
 * period; hosts without one get the median of the others.
 */
export function loadWeighted<H extends Host & { readonly load: HostLoad }>(
  hosts: readonly H[],
  spec: LoadWeightsSpec,
  clock: Clock,
  random: Random,
  warmup?: Warmup<H>,
): Balancer<H> {
  let weights: readonly number[] = hosts.map(() => 1);
  let updatedAt = Number.NEGATIVE_INFINITY;
  let scheduler = schedulerOf(hosts, weights, random, warmup);
  return {
    pick: () => {
      const now = clock.now();
      if (now - updatedAt >= spec.updateMs) {
        updatedAt = now;
        const next = weightsOf(hosts, spec, now);
        if (next.some((weight, index) => weight !== weights[index])) {
          weights = next;
          scheduler = schedulerOf(hosts, weights, random, warmup);
        }
      }
      return scheduler.next();
    },
  };
}

function schedulerOf<H>(hosts: readonly H[], weights: readonly number[], random: Random, warmup: Warmup<H> | undefined): EdfScheduler<H> {
  const weightOf = new Map(hosts.map((host, index) => [host, Math.max(1, weights[index]!)]));
  const weigh = (host: H): number => weightOf.get(host)!;
  return new EdfScheduler(hosts, warmup === undefined ? weigh : (host) => weigh(host) * warmup.factorOf(host), headStart(random));
}

function weightsOf(hosts: readonly { readonly load: HostLoad }[], spec: LoadWeightsSpec, now: number): readonly number[] {
  const known = hosts.map(({ load }) => load.current(spec, now));
  const otherwise = median(known.filter((weight) => weight !== undefined));
  return known.map((weight) => weight ?? otherwise);
}

/** Of an even number the mean of the middle two, in whole numbers; 1 without any. */
function median(weights: readonly number[]): number {
  if (weights.length === 0) return 1;
  const sorted = [...weights].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : Math.floor((sorted[middle - 1]! + sorted[middle]!) / 2);
}
