import type { Clock, Timer } from './ports.ts';

/**
 * How long a caller's connection lives and how many requests it carries: Envoy's common_http_protocol_options and drain_timeout of a
 * connection manager. Milliseconds; 0 = no limit.
 */
export interface ConnectionLimits {
  /** Without a request. */
  readonly idleTimeoutMs: number;
  readonly maxDurationMs: number;
  readonly maxRequests: number;
  /** From when a connection is to end until it does, so that no request is written into a connection that is just being closed. */
  readonly drainTimeoutMs: number;
}

/** Envoy's defaults. */
export const CONNECTION_LIMITS: ConnectionLimits = { idleTimeoutMs: 3_600_000, maxDurationMs: 0, maxRequests: 0, drainTimeoutMs: 5_000 };

/** A connection of requests, as its limits see it. */
export interface LimitedConnection {
  /** Requests that are being answered. */
  readonly active: number;
  /** From its caller, of any kind; undefined where nobody counts. */
  readonly bytesRead: number | undefined;
  /** The next response is the last one (HTTP/1), or no further stream is taken (HTTP/2). */
  drain(): void;
  /** Ends it, now or with its last response. */
  retire(): void;
}

/** How long what runs on a connection may go on when its filter chain is gone: Istio's drain time of a listener whose chains changed. */
export const CHAIN_GONE_MS = 45_000;

/** Ends a connection by its limits. A timer per connection, none per request. */
export class ConnectionLife {
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #connection: LimitedConnection;
  readonly #bytesAtFirst: number | undefined;
  #requests = 0;
  #idleSince: number;
  #idle: Timer | undefined;
  #duration: Timer | undefined;
  #draining: Timer | undefined;
  #over = false;

  /** Begins with the connection. */
  constructor(limits: ConnectionLimits, clock: Clock, connection: LimitedConnection) {
    this.#limits = limits;
    this.#clock = clock;
    this.#connection = connection;
    this.#bytesAtFirst = connection.bytesRead;
    this.#idleSince = clock.now();
    this.#watchIdle(limits.idleTimeoutMs);
    if (limits.maxDurationMs > 0) this.#duration = clock.setTimer(() => this.#end(), limits.maxDurationMs);
  }

  /** A request begins. */
  onRequest(): void {
    if (++this.#requests === this.#limits.maxRequests) this.#connection.drain();
  }

  /** The last of its requests has ended. */
  onIdle(): void {
    this.#idleSince = this.#clock.now();
    if (this.#idle === undefined && !this.#over) this.#watchIdle(this.#limits.idleTimeoutMs);
  }

  /** It is gone. */
  close(): void {
    this.#over = true;
    this.#idle?.cancel();
    this.#duration?.cancel();
    this.#draining?.cancel();
  }

  #watchIdle(afterMs: number): void {
    if (this.#limits.idleTimeoutMs <= 0) return;
    this.#idle = this.#clock.setTimer(() => {
      this.#idle = undefined;
      if (this.#connection.active > 0) return; // Watched again when it is idle.
      const leftMs = this.#idleSince + this.#limits.idleTimeoutMs - this.#clock.now();
      if (leftMs > 0) this.#watchIdle(leftMs);
      else this.#end();
    }, afterMs);
  }

  /** As Envoy's drain sequence. A caller who has not said a word is not waited for. */
  #end(): void {
    if (this.#over || this.#draining !== undefined) return;
    const connection = this.#connection;
    const { bytesRead } = connection;
    if (this.#requests === 0 && bytesRead !== undefined && bytesRead === this.#bytesAtFirst) {
      connection.retire();
      return;
    }
    connection.drain();
    this.#draining = this.#clock.setTimer(() => {
      // A head is on its way: it has its own limits, and its response is the last one.
      if (connection.active > 0 || connection.bytesRead === bytesRead) connection.retire();
    }, this.#limits.drainTimeoutMs);
  }
}
