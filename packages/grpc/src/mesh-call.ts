import { AsyncResource } from 'node:async_hooks';
import grpc from '@grpc/grpc-js';
import {
  type AttemptDriver,
  type BodyStart,
  bodyIdleMs,
  type Exchange,
  ExchangeWalk,
  type Lease,
  type LiveAttempt,
  type LocalReply,
  type RequestBody,
  type ResetReason,
  ResponseFlag,
  streamIdleReply,
  type Timer,
} from '@ripstop/core';
import { AnswerHead } from './answer-head.ts';
import { type AttemptOwner, type AttemptStart, CallAttempt } from './call-attempt.ts';
import { CallBody } from './call-body.ts';
import { attemptDeadline, type CallEnvironment, type CallInit, callExchange } from './call-environment.ts';
import type { CallHead } from './call-head.ts';
import type { CallStream, MessageContext } from './call-stream.ts';
import { localStatus, respondLocally } from './local-status.ts';
import { metadataText } from './metadata-text.ts';
import { type MirrorCall, startMirrors } from './mirror-call.ts';
import { FRAME_BYTES, RequestMessages } from './request-messages.ts';
import { isUnresolved, NAME_NOT_FOUND, originOfStatus, originOfTrailers } from './status-origin.ts';

/** The longest delay that a Node timer takes; beyond it there is no timer. */
const LONGEST_TIMER_MS = 2_147_483_647;

/**
 * One call of the app from its start to its status. The walk decides; here messages go from the app to the attempt and back. It is
 * what the app's client holds, whichever attempt runs. Everything refused becomes a status. What the app's listener is told runs in
 * the context in which the app made the call.
 */
export class MeshCall extends AsyncResource implements CallStream, AttemptDriver, AttemptOwner, RequestBody {
  readonly #env: CallEnvironment;
  readonly #init: CallInit;
  readonly #callNumber: number;
  readonly #messages = new RequestMessages();
  #credentials: grpc.CallCredentials | undefined;
  #listener: grpc.InterceptingListener | undefined;
  #walk: ExchangeWalk | undefined;
  /** The one whose messages come and go. */
  #attempt: CallAttempt | undefined;
  #deadlineTimer: Timer | undefined;
  /** Of filters that look at messages. */
  #body: CallBody | undefined;
  #mirrors: readonly MirrorCall[] = [];
  #forwarding = false;
  #readWanted = false;
  #done = false;
  #earlyStatus: grpc.StatusObject | undefined;

  constructor(env: CallEnvironment, init: CallInit) {
    super('RipstopGrpcCall');
    this.#env = env;
    this.#init = init;
    this.#credentials = init.credentials;
    this.#callNumber = env.nextCallNumber++;
  }

  // ── the app's side ──

