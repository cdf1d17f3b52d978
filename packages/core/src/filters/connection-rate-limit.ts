import type { Filter, FilterEnv } from '../filter.ts';
import { localReply } from '../local-reply.ts';
import { TokenBucket, type TokenBucketSpec } from './local-rate-limit/token-bucket.ts';

export interface ConnectionRateLimitConfig {
  /** In the names of its counters. */
  readonly statPrefix: string;
  readonly bucket: TokenBucketSpec;
  /** Filters of one key share one bucket; '' = none does. */
  readonly shareKey: string;
}

export const CONNECTION_RATE_LIMIT = 'envoy.filters.network.local_ratelimit';

const LIMITED = localReply({ status: 503, details: 'local_ratelimit_close_over_limit' });

/** Envoy's local rate limit of connections: one without a token is closed. */
export function createConnectionRateLimit({ statPrefix, bucket: spec, shareKey }: ConnectionRateLimitConfig, env: FilterEnv): Filter {
  const place = shareKey === '' ? `/${env.statPrefix}/${statPrefix}` : `#${shareKey}`;
  const bucket = env.state(`${CONNECTION_RATE_LIMIT}${place}/${JSON.stringify(spec)}`, () => new TokenBucket(spec, env.clock));
  const limited = env.counters?.counter('envoy_local_rate_limit_rate_limited', 'Connections that were closed because too many came', {
    envoy_local_network_ratelimit_prefix: statPrefix,
  }) ?? { value: 0 };
  return {
    name: CONNECTION_RATE_LIMIT,
    onRequest: () => {
      if (bucket.take()) return undefined;
      limited.value++;
      return LIMITED;
    },
  };
}
