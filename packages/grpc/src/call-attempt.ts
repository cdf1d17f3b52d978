import grpc from '@grpc/grpc-js';
import type { AttemptOutcome, Cluster, Endpoint, Lease, ResetReason } from '@ripstop/core';
import type { CallHead } from './call-head.ts';
import type { CallStream } from './call-stream.ts';
import type { EndpointChannel, ReadyWaiter } from './endpoint-channel.ts';
import type { EndpointChannels } from './endpoint-channels.ts';

/** What an attempt reports to the call that it belongs to. */
export interface AttemptOwner {
  /** Its connection stands. */
  onAttemptReady(): void;
  onAttemptMetadata(metadata: grpc.Metadata): void;
  onAttemptMessage(message: Buffer): void;
  onAttemptStatus(status: grpc.StatusObject): void;
}

/** How an attempt's stream is opened. */
export interface AttemptStart {
  readonly head: CallHead;
  readonly deadline: grpc.Deadline;
  readonly credentials: grpc.CallCredentials | undefined;
}

/**
 * One try at one endpoint. It holds the lease, a place in the connection's count and, while the connection is being made, one among
 * the pending requests; `end` gives back all of them exactly once and silences the stream.
 */
export class CallAttempt implements grpc.InterceptingListener, ReadyWaiter {
  readonly startedAt: number;
  #owner: AttemptOwner | undefined;
  readonly #lease: Lease;
  readonly #cluster: Cluster;
  readonly #channels: EndpointChannels;
  readonly #channel: EndpointChannel;
  #call: CallStream | undefined;
  #pending = false;
  #finished = false;

  constructor(
    owner: AttemptOwner,
    lease: Lease,
    cluster: Cluster,
    channels: EndpointChannels,
    channel: EndpointChannel,
    startedAt: number,
  ) {
    this.#owner = owner;
    this.#lease = lease;
    this.#cluster = cluster;
    this.#channels = channels;
    this.#channel = channel;
    this.startedAt = startedAt;
    channel.take();
  }

  get endpoint(): Endpoint {
    return this.#lease.endpoint;
  }

  /** Takes a place among the pending requests unless the connection stands. False: the breaker is open, nothing was taken. */
  admit(): boolean {
    if (this.#channel.ready) return true;
    if (!this.#cluster.resources.pending.tryTake()) return false;
    this.#pending = true;
    this.#channel.awaitReady(this);
    return true;
  }

  get connecting(): boolean {
    return this.#pending;
  }

  /** Opens the stream; the caller sends the request to what this answers. */
  start({ head, deadline, credentials }: AttemptStart): CallStream {
    const call = this.#channel.channel.createCall(head.path, deadline, head.authority, null, grpc.propagate.DEFAULTS);
    if (credentials !== undefined) call.setCredentials(credentials);
    this.#call = call;
    call.start(head.metadata, this);
    return call;
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

  /** Nothing more is reported; a stream that still runs is cancelled. */
  end(outcome: AttemptOutcome): void {
    if (this.#owner === undefined) return;
    this.#owner = undefined;
    this.#stopPending();
    this.#lease.release(outcome);
    if (outcome.kind === 'reset' && isConnectReset(outcome.reason)) this.#channels.drop(this.endpoint, this.#channel);
    if (!this.#finished) this.#call?.cancelWithStatus(grpc.status.CANCELLED, 'ended by the mesh');
    this.#channel.give();
  }

  onReady(): void {
    this.#stopPending();
    this.#owner?.onAttemptReady();
  }

  onReceiveMetadata(metadata: grpc.Metadata): void {
    this.#owner?.onAttemptMetadata(metadata);
  }

  onReceiveMessage(message: Buffer): void {
    this.#owner?.onAttemptMessage(message);
  }

  onReceiveStatus(status: grpc.StatusObject): void {
    this.#finished = true;
    this.#owner?.onAttemptStatus(status);
  }

  #stopPending(): void {
    if (!this.#pending) return;
    this.#pending = false;
    this.#channel.stopWaiting(this);
    this.#cluster.resources.pending.give();
  }
}

function isConnectReset(reason: ResetReason): boolean {
  return reason === 'connect-failure' || reason === 'connect-timeout' || reason === 'tls-failure';
}
