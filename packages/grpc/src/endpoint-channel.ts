import grpc from '@grpc/grpc-js';
import type { Cluster, Resources, TransportSocket } from '@ripstop/core';

/** Told when the connection stands. */
export interface ReadyWaiter {
  onReady(): void;
}

/** What an endpoint's channel was made for; another one is made when any of it changes. */
export interface ChannelKey {
  readonly transport: TransportSocket;
  /** The breakers that its connection counts for: each routing priority has connections of its own. */
  readonly resources: Resources;
  /** Host whose name is sent as SNI, for transports that take it from the request. */
  readonly authorityHost: string;
  /** The client's own channel options. */
  readonly options: string;
}

/** One HTTP/2 connection to one endpoint, as a grpc-js channel. It outlives its retirement until the last stream has ended. */
export class EndpointChannel {
  readonly key: ChannelKey;
  readonly channel: grpc.Channel;
  /** Identity generation of its certificate; undefined when it shows none. */
  readonly generation: number | undefined;
  /** `Clock.now()` from which it takes no new calls. */
  retireAt: number;
  readonly #cluster: Cluster;
  readonly #counted: boolean;
  readonly #waiting = new Set<ReadyWaiter>();
  #watching = false;
  #active = 0;
  #served = 0;
  #retired = false;
  #closed = false;

  constructor(key: ChannelKey, channel: grpc.Channel, cluster: Cluster, generation: number | undefined, retireAt: number) {
    this.key = key;
    this.channel = channel;
    this.generation = generation;
    this.retireAt = retireAt;
    this.#cluster = cluster;
    // The first connection to a host is always allowed, as in Envoy; it counts while there is room.
    this.#counted = key.resources.connections.tryTake();
  }

  get retired(): boolean {
    return this.#retired;
  }

  get ready(): boolean {
    return this.channel.getConnectivityState(false) === grpc.connectivityState.READY;
  }

  /** A call begins on it. */
  take(): void {
    this.#active++;
    this.#served++;
    const most = this.#cluster.connection.maxRequestsPerConnection;
    if (most > 0 && this.#served >= most) this.retireAt = Number.NEGATIVE_INFINITY;
  }

  /** A call on it has ended. */
  give(): void {
    this.#active--;
    if (this.#retired) this.#closeWhenIdle();
  }

  awaitReady(waiter: ReadyWaiter): void {
    this.#waiting.add(waiter);
    if (!this.#watching) this.#watch();
  }

  stopWaiting(waiter: ReadyWaiter): void {
    this.#waiting.delete(waiter);
  }

  /** No new calls; closes as soon as the running ones have ended. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#closeWhenIdle();
  }

  /** Ends now: calls that have a stream keep it (grpc-js closes sessions gracefully), those that wait for one fail. */
  close(): void {
    this.#retired = true;
    if (this.#closed) return;
    this.#closed = true;
    if (this.#counted) this.key.resources.connections.give();
    this.channel.close();
  }

  #closeWhenIdle(): void {
    if (this.#active === 0) this.close();
  }

  #watch(): void {
    if (this.#closed) return;
    this.#watching = true;
    const state = this.channel.getConnectivityState(false);
    this.channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => {
      this.#watching = false;
      if (this.ready) {
        for (const waiter of this.#waiting) waiter.onReady();
        this.#waiting.clear();
      } else if (this.#waiting.size > 0) this.#watch();
    });
  }
}
