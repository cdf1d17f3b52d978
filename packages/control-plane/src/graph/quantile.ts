/**
 * The q-quantile of a cumulative histogram by linear interpolation inside its bucket, as Prometheus' histogram_quantile does; 0 when
 * nothing was counted. In the open last bucket the answer is its lower bound.
 */
export function quantile(q: number, buckets: ReadonlyMap<number, number>): number {
  const bounds = [...buckets.entries()].sort(([a], [b]) => a - b);
  const total = bounds.at(-1)?.[1] ?? 0;
  if (total === 0) return 0;
  const rank = q * total;
  let lowerBound = 0;
  let lowerCount = 0;
  for (const [bound, count] of bounds) {
    if (count >= rank) {
      if (!Number.isFinite(bound)) return lowerBound;
      return count === lowerCount ? bound : lowerBound + ((bound - lowerBound) * (rank - lowerCount)) / (count - lowerCount);
    }
    lowerBound = bound;
    lowerCount = count;
  }
  return lowerBound;
}
