import type { Random } from '../ports.ts';
import type { Balancer, Host, Warmup } from './balancer.ts';
import { EdfScheduler } from './edf.ts';
import { equallyWeighted, headStart, weighing } from './round-robin.ts';

export interface LeastRequestOptions {
  /** Hosts drawn per pick; at least 2. */
  readonly choiceCount: number;
  /** How much load counts against weight: weight / (active + 1)^bias. 0 = not at all. Default 1. */
  readonly activeRequestBias?: number | undefined;
  /** All hosts are looked at instead of `choiceCount` drawn ones (selection_method FULL_SCAN). */
  readonly fullScan?: boolean | undefined;
}

/**
 * Equal weights: of `choiceCount` hosts drawn with replacement the one with the fewest requests, the first on a tie. Unequal weights, or
 * hosts that warm up: earliest deadline first with weight / (active + 1)^bias.
 */
export function leastRequest<H extends Host>(
  hosts: readonly H[],
  { choiceCount, activeRequestBias = 1, fullScan = false }: LeastRequestOptions,
  random: Random,
  warmup?: Warmup<H>,
): Balancer<H> {
  if (!equallyWeighted(hosts, warmup)) {
    const scheduler = new EdfScheduler(hosts, byLoad(weighing(warmup), activeRequestBias), headStart(random));
    return { pick: () => scheduler.next() };
  }
  if (hosts.length === 1) return { pick: () => hosts[0]! };
  if (fullScan) return { pick: () => idlest(hosts, random) };
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

function byLoad<H extends Host>(weightOf: (host: H) => number, bias: number): (host: H) => number {
  if (bias === 0) return weightOf;
  if (bias === 1) return (host) => weightOf(host) / (host.activeRequests + 1);
  return (host) => weightOf(host) / (host.activeRequests + 1) ** bias;
}

/** The host with the fewest requests; equal ones by chance (reservoir sampling, as Envoy's full scan). */
function idlest<H extends Host>(hosts: readonly H[], random: Random): H {
  let best = hosts[0]!;
  let equal = 1;
  for (let index = 1; index < hosts.length; index++) {
    const host = hosts[index]!;
    if (host.activeRequests < best.activeRequests) {
      best = host;
      equal = 1;
    } else if (host.activeRequests === best.activeRequests && random() * ++equal < 1) best = host;
  }
  return best;
}