  start(metadata: grpc.Metadata, listener: grpc.InterceptingListener): void {
    this.#listener = listener;
    if (this.#earlyStatus !== undefined) {
      this.#deliverLater(this.#earlyStatus);
      return;
    }
    const snapshot = this.#env.parts.snapshots.current;
    if (snapshot === undefined) {
      this.#done = true;
      this.#deliverLater(
        ownStatus(grpc.status.UNAVAILABLE, 'the mesh has no configuration yet; await mesh.ready() first [RIPSTOP_NOT_READY]'),
      );
      return;
    }
    const x = callExchange(this.#env.walk, this.#init, snapshot, metadata);
    x.body = this;
    this.#walk = new ExchangeWalk(this.#env.walk, x, this);
    this.#startDeadline(x);
    this.#env.walk.telemetry.onStart(x);
    this.#walk.begin();
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    if (this.#walk !== undefined) {
      this.#walk.requestBytes += message.length + FRAME_BYTES;
      this.#walk.touch();
    }
    for (const mirror of this.#mirrors) mirror.send(context.flags, message);
    this.#messages.push(context, message);
    this.#body?.onMore();
  }

  halfClose(): void {
    this.#messages.halfClose();
    this.#body?.onMore();
    for (const mirror of this.#mirrors) mirror.halfClose();
    if (!this.#forwarding || this.#done) return;
    const walk = this.#walk!;
    walk.startRouteTimeout(this.#env.walk.clock.now());
    if (this.#attempt?.connecting === false) walk.startTry(this.#attempt);
  }

  startRead(): void {
    this.#readWanted = true;
    this.#attempt?.startRead();
  }

  cancelWithStatus(code: grpc.status, details: string): void {
    if (!this.#done) this.#abandon(ownStatus(code, details));
  }

  setCredentials(credentials: grpc.CallCredentials): void {
    this.#credentials = this.#credentials === undefined ? credentials : this.#credentials.compose(credentials);
  }

  getPeer(): string {
    return this.#attempt?.getPeer() ?? this.#init.authority;
  }

  getCallNumber(): number {
    return this.#callNumber;
  }

  getAuthContext(): ReturnType<CallStream['getAuthContext']> {
    return this.#attempt?.getAuthContext() ?? null;
  }

  // ── filters that look at messages ──

  read(bytes: number): Promise<BodyStart | undefined> {
    const walk = this.#walk!;
    this.#body ??= new CallBody(this.#messages, {
      clock: this.#env.walk.clock,
      idleMs: bodyIdleMs(walk.x),
      onIdle: () => walk.onRefused(streamIdleReply(false)),
    });
    return this.#body.read(bytes);
  }

  // ── what the walk asks for ──

  get replayable(): boolean {
    return this.#messages.replayable;
  }

  get requestComplete(): boolean {
    return this.#messages.complete;
  }

  onRouted(now: number): void {
    const walk = this.#walk!;
    const { action, x } = walk;
    this.#forwarding = true;
    if (action.retry === undefined) this.#messages.commit();
    else this.#messages.limit(action.bufferLimitBytes);
    // Before the first attempt: messages that wait already go to both.
    if (action.mirrors.length > 0) this.#mirrors = startMirrors(this.#env, x, action, this.#init.options, this.#messages);
    // The route's timeout runs from the end of the request, as Envoy's: a stream that the app keeps open has none.
    walk.forward(now, this.#messages.complete);
  }

  createAttempt(lease: Lease): LiveAttempt {
    const { channels, walk } = this.#env;
    const { x } = this.#walk!;
    const { cluster } = lease;
    const channel = channels.of(lease, cluster, x.request.authority, this.#init.options);
    this.#attempt = new CallAttempt(this, { lease, cluster, channels, channel, messages: this.#messages, clock: walk.clock });
    return this.#attempt;
  }

  onReply(reply: LocalReply): void {
    const status = respondLocally(this.#walk!.x, reply, this.#env.walk.pipeline);
    this.#finish(200, status.code);
    this.#deliverLater(status);
  }

  /** After response headers only the status is left to say it. */
  onBreak(reply: LocalReply | undefined, cause: unknown): void {
    const status = reply === undefined ? statusOf(cause as grpc.StatusObject | Error) : localStatus(reply);
    this.#finish(200, status.code);
    this.#deliver(status);
  }

  onFilterError(error: Error): void {
    this.#env.parts.log?.(`outbound call ${this.#init.method}: ${error.message}`);
  }

  // ── what the attempt reports ──

  attemptStart(): AttemptStart {
    const { x } = this.#walk!;
    return { head: x.request as CallHead, deadline: attemptDeadline(x, this.#init.deadline), credentials: this.#credentials };
  }

  onAttemptOpened(attempt: CallAttempt): void {
    if (!attempt.connecting) this.onAttemptReady(attempt);
    if (this.#readWanted) attempt.startRead();
  }

  onAttemptReady(attempt: CallAttempt): void {
    this.#walk!.startStream(attempt);
    if (this.#messages.complete) this.#walk!.startTry(attempt);
  }

  onAttemptOverflow(attempt: CallAttempt): void {
    attempt.end();
    this.#walk!.onOverflow(attempt);
  }

  onAttemptConnectTimeout(attempt: CallAttempt): void {
    this.#onReset(attempt, 'connect-timeout', '', undefined);
  }

  onAttemptMetadata(attempt: CallAttempt, metadata: grpc.Metadata): void {
    const contentType = metadata.get('content-type')[0];
    if (typeof contentType === 'string' && !contentType.startsWith('application/grpc')) {
      attempt.foreign = metadata;
      attempt.startRead();
      return;
    }
    const walk = this.#walk!;
    if (!walk.onHead(attempt, new AnswerHead(200, metadata, undefined), undefined)) {
      attempt.end();
      return;
    }
    this.#attempt = attempt;
    this.#messages.commit();
    this.runInAsyncScope(this.#listener!.onReceiveMetadata, this.#listener, metadata);
  }

  onAttemptMessage(attempt: CallAttempt, message: Buffer): void {
    if (attempt.foreign !== undefined) {
      attempt.startRead();
      return;
    }
    this.#readWanted = false;
    const walk = this.#walk!;
    walk.responseBytes += message.length + FRAME_BYTES;
    walk.touch();
    this.runInAsyncScope(this.#listener!.onReceiveMessage, this.#listener, message);
  }

  onAttemptStatus(attempt: CallAttempt, status: grpc.StatusObject): void {
    const walk = this.#walk!;
    if (!walk.committed && walk.x.cluster?.kind === 'dynamic_forward_proxy' && isUnresolved(status)) {
      walk.onUnresolved(attempt, NAME_NOT_FOUND);
      return;
    }
    const origin = walk.committed ? originOfTrailers(status) : originOfStatus(status);
    if (origin.kind === 'reset') this.#onReset(attempt, origin.reason, origin.transportFailure, status);
    else if (origin.kind === 'local') this.#onOwnStatus(status);
    else this.#onAnswer(attempt, origin.kind === 'http' ? origin.httpStatus : 200, status, origin.kind === 'answer');
  }

  /** The server's answer, or the trailers that end one. */
  #onAnswer(attempt: CallAttempt, httpStatus: number, status: grpc.StatusObject, isGrpc: boolean): void {
    const walk = this.#walk!;
    if (!walk.committed) {
      if (attempt.foreign !== undefined) status.metadata.merge(attempt.foreign);
      // Envoy looks for grpc-status in headers only: trailers after a response are neither retried nor held against the endpoint.
      const grpcStatus = isGrpc ? status.code : undefined;
      if (!walk.onHead(attempt, new AnswerHead(httpStatus, status.metadata, grpcStatus), grpcStatus)) {
        attempt.end();
        return;
      }
    }
    if (attempt.lease.wantsLoad) attempt.lease.reportLoad((name) => metadataText(status.metadata, name));
    walk.onEnd(attempt);
    attempt.end();
    this.#finish(httpStatus, status.code);
    this.#deliver(status);
  }

  #onReset(attempt: CallAttempt, reason: ResetReason, transportFailure: string, status: grpc.StatusObject | undefined): void {
    attempt.end(reason);
    const walk = this.#walk!;
    if (!walk.committed) walk.x.transportFailure = transportFailure;
    walk.onReset(attempt, reason, status);
  }

  /** grpc-js ended the call itself: the app's deadline, or a message or credentials that it could not handle. */
  #onOwnStatus(status: grpc.StatusObject): void {
    if (status.code === grpc.status.DEADLINE_EXCEEDED) {
      this.#abandon(status);
      return;
    }
    const walk = this.#walk!;
    walk.drop({ kind: 'cancelled' });
    walk.x.flags |= ResponseFlag.LocalReset;
    this.#finish(0, status.code);
    this.#deliver(status);
  }

  // ── beginning and end ──

  #startDeadline(x: Exchange): void {
    const { deadline } = this.#init;
    const { clock } = this.#env.walk;
    const leftMs = Number(deadline) - clock.wallTime();
    if (leftMs === Number.POSITIVE_INFINITY) return;
    x.deadline = x.startedAt + leftMs;
    // grpc-js writes `grpc-timeout` when a stream starts, whatever the app wrote there; routes look for it before.
    x.request.removeHeader('grpc-timeout');
    x.grpcTimeoutMs = Math.max(0, Math.ceil(leftMs));
    if (leftMs > LONGEST_TIMER_MS) return;
    const expire = (): void => {
      const elapsed = ((clock.now() - x.startedAt) / 1000).toFixed(3);
      if (!this.#done) this.#abandon(ownStatus(grpc.status.DEADLINE_EXCEEDED, `Deadline exceeded after ${elapsed}s`));
    };
    this.#deadlineTimer = clock.setTimer(expire, Math.max(0, leftMs));
  }

  /** The app has no further interest: it cancelled, or its deadline passed. Says nothing about the endpoint. */
  #abandon(status: grpc.StatusObject): void {
    const walk = this.#walk;
    if (walk === undefined) {
      this.#done = true;
      this.#earlyStatus = status;
      return;
    }
    walk.cancel();
    this.#finish(walk.committed ? 200 : 0, status.code);
    this.#deliverLater(status);
  }

  #finish(status: number, grpcStatus: number): void {
    this.#done = true;
    this.#attempt = undefined;
    this.#deadlineTimer?.cancel();
    this.#body?.end();
    this.#messages.close();
    for (const mirror of this.#mirrors) mirror.halfClose();
    const walk = this.#walk!;
    walk.grpcStatus = grpcStatus;
    walk.finish(status);
  }

  #deliver(status: grpc.StatusObject): void {
    this.runInAsyncScope(this.#listener!.onReceiveStatus, this.#listener, status);
  }

  /** Not within a call of the app's: its handlers may not be in place yet. */
  #deliverLater(status: grpc.StatusObject): void {
    process.nextTick(() => this.#deliver(status));
  }
}

function ownStatus(code: grpc.status, details: string): grpc.StatusObject {
  return { code, details, metadata: new grpc.Metadata() };
}

/** What a driver of ours reports is a status; anything else is a defect, whose words are for the log. */
function statusOf(cause: grpc.StatusObject | Error): grpc.StatusObject {
  return cause instanceof Error ? ownStatus(grpc.status.INTERNAL, 'the mesh failed') : cause;
}
