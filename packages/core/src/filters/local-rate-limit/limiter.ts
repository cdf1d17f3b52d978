import type { Clock } from '../../ports.ts';
import type { DescriptorEntry, RateLimitDescriptor } from '../rate-limit-descriptors.ts';
import { TokenBucket, type TokenBucketSpec } from './token-bucket.ts';

export interface LimiterSpec {
  /** Undefined = requests that no descriptor takes are not limited. */
  readonly bucket: TokenBucketSpec | undefined;
  readonly descriptors: readonly { readonly entries: readonly DescriptorEntry[]; readonly bucket: TokenBucketSpec }[];
  /** Requests that a descriptor takes count for the default bucket too. */
  readonly alwaysConsumeDefault: boolean;
  /** Values for which a descriptor without a value has a bucket of its own; the one that was used longest ago goes. */
  readonly maxDynamic: number;
}

export interface LimiterVerdict {
  readonly allowed: boolean;
  /** The bucket that speaks for the verdict, for x-ratelimit headers. */
  readonly bucket: TokenBucket | undefined;
}

/** The token buckets of one configuration. Envoy's order: descriptors, slowest first, then the default bucket. */
export class Limiter {
  private readonly spec: LimiterSpec;
  private readonly clock: Clock;
  private readonly fallback: TokenBucket | undefined;
  private readonly exact = new Map<string, TokenBucket>();
  private readonly wildcards: readonly { readonly entries: readonly DescriptorEntry[]; readonly bucket: TokenBucketSpec }[];
  private readonly dynamic = new Map<string, TokenBucket>();

  constructor(spec: LimiterSpec, clock: Clock) {
    this.spec = spec;
    this.clock = clock;
    this.fallback = spec.bucket === undefined ? undefined : new TokenBucket(spec.bucket, clock);
    const isWildcard = ({ value }: DescriptorEntry): boolean => value === '';
    this.wildcards = spec.descriptors.filter(({ entries }) => entries.some(isWildcard));
    for (const { entries, bucket } of spec.descriptors)
      if (!entries.some(isWildcard)) this.exact.set(keyOf(entries), new TokenBucket(bucket, clock));
  }

  judge(descriptors: readonly RateLimitDescriptor[]): LimiterVerdict {
    const matched = descriptors.flatMap(({ entries }) => this.bucketOf(entries) ?? []);
    if (matched.length > 1) matched.sort((a, b) => a.fillRate - b.fillRate);
    for (const bucket of matched) if (!bucket.take()) return { allowed: false, bucket };
    const { fallback } = this;
    if (fallback !== undefined && (matched.length === 0 || this.spec.alwaysConsumeDefault) && !fallback.take())
      return { allowed: false, bucket: fallback };
    return { allowed: true, bucket: matched[0] ?? fallback };
  }

  private bucketOf(entries: readonly DescriptorEntry[]): TokenBucket | undefined {
    const key = keyOf(entries);
    const exact = this.exact.get(key);
    if (exact !== undefined) return exact;
    const wildcard = this.wildcards.find((candidate) => takes(candidate.entries, entries));
    if (wildcard === undefined) return undefined;
    const known = this.dynamic.get(key);
    const bucket = known ?? new TokenBucket(wildcard.bucket, this.clock);
    // In order of use: the first one goes when there are too many.
    this.dynamic.delete(key);
    this.dynamic.set(key, bucket);
    if (this.dynamic.size > this.spec.maxDynamic) this.dynamic.delete(this.dynamic.keys().next().value!);
    return bucket;
  }
}

function keyOf(entries: readonly DescriptorEntry[]): string {
  return JSON.stringify(entries.map(({ key, value }) => [key, value]));
}

function takes(pattern: readonly DescriptorEntry[], entries: readonly DescriptorEntry[]): boolean {
  return (
    pattern.length === entries.length &&
    pattern.every(({ key, value }, at) => entries[at]!.key === key && (value === '' || entries[at]!.value === value))
  );
}
