import { readFileSync } from 'node:fs';
import {
  type Cancel,
  type Clock,
  type Cluster,
  type Endpoint,
  type IdentitySource,
  type Lease,
  type Random,
  type Svid,
  sameTransport,
  UpstreamTls,
  withoutPort,
} from '@ripstop/core';
import { EndpointPool, type PoolKey } from './endpoint-pool.ts';
import { type Connected, type ConnectTarget, MtlsConnector, type OpenSocket } from './mtls-connector.ts';
import type { CarriedEnds } from './proxy-header.ts';
import { ConnectError } from './reset-reason.ts';

const SWEEP_MS = 1_000;
const DEFAULT_ROTATION_JITTER_MS = 1_000;

export interface EndpointPoolsInit {
  readonly identity: IdentitySource | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly onError: (error: Error) => void;
  /** After a rotation each connection of the old identity lives on for a random part of this time, so that handshakes spread. */
  readonly rotationJitterMs?: number | undefined;
  /** See MtlsConnector. */
  readonly open?: OpenSocket | undefined;
}

/**
 * Every connection that the process holds, by endpoint. Closed gracefully when EDS dropped the endpoint, its transport changed
 * (mTLS switched on), or the identity was rotated; requests in flight finish where they are.
 */
export class EndpointPools {
  readonly #pools = new Map<Endpoint, EndpointPool[]>();
  readonly #tls: UpstreamTls;
  readonly #connector: MtlsConnector;
  readonly #init: EndpointPoolsInit;
  readonly #stopWatching: Cancel | undefined;
  #svid: Svid | undefined;
  #jitterMs = 0;
  #sweeping = false;
  #closed = false;

  constructor(init: EndpointPoolsInit) {
    this.#init = init;
    this.#tls = new UpstreamTls({
      identity: init.identity,
      clock: init.clock,
      readFile: readFileSync,
      failure: (message, cause) => new ConnectError('tls-failure', message, cause),
    });
    this.#connector = new MtlsConnector(this.#tls, init.clock, init.open);
    this.#svid = init.identity?.current();
    this.#stopWatching = init.identity?.onRotate((next) => this.#rotate(next));
  }

  /**
   * The pool of a lease's endpoint, made on first use. `authority` matters for transports that take the SNI from the request; `fromHttp2`: the
   * request came by HTTP/2, for clusters that speak as the caller does.
   */
  of(lease: Lease, cluster: Cluster, authority: string, fromHttp2 = false, caller?: CarriedEnds): EndpointPool {
    const { endpoint, resources } = lease;
    const { transport } = endpoint;
    const spoken = cluster.connection.protocol;
    const protocol = spoken === 'downstream' ? (fromHttp2 ? 'http2' : 'http1') : spoken;
    const host = transport.kind === 'tls' && transport.autoSni && transport.sni === '' ? withoutPort(authority) : '';
    // An app has no connection that its calls come by.
    const carried = transport.proxyProtocol === undefined || caller === undefined || caller.address === '' ? undefined : caller;
    const known = this.#pools.get(endpoint);
    if (known !== undefined) {
      for (const pool of known) {
        if (pool.resources !== resources || pool.protocol !== protocol || pool.authorityHost !== host) continue;
        if (carried !== pool.carried && !sameEnds(carried, pool.carried)) continue;
        if (sameTransport(pool.transport, transport)) return pool;
      }
    }
    return this.#create(lease, cluster, { protocol, authorityHost: host, carried }, known);
  }

  /** A connection of nobody's: it is in no pool and counts for no limit. */
  connect(target: ConnectTarget, done: Connected): void {
    this.#connector.connect(target, done);
  }

  /** Connections now open, for tests and the admin page. */
  get size(): number {
    let size = 0;
    for (const pools of this.#pools.values()) for (const pool of pools) size += pool.connections.size;
    return size;
  }

  /** Lets running streams finish and closes everything else. */
  close(): void {
    this.#closed = true;
    this.#stopWatching?.();
    for (const pools of this.#pools.values()) for (const pool of pools) pool.retireAll();
  }

  /** Ends every connection now. */
  destroy(): void {
    this.close();
    const failure = new ConnectError('connect-failure', 'the dispatcher was closed');
    for (const pools of this.#pools.values()) for (const pool of pools) pool.destroy(failure);
  }

  #create(lease: Lease, cluster: Cluster, key: PoolKey, known: EndpointPool[] | undefined): EndpointPool {
    const pool = new EndpointPool(lease, cluster, key, {
      connector: this.#connector,
      clock: this.#init.clock,
      generation: () => this.#svid?.generation ?? 0,
      staleUntil: () => this.#staleUntil(),
      onError: this.#init.onError,
    });
    if (known === undefined) this.#pools.set(lease.endpoint, [pool]);
    else known.push(pool);
    this.#scheduleSweep();
    return pool;
  }

  #rotate(next: Svid): void {
    const before = this.#svid;
    this.#svid = next;
    this.#tls.forget();
    // Another identity must not speak over connections of the old one at all; a renewed certificate may wait its turn.
    this.#jitterMs =
      before !== undefined && before.spiffeId !== next.spiffeId ? 0 : (this.#init.rotationJitterMs ?? DEFAULT_ROTATION_JITTER_MS);
    for (const pools of this.#pools.values()) {
      for (const pool of pools) {
        for (const connection of pool.connections) {
          if (connection.generation === undefined || connection.generation === next.generation) continue;
          connection.retireAt = Math.min(connection.retireAt, this.#staleUntil());
        }
      }
    }
  }

  #staleUntil(): number {
    return this.#init.clock.now() + this.#init.random() * this.#jitterMs;
  }

  #scheduleSweep(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#init.clock.setTimer(() => this.#sweep(), SWEEP_MS);
  }

  #sweep(): void {
    this.#sweeping = false;
    const now = this.#init.clock.now();
    for (const [endpoint, pools] of this.#pools) {
      const kept = pools.filter((pool) => {
        if (this.#closed || !endpoint.present || !sameTransport(pool.transport, endpoint.transport)) pool.retireAll();
        else pool.retireExpired(now);
        return !pool.empty;
      });
      if (kept.length === 0) this.#pools.delete(endpoint);
      else if (kept.length !== pools.length) this.#pools.set(endpoint, kept);
    }
    if (this.#pools.size > 0) this.#scheduleSweep();
  }
}

function sameEnds(one: CarriedEnds | undefined, other: CarriedEnds | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  const { address, port, localAddress, localPort } = one;
  return address === other.address && port === other.port && localAddress === other.localAddress && localPort === other.localPort;
}
