import { murmurHash64A } from '../hash/murmur-hash.ts';
import { xxh64 } from '../hash/xxh64.ts';
import type { Random } from '../ports.ts';
import type { Balancer, Host } from './balancer.ts';

const MASK = (1n << 64n) - 1n;

/** A host with its share of a hashed balancer; shares add up to 1. */
export interface Share<H> {
  readonly host: H;
  readonly share: number;
}

export interface RingOptions {
  readonly minimumRingSize: number;
  readonly maximumRingSize: number;
  readonly hashFunction?: 'xx_hash' | 'murmur_hash_2' | undefined;
}

/** Envoy's ring hash, bit for bit: hash of `key_i`, ring size scaled so that the lightest host gets a whole number of entries. */
export function ringHash<H extends Host>(hosts: readonly Share<H>[], options: RingOptions, random: Random): Balancer<H> {
  const lightest = Math.min(...hosts.map(({ share }) => share));
  const scale = Math.min(Math.ceil(lightest * options.minimumRingSize) / lightest, options.maximumRingSize);
  const hashOf = options.hashFunction === 'murmur_hash_2' ? murmurHash64A : xxh64;
  const ring: { readonly hash: bigint; readonly host: H }[] = [];
  let current = 0;
  let target = 0;
  for (const { host, share } of hosts) {
    target += scale * share;
    for (let copy = 0; current < target; copy++, current++) ring.push({ hash: hashOf(`${host.hashKey}_${copy}`), host });
  }
  ring.sort((a, b) => (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0));
  return {
    pick: (hash, attempt) => {
      const wanted = hash ?? randomHash(random);
      let low = 0;
      let high = ring.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ring[middle]!.hash < wanted) low = middle + 1;
        else high = middle;
      }
      return ring[(low + attempt) % ring.length]!.host;
    },
  };
}

/** Envoy's Maglev table: weighted by iterations, hosts in configuration order. `tableSize` is a prime. */
export function maglev<H extends Host>(hosts: readonly Share<H>[], tableSize: number, random: Random): Balancer<H> {
  const size = BigInt(tableSize);
  const heaviest = Math.max(...hosts.map(({ share }) => share));
  const entries = hosts.map(({ host, share }) => ({
    host,
    share,
    offset: Number(xxh64(host.hashKey) % size),
    skip: Number((xxh64(host.hashKey, 1n) % (size - 1n)) + 1n),
    next: 0,
    target: 0,
  }));
  const table: (H | undefined)[] = new Array(tableSize).fill(undefined);
  let filled = 0;
  for (let iteration = 1; filled < tableSize; iteration++) {
    for (const entry of entries) {
      if (filled >= tableSize) break;
      if (iteration * entry.share < entry.target) continue;
      entry.target += heaviest;
      let slot = (entry.offset + entry.skip * entry.next) % tableSize;
      while (table[slot] !== undefined) slot = (entry.offset + entry.skip * ++entry.next) % tableSize;
      table[slot] = entry.host;
      entry.next++;
      filled++;
    }
  }
  return {
    pick: (hash, attempt) => {
      const wanted = (hash ?? randomHash(random)) ^ (attempt === 0 ? 0n : ((1n << 64n) - BigInt(attempt)) & MASK);
      return table[Number(wanted % size)]!;
    },
  };
}

/** A request without a hash goes to a random host. */
export function randomHash(random: Random): bigint {
  return (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32));
}
