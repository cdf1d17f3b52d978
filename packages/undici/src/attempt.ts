import type { Socket } from 'node:net';
import type { Cluster, Lease, LiveAttempt } from '@ripstop/core';
import type { Dispatcher } from 'undici';
import type { Connection } from './connection.ts';
import type { ConnectionTaker, EndpointPool } from './endpoint-pool.ts';
import { type ConnectError, ConnectionGoneError, REFUSED_AGAIN } from './reset-reason.ts';
import type { ResponseHeaders } from './response-head.ts';

/** A response that a retry replaces is read to its end up to this size, so that its connection can be used again. */
const DRAIN_LIMIT_BYTES = 16_384;

/** What an attempt reports to the exchange that it belongs to. */
export interface AttemptOwner {
  /** The request may be written now. */
  attemptOptions(attempt: Attempt): Dispatcher.DispatchOptions;
  onAttemptSent(attempt: Attempt): void;
  onAttemptBodyChunk(chunk: Buffer): void;
  onAttemptHead(attempt: Attempt, status: number, headers: ResponseHeaders, statusText: string | undefined): void;
  onAttemptChunk(chunk: Buffer): void;
  onAttemptEnd(attempt: Attempt, trailers: ResponseHeaders): void;
  onAttemptUpgrade(attempt: Attempt, status: number, headers: ResponseHeaders, socket: UpgradedSocket): void;
  onAttemptOverflow(attempt: Attempt): void;
  onAttemptError(attempt: Attempt, error: Error): void;
}

export type UpgradedSocket = Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>[3];

/** One try at one endpoint: takes a connection, is undici's handler for the stream, and goes silent once it is detached. */
export class Attempt implements LiveAttempt, Dispatcher.DispatchHandler, ConnectionTaker {
  readonly lease: Lease;
  /** undici's controller while the stream runs. */
  controller: Dispatcher.DispatchController | undefined = undefined;
  #owner: AttemptOwner | undefined;
  readonly #pool: EndpointPool;
  readonly #cluster: Cluster;
  #connection: Connection | undefined = undefined;
  #waiting = false;
  #drainedBytes = 0;
  #http2 = false;

  constructor(owner: AttemptOwner, lease: Lease, pool: EndpointPool, cluster: Cluster) {
    this.#owner = owner;
    this.lease = lease;
    this.#pool = pool;
    this.#cluster = cluster;
  }

  start(): void {
    const taken = this.#pool.take(this, this.#cluster);
    if (taken === 'pending') this.#waiting = true;
    else if (taken === 'overflow') this.#owner?.onAttemptOverflow(this);
    else this.onConnection(taken);
  }

  reset(): void {
    this.detach(false);
  }

  /** Of the connection that it runs on; '' without one. */
  get localAddress(): string {
    return this.#connection?.localAddress ?? '';
  }

  /** What it is written to over HTTP/1. */
  get http1Socket(): Socket | undefined {
    return this.#http2 ? undefined : this.#connection?.socket;
  }

  /** Its stream is one of HTTP/2. */
  get http2(): boolean {
    return this.#http2;
  }

  /** Nothing more is reported. The stream is reset, or, with `drain`, read to its end when that is little. */
  detach(drain: boolean): void {
    this.#owner = undefined;
    if (this.#waiting) {
      this.#waiting = false;
      this.#pool.giveUp(this);
    } else if (!drain) {
      // Without a controller the request stands in undici's queue: onRequestStart ends it.
      this.controller?.abort(ABORTED);
    }
  }

  /** The connection serves no further request (the peer said so). */
  closeConnection(): void {
    if (this.#connection !== undefined) this.#connection.closing = true;
  }

  onConnection(connection: Connection): void {
    this.#waiting = false;
    this.#connection = connection;
    this.#http2 = connection.http2;
    const owner = this.#owner;
    if (owner === undefined) this.#free(true);
    else connection.dispatch(owner.attemptOptions(this), this);
  }

  onConnectionFailure(failure: ConnectError): void {
    this.#waiting = false;
    this.#owner?.onAttemptError(this, failure);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const again = this.controller !== undefined;
    this.controller = controller;
    if (this.#owner === undefined) controller.abort(ABORTED);
    // undici sends a stream that the peer refused once more by itself, on the same connection and uncounted.
    else if (again) controller.abort(REFUSED_AGAIN);
  }

  onBodySent(chunk: Buffer): void {
    this.#owner?.onAttemptBodyChunk(chunk);
  }

  onRequestSent(): void {
    this.#owner?.onAttemptSent(this);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders, statusText?: string): void {
    this.#owner?.onAttemptHead(this, status, headers, statusText);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#owner !== undefined) {
      this.#owner.onAttemptChunk(chunk);
      return;
    }
    this.#drainedBytes += chunk.length;
    if (this.#drainedBytes > DRAIN_LIMIT_BYTES) controller.abort(ABORTED);
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: ResponseHeaders): void {
    this.#free(true);
    this.#owner?.onAttemptEnd(this, trailers);
    this.#letGo();
  }

  onRequestUpgrade(_controller: Dispatcher.DispatchController, status: number, headers: ResponseHeaders, socket: UpgradedSocket): void {
    const owner = this.#owner;
    this.closeConnection();
    if (owner === undefined) socket.destroy();
    else owner.onAttemptUpgrade(this, status, headers, socket);
    socket.once('close', () => this.#free(false));
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#free(false);
    const owner = this.#owner;
    if (owner === undefined) return;
    // Nothing was written: as in Envoy, where a closed connection is never given to a stream, this is no failed attempt.
    if (error instanceof ConnectionGoneError && this.controller === undefined) {
      this.start();
      return;
    }
    owner.onAttemptError(this, error);
    this.#letGo();
  }

  /**
   * undici's objects of a finished request point at those of younger ones. Whatever of them V8 has moved to its old generation keeps
   * all that hang on to it until the next full collection, so the chain is cut here: without, a third of everything was promoted.
   */
  #letGo(): void {
    this.#owner = undefined;
    this.controller = undefined;
  }

  #free(reusable: boolean): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    this.#pool.release(connection, reusable);
  }
}

/** One error for every reset of our own making: nobody reads it, and a stack would cost microseconds. */
const ABORTED: Error = Object.assign(new Error('reset by the mesh'), { code: 'UND_ERR_ABORTED' });
