import {
  createLocalRateLimit,
  type FilterFactory,
  type HostRateLimits,
  type LocalRateLimitConfig,
  type TokenBucketSpec,
} from '@ripstop/core';
import { LocalRateLimit, RateLimit, type TokenBucket, typeUrlOf, VhRateLimitsOptions } from '@ripstop/xds-api';
import { compileAddition } from '../header-operations.ts';
import { compileRateLimits } from '../rate-limits.ts';
import { rawField, rawFields } from '../raw-fields.ts';
import { fraction, milliseconds } from '../values.ts';

/** Fields that are younger than the messages that we generate. */
const RATE_LIMITS = 17;
const MAX_DYNAMIC_DESCRIPTORS = 18;
const LAST_KNOWN = 18;

const MIN_FILL_INTERVAL_MS = 50;
const DEFAULT_MAX_DYNAMIC = 20;

type Config = Omit<LocalRateLimitConfig, 'rateLimits'> & { readonly rateLimits: readonly RateLimit[] };

export const localRateLimit: FilterFactory<Config> = {
  typeUrl: typeUrlOf(LocalRateLimit.$type),
  directions: ['inbound', 'outbound'],
  decode: decodeLocalRateLimit,
  // The most specific configuration replaces the others whole.
  create: (config, override, env) => {
    const { rateLimits, ...rest } = override ?? config;
    return createLocalRateLimit({ ...rest, rateLimits: compileRateLimits(rateLimits, env.ownCluster ?? '') }, env);
  },
};

function decodeLocalRateLimit(body: Uint8Array): Config {
  const message = LocalRateLimit.decode(body);
  const unknown = rawFields(body)
    .map(({ number }) => number)
    .filter((number) => number > LAST_KNOWN);
  if (unknown.length > 0) throw new Error(`local_ratelimit: field ${unknown.join(', ')} is not known`);
  if (message.localClusterRateLimit !== undefined) throw new Error('local_ratelimit: local_cluster_rate_limit is not supported');
  if (message.statPrefix === '') throw new Error('local_ratelimit: stat_prefix is empty');
  const status = message.status?.code ?? 429;
  const bucket = message.tokenBucket === undefined ? undefined : bucketOf(message.tokenBucket);
  if (message.descriptors.length > 0 && bucket === undefined) throw new Error('local_ratelimit: descriptors without a token_bucket');
  return {
    statPrefix: message.statPrefix,
    limiter: {
      bucket,
      descriptors: message.descriptors.map(({ entries, tokenBucket }) => ({
        entries: entries.map(({ key, value }) => ({ key, value })),
        bucket: bucketOf(tokenBucket),
      })),
      alwaysConsumeDefault: message.alwaysConsumeDefaultTokenBucket ?? true,
      maxDynamic: maxDynamicOf(body),
    },
    perConnection: message.localRateLimitPerDownstreamConnection,
    enabled: fraction(message.filterEnabled?.defaultValue),
    enforced: fraction(message.filterEnforced?.defaultValue),
    status: status < 400 ? 429 : status,
    resourceExhausted: message.rateLimitedAsResourceExhausted,
    requestHeaders: message.requestHeadersToAddWhenNotEnforced.map(compileAddition),
    responseHeaders: message.responseHeadersToAdd.map(compileAddition),
    tellsLimits: message.enableXRatelimitHeaders !== 0,
    stage: message.stage,
    hostRateLimits: hostRateLimits(message.vhRateLimits),
    rateLimits: rawField(body, RATE_LIMITS).map((entry) => RateLimit.decode(entry)),
  };
}

/** Throws for one that Envoy refuses. */
export function bucketOf(bucket: TokenBucket | undefined): TokenBucketSpec {
  const { maxTokens = 0, tokensPerFill = 1, fillInterval } = bucket ?? {};
  const fillIntervalMs = milliseconds(fillInterval, 0);
  if (maxTokens === 0) throw new Error('local_ratelimit: token_bucket.max_tokens must be above 0');
  if (tokensPerFill === 0) throw new Error('local_ratelimit: token_bucket.tokens_per_fill must be above 0');
  if (fillIntervalMs < MIN_FILL_INTERVAL_MS)
    throw new Error(`local_ratelimit: token_bucket.fill_interval must be at least ${MIN_FILL_INTERVAL_MS} ms`);
  return { maxTokens, tokensPerFill, fillIntervalMs };
}

/** A UInt32Value. */
function maxDynamicOf(body: Uint8Array): number {
  const [wrapped] = rawField(body, MAX_DYNAMIC_DESCRIPTORS);
  if (wrapped === undefined) return DEFAULT_MAX_DYNAMIC;
  let value = 0;
  for (let at = wrapped.length - 1; at > 0; at--) value = value * 128 + (wrapped[at]! & 127);
  return value;
}

function hostRateLimits(option: VhRateLimitsOptions): HostRateLimits {
  if (option === VhRateLimitsOptions.INCLUDE) return 'include';
  return option === VhRateLimitsOptions.IGNORE ? 'ignore' : 'override';
}
