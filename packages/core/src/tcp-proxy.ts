import type { Exchange } from './exchange.ts';
import type { Filter } from './filter.ts';
import type { HttpConnectionManager } from './route/route.ts';

/** What a chain does with bytes (Envoy's tcp_proxy, and the network filters in front of it). */
export interface TcpProxy {
  /** Access logs, metrics and sources. It has no routes: nothing in a stream of bytes is a request. */
  readonly manager: HttpConnectionManager;
  /** Judge the connection in this order, before an endpoint is chosen. */
  readonly filters: readonly Filter[];
  /** Drawn by weight, again for each attempt. */
  chooseCluster(x: Exchange): string;
  /** Sets the hash that chooses the endpoint; undefined = chance does. */
  readonly hash: ((x: Exchange) => void) | undefined;
  /** Without a byte in either direction, milliseconds; 0 = for ever. */
  readonly idleTimeoutMs: number;
  /** Of the whole connection, milliseconds; 0 = for ever. */
  readonly maxDurationMs: number;
  readonly maxConnectAttempts: number;
}
