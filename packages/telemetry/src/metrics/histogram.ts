/** Upper bounds of Envoy's default histogram, used for durations (ms) and sizes (bytes) alike; +Inf is implied. */
export const BUCKETS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000,
];

/** A cumulative histogram over {@link BUCKETS}; observing is one short scan and two additions. */
export class Histogram {
  /** Per bucket, not cumulative; the last one is +Inf. */
  readonly counts: Float64Array = new Float64Array(BUCKETS.length + 1);
  sum = 0;
  count = 0;

  observe(value: number): void {
    let index = 0;
    while (index < BUCKETS.length && value > BUCKETS[index]!) index++;
    this.counts[index]!++;
    this.sum += value;
    this.count++;
  }
}
