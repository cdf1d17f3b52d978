import type { MatchCriteria } from '../cluster/lb-metadata.ts';
import type { Exchange } from '../exchange.ts';
import type { Random } from '../ports.ts';
import type { HeaderMutations } from './route.ts';

export interface WeightedCluster {
  readonly cluster: string;
  readonly weight: number;
  readonly headers?: HeaderMutations | undefined;
  /** With the route's own. */
  readonly criteria?: MatchCriteria | undefined;
}

/** A number that chooses instead of chance: from a request header (header_name) or the hash policies (use_hash_policy). */
export type ChoosingNumber = (x: Exchange) => bigint | undefined;

/** Chooses a cluster by weight. Bounds are cumulative, so a choice is one draw and one scan. */
export function compileWeightedClusters(
  entries: readonly WeightedCluster[],
  random: Random,
  numberOf?: ChoosingNumber,
): (x: Exchange) => string {
  const drawn = entries.filter((entry) => entry.weight > 0);
  if (drawn.length === 0) throw new Error('the weights add up to 0: give at least one cluster a weight');
  if (drawn.length === 1) return (x) => take(drawn[0]!, x);
  const bounds: number[] = [];
  let total = 0;
  for (const entry of drawn) {
    total += entry.weight;
    bounds.push(total);
  }
  if (total > 0xffff_ffff) throw new Error(`the weights add up to ${total}; at most 4294967295 is possible`);
  return (x) => {
    const chosen = numberOf?.(x);
    const draw = chosen === undefined ? drawOf(x, total, random) : Number(chosen % BigInt(total));
    let index = 0;
    while (draw >= bounds[index]!) index++; // ends: the last bound is total, and draw < total
    return take(drawn[index]!, x); // a loop, not findIndex: no closure per request
  };
}

/** A runtime fraction that was asked before has drawn for the weights as well (see `randomValue`). */
function drawOf({ randomValue }: Exchange, total: number, random: Random): number {
  return randomValue < 0 ? random() * total : randomValue % total;
}

function take(entry: WeightedCluster, x: Exchange): string {
  if (entry.headers !== undefined) x.clusterHeaders = entry.headers;
  if (entry.criteria !== undefined) x.criteria = entry.criteria;
  return entry.cluster;
}
