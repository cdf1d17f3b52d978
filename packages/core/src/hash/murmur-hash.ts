import { hashedBytes } from './hashed-bytes.ts';

const MASK = (1n << 64n) - 1n;
const M = 0xc6a4a7935bd1e995n;
/** libstdc++'s `std::hash`, which Envoy's MURMUR_HASH_2 imitates. */
const SEED = 0xc70f6907n;

/** MurmurHash64A, Envoy's MURMUR_HASH_2 of ring hash. */
export function murmurHash64A(text: string, seed: bigint = SEED): bigint {
  const bytes = hashedBytes(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = (seed ^ (BigInt(bytes.length) * M)) & MASK;
  let at = 0;
  for (; at + 8 <= bytes.length; at += 8) {
    let lane = (view.getBigUint64(at, true) * M) & MASK;
    lane = ((lane ^ (lane >> 47n)) * M) & MASK;
    hash = ((hash ^ lane) * M) & MASK;
  }
  if (at < bytes.length) {
    for (let index = bytes.length - 1; index >= at; index--) hash ^= BigInt(bytes[index]!) << BigInt(8 * (index - at));
    hash = (hash * M) & MASK;
  }
  hash = ((hash ^ (hash >> 47n)) * M) & MASK;
  return hash ^ (hash >> 47n);
}
