import type { Exchange } from '../exchange.ts';
import type { Random } from '../ports.ts';
import type { HeaderMutations } from './route.ts';

export interface WeightedCluster {
  readonly cluster: string;
  readonly weight: number;
  readonly headers?: HeaderMutations | undefined;
}

/** Chooses a cluster by weight. Bounds are cumulative, so a choice is one draw and one scan. */
export function compileWeightedClusters(entries: readonly WeightedCluster[], random: Random): (x: Exchange) => string {
  const drawn = entries.filter((entry) => entry.weight > 0);
  if (drawn.length === 0) throw new Error('the weights add up to 0: give at least one cluster a weight');
  if (drawn.length === 1) return (x) => take(drawn[0]!, x);
  const bounds: number[] = [];
  let total = 0;
  for (const entry of drawn) {
    total += entry.weight;
    bounds.push(total);
  }
  return (x) => {
    const draw = random() * total;
    let index = 0;
    while (draw >= bounds[index]!) index++; // ends: the last bound is total, and draw < total
    return take(drawn[index]!, x); // a loop, not findIndex: no closure per request
  };
}

function take(entry: WeightedCluster, x: Exchange): string {
  if (entry.headers !== undefined) x.clusterHeaders = entry.headers;
  return entry.cluster;
}
