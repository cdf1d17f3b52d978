import type { Socket } from 'node:net';
import type { ConnectionOptions, ResourceCounter } from '@ripstop/core';
import { Client, type Dispatcher } from 'undici';
import { ConnectionGoneError } from './reset-reason.ts';

/** An idle timeout of 0 is none: the longest that a timer can wait. */
const NEVER_MS = 2 ** 31 - 1;
/**
 * A server that announces `Keep-Alive: timeout=5` (every Node server does) closes after 5 s of silence. The client closes this
 * much earlier, so that no request is written into a connection that is just being closed: such a reset is not retried under
 * Istio's default policy.
 */
const KEEP_ALIVE_MARGIN_MS = 1_000;
const DEFAULT_MAX_STREAMS = 1_024;

/** Who has to know that a connection is over. */
export interface ConnectionOwner {
  onClosed(connection: Connection): void;
}

export interface ConnectionInit {
  readonly owner: ConnectionOwner;
  readonly origin: string;
  readonly socket: Socket;
  readonly http2: boolean;
  readonly options: ConnectionOptions;
  /** Counter that this connection occupies; undefined when it was made above the limit (the first of its endpoint). */
  readonly counter: ResourceCounter | undefined;
  /** Identity generation of the handshake; undefined when no identity was used. */
  readonly generation: number | undefined;
  /** `Clock.now()` after which it takes no new request. */
  readonly retireAt: number;
  readonly onError: (error: Error) => void;
}

/** One socket to an endpoint with undici's HTTP codec on it. It is never reconnected: a lost connection is gone. */
export class Connection {
  readonly http2: boolean;
  readonly socket: Socket;
  readonly generation: number | undefined;
  readonly maxStreams: number;
  readonly counter: ResourceCounter | undefined;
  retireAt: number;
  /** Streams that hold it now. */
  active = 0;
  /** No new stream may take it; it closes when the last one ends. */
  closing = false;
  /** Kept by the pool: it stands in the list of connections with room. */
  ready = false;
  readonly #owner: ConnectionOwner;
  readonly #client: Client;
  readonly #maxRequests: number;
  #served = 0;
  #handedOver = false;

  constructor(init: ConnectionInit) {
    const { options } = init;
    this.#owner = init.owner;
    this.socket = init.socket;
    this.http2 = init.http2;
    this.generation = init.generation;
    this.counter = init.counter;
    this.retireAt = init.retireAt;
    this.maxStreams = init.http2 ? options.maxConcurrentStreams || DEFAULT_MAX_STREAMS : 1;
    this.#maxRequests = options.maxRequestsPerConnection || Number.POSITIVE_INFINITY;
    if (init.http2) (init.socket as { alpnProtocol?: string }).alpnProtocol = 'h2';
    const idleMs = options.idleTimeoutMs > 0 ? options.idleTimeoutMs : NEVER_MS;
    this.#client = new Client(init.origin, {
      connect: (_options, done) => this.#handOver(done),
      // Envoy's timers are kept by the attempt; undici's are rounded up to half seconds and more.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      h2Options: { maxConcurrentStreams: this.maxStreams },
    });
    this.#client.on('error' as 'drain', init.onError as never);
    init.socket.once('close', () => {
      this.closing = true;
      this.#owner.onClosed(this);
    });
  }

  get hasRoom(): boolean {
    return !this.closing && this.active < this.maxStreams;
  }

  /** `10.0.0.1:40000`. */
  get localAddress(): string {
    const { localAddress, localPort } = this.socket;
    if (localAddress === undefined) return '';
    return localAddress.includes(':') ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
  }

  /** Starts a stream on it; the caller has checked `hasRoom`. */
  occupy(): void {
    this.active++;
    if (++this.#served >= this.#maxRequests) this.closing = true;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /**
   * Whoever asked for it got another one meanwhile: it waits for the next request. undici reads the socket only once it has a
   * request, so until then the peer's closing (and anything it says unasked, which ends it) is watched here.
   */
  park(): void {
    this.socket.on('data', this.#endUnasked);
  }

  readonly #endUnasked = (): void => {
    this.socket.destroy();
  };

  /** Ends it when its last stream has ended. */
  retire(): void {
    this.closing = true;
    if (this.active === 0) this.#close();
  }

  /** Ends it now, with whatever runs on it. */
  destroy(): void {
    this.closing = true;
    this.#client.destroy(null, ignore);
    this.socket.destroy();
  }

  #close(): void {
    if (this.#handedOver) this.#client.close(ignore);
    else this.socket.destroy();
  }

  #handOver(done: (...result: [null, Socket] | [Error, null]) => void): void {
    if (this.#handedOver || this.socket.destroyed) {
      // undici would reconnect for a request that it holds: our socket is the only one, so the request goes elsewhere.
      this.closing = true;
      queueMicrotask(() => done(new ConnectionGoneError(), null));
      return;
    }
    this.#handedOver = true;
    if (this.socket.listenerCount('data') > 0) {
      this.socket.off('data', this.#endUnasked);
      this.socket.pause();
    }
    // Not at once: undici resumes its queue only when the answer comes after its own call returned.
    queueMicrotask(() => done(null, this.socket));
  }
}

function ignore(): void {}
