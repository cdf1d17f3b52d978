import {
  type ConnectionLimitConfig,
  type ConnectionRateLimitConfig,
  createConnectionLimit,
  createConnectionRateLimit,
  type FilterFactory,
} from '@ripstop/core';
import { ConnectionLimit, NetworkLocalRateLimit, typeUrlOf } from '@ripstop/xds-api';
import { milliseconds } from '../values.ts';
import { bucketOf } from './local-rate-limit.ts';

/** Undefined: switched off. */
type Switched<C> = C | undefined;

export const connectionLimit: FilterFactory<Switched<ConnectionLimitConfig>> = {
  typeUrl: typeUrlOf(ConnectionLimit.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => {
    const { statPrefix, maxConnections = 0, delay, runtimeEnabled } = ConnectionLimit.decode(body);
    if (statPrefix === '') throw new Error('connection_limit: stat_prefix is empty');
    if (maxConnections < 1) throw new Error('connection_limit: max_connections must be above 0');
    return isOff(runtimeEnabled) ? undefined : { statPrefix, maxConnections, delayMs: milliseconds(delay, 0) };
  },
  create: (config, _override, env) => (config === undefined ? undefined : createConnectionLimit(config, env)),
};

export const connectionRateLimit: FilterFactory<Switched<ConnectionRateLimitConfig>> = {
  typeUrl: typeUrlOf(NetworkLocalRateLimit.$type),
  directions: ['inbound', 'outbound'],
  decode: (body) => {
    const { statPrefix, tokenBucket, runtimeEnabled, shareKey } = NetworkLocalRateLimit.decode(body);
    if (statPrefix === '') throw new Error('local_ratelimit: stat_prefix is empty');
    const bucket = bucketOf(tokenBucket);
    return isOff(runtimeEnabled) ? undefined : { statPrefix, bucket, shareKey };
  },
  create: (config, _override, env) => (config === undefined ? undefined : createConnectionRateLimit(config, env)),
};

function isOff(flag: { readonly defaultValue: boolean | undefined } | undefined): boolean {
  return flag?.defaultValue === false;
}
