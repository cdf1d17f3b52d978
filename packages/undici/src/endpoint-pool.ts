import { type Clock, type Cluster, type Endpoint, isSocketPath, type Lease, type Resources, type TransportSocket } from '@ripstop/core';
import { Connection, type ConnectionOwner } from './connection.ts';
import type { MtlsConnector, UpstreamProtocol } from './mtls-connector.ts';
import type { CarriedEnds } from './proxy-header.ts';
import type { ConnectError } from './reset-reason.ts';

/** A stream that wants a connection. */
export interface ConnectionTaker {
  onConnection(connection: Connection): void;
  onConnectionFailure(failure: ConnectError): void;
}

/** What a pool needs of its surroundings. */
export interface PoolEnvironment {
  readonly connector: MtlsConnector;
  readonly clock: Clock;
  /** Of the identity in force. */
  readonly generation: () => number;
  /** Until when a connection of an older identity may be used. */
  readonly staleUntil: () => number;
  readonly onError: (error: Error) => void;
}

/** What connections of one endpoint are told apart by, beside their transport. */
export interface PoolKey {
  readonly protocol: UpstreamProtocol;
  /** SNI of transports that take it from the request; else ''. */
  readonly authorityHost: string;
  /** The caller's connection, for transports that tell of it (PROXY protocol). */
  readonly carried: CarriedEnds | undefined;
}

/**
 * Connections to one endpoint with one kind of transport and for one routing priority, by Envoy's rules: a stream without a connection occupies a pending
 * slot of the cluster until it has one, beyond the limit it overflows at once; no connection is opened above the cluster's limit
 * unless this endpoint has none at all, else its streams could never move.
 */
export class EndpointPool implements ConnectionOwner {
  readonly endpoint: Endpoint;
  readonly transport: TransportSocket;
  readonly authorityHost: string;
  readonly resources: Resources;
  readonly protocol: UpstreamProtocol;
  readonly #env: PoolEnvironment;
  readonly #connections = new Set<Connection>();
  /** Connections with room; the last used stands last, so that surplus ones fall idle and close. */
  readonly #ready: Connection[] = [];
  readonly #pending: ConnectionTaker[] = [];
  #connecting = 0;
  readonly carried: CarriedEnds | undefined;
  #cluster: Cluster;

  constructor({ endpoint, resources }: Lease, cluster: Cluster, { protocol, authorityHost, carried }: PoolKey, env: PoolEnvironment) {
    this.endpoint = endpoint;
    this.transport = endpoint.transport;
    this.#cluster = cluster;
    this.authorityHost = authorityHost;
    this.carried = carried;
    this.resources = resources;
    this.protocol = protocol;
    this.#env = env;
  }

