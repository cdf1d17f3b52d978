import grpc from '@grpc/grpc-js';
import type { Clock, Cluster, Endpoint, Lease, LiveAttempt, ResetReason, Timer } from '@ripstop/core';
import type { CallHead } from './call-head.ts';
import type { CallStream } from './call-stream.ts';
import type { EndpointChannel, ReadyWaiter } from './endpoint-channel.ts';
import type { EndpointChannels } from './endpoint-channels.ts';
import type { RequestMessages } from './request-messages.ts';

/** What an attempt asks of the call that it belongs to, and reports to it. */
export interface AttemptOwner {
  /** How its stream is opened. */
  attemptStart(): AttemptStart;
  /** Its stream is open; the connection may still be on its way. */
  onAttemptOpened(attempt: CallAttempt): void;
  /** There was no place for it among those who wait for a connection. */
  onAttemptOverflow(attempt: CallAttempt): void;
  /** Its connection stands. */
  onAttemptReady(attempt: CallAttempt): void;
  onAttemptConnectTimeout(attempt: CallAttempt): void;
  onAttemptMetadata(attempt: CallAttempt, metadata: grpc.Metadata): void;
  onAttemptMessage(attempt: CallAttempt, message: Buffer): void;
  onAttemptStatus(attempt: CallAttempt, status: grpc.StatusObject): void;
}

export interface AttemptStart {
  readonly head: CallHead;
  readonly deadline: grpc.Deadline;
  readonly credentials: grpc.CallCredentials | undefined;
}

/** Where an attempt goes, and what it sends. */
export interface AttemptInit {
  readonly lease: Lease;
  readonly cluster: Cluster;
  readonly channels: EndpointChannels;
  readonly channel: EndpointChannel;
  readonly messages: RequestMessages;
  readonly clock: Clock;
}

/**
 * One try at one endpoint. It holds a place in the connection's count and, while the connection is being made, one among the pending
 * requests; `end` gives back both exactly once and silences the stream. The lease is given back by whoever took it.
 */
export class CallAttempt implements LiveAttempt, grpc.InterceptingListener, ReadyWaiter {
  readonly lease: Lease;
  /** Headers of something that is not gRPC; its status decides what they were. */
  foreign: grpc.Metadata | undefined;
  readonly #init: AttemptInit;
  #owner: AttemptOwner | undefined;
  #call: CallStream | undefined;
  #connectTimer: Timer | undefined;
  #pending = false;
  #finished = false;

  constructor(owner: AttemptOwner, init: AttemptInit) {
    this.#owner = owner;
    this.#init = init;
    this.lease = init.lease;
    init.channel.take();
  }

  get endpoint(): Endpoint {
    return this.lease.endpoint;
  }

  get connecting(): boolean {
    return this.#pending;
  }

  start(): void {
    const owner = this.#owner!;
    const { channel, messages } = this.#init;
    if (!channel.ready && !this.#waitForConnection()) {
      owner.onAttemptOverflow(this);
      return;
    }
    const { head, deadline, credentials } = owner.attemptStart();
    const call = channel.channel.createCall(head.path, deadline, head.authority, null, grpc.propagate.DEFAULTS);
    if (credentials !== undefined) call.setCredentials(credentials);
    this.#call = call;
    call.start(head.metadata, this);
    messages.attach(call);
    owner.onAttemptOpened(this);
  }

  reset(): void {
    this.end();
  }

  startRead(): void {
    this.#call?.startRead();
  }

  getPeer(): string {
    return this.#call?.getPeer() ?? this.endpoint.key;
  }

  getAuthContext(): ReturnType<CallStream['getAuthContext']> {
    return this.#call?.getAuthContext() ?? null;
  }

  /** Nothing more is reported; a stream that still runs is cancelled. A connection that could not be made is forgotten. */
  end(failure?: ResetReason): void {
    if (this.#owner === undefined) return;
    this.#owner = undefined;
    this.#stopPending();
    const { channels, channel, messages } = this.#init;
    if (this.#call !== undefined) messages.detach(this.#call);
    if (failure !== undefined && isConnectReset(failure)) channels.drop(this.endpoint, channel);
    if (!this.#finished) this.#call?.cancelWithStatus(grpc.status.CANCELLED, 'ended by the mesh');
    channel.give();
  }

  onReady(): void {
    this.#stopPending();
    this.#owner?.onAttemptReady(this);
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.#owner?.onAttemptMetadata(this, metadata);
  }

  onReceiveMessage(message: Buffer): void {
    this.#owner?.onAttemptMessage(this, message);
  }

  onReceiveStatus(status: grpc.StatusObject): void {
    this.#finished = true;
    this.#owner?.onAttemptStatus(this, status);
  }

  #waitForConnection(): boolean {
    const { cluster, channel, clock } = this.#init;
    if (!this.lease.resources.pending.tryTake()) return false;
    this.#pending = true;
    channel.awaitReady(this);
    const { connectTimeoutMs } = cluster.connection;
    if (connectTimeoutMs > 0) this.#connectTimer = clock.setTimer(() => this.#owner?.onAttemptConnectTimeout(this), connectTimeoutMs);
    return true;
  }

  #stopPending(): void {
    if (!this.#pending) return;
    this.#pending = false;
    this.#connectTimer?.cancel();
    this.#init.channel.stopWaiting(this);
    this.lease.resources.pending.give();
  }
}

function isConnectReset(reason: ResetReason): boolean {
  return reason === 'connect-failure' || reason === 'connect-timeout' || reason === 'tls-failure';
}
