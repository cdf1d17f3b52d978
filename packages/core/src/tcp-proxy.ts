import { Exchange, type Peer, type RequestHead } from './exchange.ts';
import type { Filter } from './filter.ts';
import type { HttpConnectionManager } from './route/route.ts';
import type { Snapshot } from './snapshot.ts';

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

/** What a connection's exchange starts with. */
export interface TcpExchangeInit {
  readonly proxy: Pick<TcpProxy, 'manager'>;
  readonly snapshot: Snapshot;
  readonly peer: Peer;
  /** Of the listener. */
  readonly port: number;
  /** `Clock.now()`. */
  readonly startedAt: number;
}

/** A connection as filters, balancers and telemetry see it: an exchange without a request. */
export function createTcpExchange({ proxy: { manager }, ...init }: TcpExchangeInit): Exchange {
  return new Exchange({ direction: 'outbound', protocol: 'tcp', request: NO_REQUEST, manager, ...init });
}

const NOTHING: readonly string[] = [];

/** Nobody reads the bytes of a connection, so there is nothing to read or to write here. */
const NO_REQUEST: RequestHead = Object.freeze({
  scheme: 'http',
  authority: '',
  originalDestination: '',
  method: '',
  path: '',
  header: () => undefined,
  headerLines: () => NOTHING,
  setHeader: () => {},
  appendHeader: () => {},
  removeHeader: () => {},
  meshHeaders: NOTHING,
});