  get empty(): boolean {
    return this.#connections.size === 0 && this.#connecting === 0 && this.#pending.length === 0;
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** A connection at once, `pending` (one of the taker's callbacks follows, unless it gives up), or `overflow`. */
  take(taker: ConnectionTaker, cluster: Cluster): Connection | 'pending' | 'overflow' {
    this.#cluster = cluster;
    const ready = this.#takeReady();
    if (ready !== undefined) return ready;
    if (!this.resources.pending.tryTake()) return 'overflow';
    this.#pending.push(taker);
    this.#connectAsNeeded();
    return 'pending';
  }

  /** The taker doesn't want a connection any more. */
  giveUp(taker: ConnectionTaker): void {
    const at = this.#pending.indexOf(taker);
    if (at < 0) return;
    this.#pending.splice(at, 1);
    this.resources.pending.give();
  }

  /** A stream has ended; `reusable` is false when the connection's state is unknown. */
  release(connection: Connection, reusable: boolean): void {
    connection.active--;
    if (!reusable) connection.closing = true;
    if (!this.#fresh(connection)) connection.closing = true;
    if (connection.closing) {
      if (connection.active <= 0) connection.retire();
      return;
    }
    this.#serve(connection);
  }

  onClosed(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    connection.counter?.give();
    if (connection.ready) {
      connection.ready = false;
      this.#ready.splice(this.#ready.indexOf(connection), 1);
    }
    this.#connectAsNeeded();
  }

  /** Closes what is idle and lets the rest finish. */
  retireAll(): void {
    for (const connection of this.#connections) this.#retire(connection);
  }

  /** Closes idle connections whose time is over (rotation, maximum age). */
  retireExpired(now: number): void {
    for (const connection of this.#connections) if (connection.retireAt <= now) this.#retire(connection);
  }

  destroy(failure: ConnectError): void {
    this.#fail(failure);
    for (const connection of this.#connections) connection.destroy();
  }

  #takeReady(): Connection | undefined {
    while (this.#ready.length > 0) {
      const connection = this.#ready[this.#ready.length - 1]!;
      if (!connection.hasRoom || !this.#fresh(connection)) {
        this.#retire(connection);
        continue;
      }
      this.#occupy(connection);
      return connection;
    }
    return undefined;
  }

  #fresh(connection: Connection): boolean {
    return connection.retireAt === Number.POSITIVE_INFINITY || this.#env.clock.now() < connection.retireAt;
  }

  #occupy(connection: Connection): void {
    connection.occupy();
    if (connection.ready && !connection.hasRoom) {
      connection.ready = false;
      const last = this.#ready.length - 1;
      if (this.#ready[last] === connection) this.#ready.length = last;
      else this.#ready.splice(this.#ready.indexOf(connection), 1);
    }
  }

  #retire(connection: Connection): void {
    if (connection.ready) {
      connection.ready = false;
      this.#ready.splice(this.#ready.indexOf(connection), 1);
    }
    connection.retire();
  }

  /** Gives the connection to those who wait, oldest first, and keeps it when room is left. */
  #serve(connection: Connection): void {
    while (this.#pending.length > 0 && connection.hasRoom) {
      const taker = this.#pending.shift()!;
      this.resources.pending.give();
      this.#occupy(connection);
      taker.onConnection(connection);
    }
    if (connection.hasRoom && !connection.ready) {
      connection.ready = true;
      this.#ready.push(connection);
    }
  }

  #connectAsNeeded(): void {
    const streamsEach = this.protocol === 'http2' ? this.#cluster.connection.maxConcurrentStreams || 1_024 : 1;
    while (this.#connecting * streamsEach < this.#pending.length) {
      const { connections } = this.resources;
      const counted = connections.tryTake();
      if (!counted && this.#connections.size + this.#connecting > 0) return;
      this.#connect(counted);
    }
  }

  #connect(counted: boolean): void {
    this.#connecting++;
    const cluster = this.#cluster;
    const { endpoint, transport } = this;
    const counter = counted ? this.resources.connections : undefined;
    const usesIdentity = transport.kind === 'tls' && transport.clientCertificate?.kind === 'identity';
    const generation = usesIdentity ? this.#env.generation() : undefined;
    this.#env.connector.connect(
      {
        address: endpoint.address,
        otherAddresses: endpoint.otherAddresses,
        port: endpoint.port,
        transport,
        connection: cluster.connection,
        protocol: this.protocol,
        authorityHost: this.authorityHost,
        carried: this.carried,
      },
      (failure, socket, http2) => {
        this.#connecting--;
        if (failure !== undefined) {
          counter?.give();
          this.#fail(failure);
          return;
        }
        const maxAgeMs = cluster.connection.maxConnectionDurationMs;
        const oldestMs = maxAgeMs > 0 ? this.#env.clock.now() + maxAgeMs : Number.POSITIVE_INFINITY;
        // Rotated during the handshake: as old as those that the rotation met.
        const stale = generation !== undefined && generation !== this.#env.generation();
        const connection = new Connection({
          owner: this,
          origin: originOf(endpoint),
          socket: socket!,
          http2,
          options: cluster.connection,
          counter,
          generation,
          retireAt: stale ? Math.min(oldestMs, this.#env.staleUntil()) : oldestMs,
          onError: this.#env.onError,
        });
        this.#connections.add(connection);
        if (this.#pending.length === 0 && http2) {
          // Its peer speaks first (SETTINGS), and nobody would listen.
          connection.retire();
          return;
        }
        if (this.#pending.length === 0) connection.park();
        this.#serve(connection);
      },
    );
  }

  /** As Envoy: a failed connection attempt fails every stream that waits for this endpoint. */
  #fail(failure: ConnectError): void {
    for (const taker of this.#pending.splice(0)) {
      this.resources.pending.give();
      taker.onConnectionFailure(failure);
    }
  }
}

/** For undici only: scheme http, because TLS is ours; the Host header never comes from here. */
function originOf(endpoint: Endpoint): string {
  // A path would be read as one of a URL.
  if (isSocketPath(endpoint.address)) return UNNAMED;
  const host = endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address;
  return URL.canParse(`http://${host}:${endpoint.port}`) ? `http://${host}:${endpoint.port}` : UNNAMED;
}

const UNNAMED = 'http://endpoint.invalid';
