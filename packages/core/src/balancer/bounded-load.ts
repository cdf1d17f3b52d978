import { MersenneTwister } from '../hash/mersenne-twister.ts';
import type { Random } from '../ports.ts';
import type { Balancer, Host } from './balancer.ts';
import { randomHash, type Share } from './ring-hash.ts';

/**
 * Consistent hashing with bounded loads (hash_balance_factor, percent, at least 100): a host with more than its share of the requests
 * in flight gives way to others in an order that the hash seeds, so that a key goes to the same few hosts. When all are over, the
 * least loaded is taken. Envoy's arithmetic and random sequence. `activeRequests` = in flight to the whole cluster.
 */
export function boundedLoad<H extends Host>(
  hashed: Balancer<H>,
  shares: readonly Share<H>[],
  balanceFactor: number,
  activeRequests: () => number,
  random: Random,
): Balancer<H> {
  const shareOf = new Map(shares.map(({ host, share }) => [host, share]));
  return {
    pick: (hash, attempt) => {
      const wanted = hash ?? randomHash(random);
      const host = hashed.pick(wanted, attempt);
      // Envoy counts whole slots in integers.
      const slots = Math.floor(((activeRequests() + 1) * balanceFactor + 99) / 100);
      const load = overload(host, shareOf.get(host)!, slots);
      return load <= 1 ? host : alternative(shares, host, load, slots, wanted);
    },
  };
}

function alternative<H extends Host>(shares: readonly Share<H>[], first: H, firstLoad: number, slots: number, hash: bigint): H {
  const generator = new MersenneTwister(Number(hash & 0xffffffffn));
  const order = shares.map((_share, index) => index);
  let best = first;
  let bestLoad = firstLoad;
  for (let index = 0; index < order.length; index++) {
    const other = index + below(generator, order.length - index);
    [order[index], order[other]] = [order[other]!, order[index]!];
    const { host, share } = shares[order[index]!]!;
    if (host === first) continue;
    const load = overload(host, share, slots);
    if (load <= 1) return host;
    if (load < bestLoad) [best, bestLoad] = [host, load];
  }
  return best;
}

/** Requests in flight against the slots that are the host's; above 1 it has too many. */
function overload({ activeRequests }: Host, share: number, slots: number): number {
  return activeRequests / Math.max(1, Math.ceil(slots * share));
}

/** Uniform in [0, bound). */
function below(generator: MersenneTwister, bound: number): number {
  const width = Math.floor(2 ** 32 / bound);
  for (;;) {
    const drawn = Math.floor(generator.uint32() / width);
    if (drawn < bound) return drawn;
  }
}
