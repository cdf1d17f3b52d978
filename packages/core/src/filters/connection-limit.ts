import type { Exchange } from '../exchange.ts';
import type { Filter, FilterEnv } from '../filter.ts';
import { type LocalReply, localReply } from '../local-reply.ts';

export interface ConnectionLimitConfig {
  /** In the names of its counters. */
  readonly statPrefix: string;
  readonly maxConnections: number;
  /** A connection too many is closed so much later, milliseconds. */
  readonly delayMs: number;
}

export const CONNECTION_LIMIT = 'envoy.filters.network.connection_limit';

const TOO_MANY = localReply({ status: 503, details: 'over_connection_limit' });

/** Envoy's connection limit: so many connections of a chain are open at a time, others are closed. */
export function createConnectionLimit({ statPrefix, maxConnections, delayMs }: ConnectionLimitConfig, env: FilterEnv): Filter {
  // Open connections outlive a push, and so does their number.
  const open = env.state(`${CONNECTION_LIMIT}/${env.statPrefix}/${statPrefix}`, () => new Set<Exchange>());
  const limited = env.counters?.counter(
    'envoy_connection_limit_limited_connections',
    'Connections that were closed because too many were open',
    { envoy_connection_limit_prefix: statPrefix },
  ) ?? { value: 0 };
  return {
    name: CONNECTION_LIMIT,
    onRequest: (x: Exchange): LocalReply | undefined | Promise<LocalReply> => {
      if (open.size < maxConnections) {
        open.add(x);
        return undefined;
      }
      limited.value++;
      if (delayMs === 0) return TOO_MANY;
      return new Promise((resolve) => env.clock.setTimer(() => resolve(TOO_MANY), delayMs));
    },
    onEnd: (x: Exchange) => void open.delete(x),
  };
}
