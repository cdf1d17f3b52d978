import { AsyncResource } from 'node:async_hooks';
import grpc from '@grpc/grpc-js';
import {
  type AttemptOutcome,
  type Endpoint,
  Exchange,
  type ForwardAction,
  isLease,
  type LocalReply,
  localReply,
  maxDurationReply,
  NO_PEER,
  overflowReply,
  type ResetReason,
  ResponseFlag,
  RetryState,
  resetFlag,
  resetReply,
  type Snapshot,
  streamIdleReply,
} from '@ripstop/core';
import { AnswerHead } from './answer-head.ts';
import { type AttemptOwner, CallAttempt } from './call-attempt.ts';
import { CallHead } from './call-head.ts';
import type { CallStream, MessageContext } from './call-stream.ts';
import { type CallTimeout, CallTimers, type TimeoutOwner } from './call-timers.ts';
import type { ClientOptions, EndpointChannels } from './endpoint-channels.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { localStatus } from './local-status.ts';
import { type MirrorCall, startMirrors } from './mirror-call.ts';
import type { ProcessHold } from './process-hold.ts';
import { RequestMessages } from './request-messages.ts';
import { originOfStatus, originOfTrailers } from './status-origin.ts';

/** What every call of a mesh's clients shares. */
export interface CallEnvironment {
  readonly parts: GrpcParts;
  readonly channels: EndpointChannels;
  readonly hold: ProcessHold;
  nextCallNumber: number;
}

/** What the app asked for. */
export interface CallInit {
  readonly authority: string;
  /** Destination port: selects the listener. */
  readonly port: number;
  /** `/package.Service/Method`. */
  readonly method: string;
  readonly deadline: grpc.Deadline;
  readonly credentials: grpc.CallCredentials | undefined;
  readonly options: ClientOptions;
}

const CANCELLED: AttemptOutcome = { kind: 'cancelled' };
/** Length-prefixed message: one byte of flags, four of length. */
const FRAME_BYTES = 5;

/**
 * One call of the app from its start to its status: the attempt loop, as the HTTP driver's. It is what the app's client holds, whichever
 * attempt runs. Everything refused becomes a status. What the app's listener is told runs in the context in which the app made the call.
 */
export class MeshCall extends AsyncResource implements CallStream, AttemptOwner, TimeoutOwner {
  readonly #env: CallEnvironment;
  readonly #init: CallInit;
  readonly #callNumber: number;
  readonly #timers: CallTimers;
  #credentials: grpc.CallCredentials | undefined;
  readonly #messages = new RequestMessages();
  #listener: grpc.InterceptingListener | undefined;
  #x: Exchange | undefined;
  #attempt: CallAttempt | undefined;
  #retry: RetryState | undefined;
  #tried: Endpoint[] | undefined;
  #mirrors: readonly MirrorCall[] = [];
  /** Response headers have gone to the app: no other attempt. */
  #committed = false;
  #forwarding = false;
  #backingOff = false;
  #readWanted = false;
  #done = false;
  #earlyStatus: grpc.StatusObject | undefined;
  /** Headers of something that is not gRPC; its status decides what they were. */
  #foreign: grpc.Metadata | undefined;
  #requestBytes = 0;
  #responseBytes = 0;

  constructor(env: CallEnvironment, init: CallInit) {
    super('RipstopGrpcCall');
    this.#env = env;
    this.#init = init;
    this.#credentials = init.credentials;
    this.#callNumber = env.nextCallNumber++;
    this.#timers = new CallTimers(env.parts.clock, this);
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
    this.#begin(this.#createExchange(snapshot, metadata));
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    this.#requestBytes += message.length + FRAME_BYTES;
    this.#timers.touch();
    for (const mirror of this.#mirrors) mirror.send(context.flags, message);
    this.#messages.push(context, message);
  }

  halfClose(): void {
    this.#messages.halfClose();
    for (const mirror of this.#mirrors) mirror.halfClose();
    if (this.#forwarding) this.#onRequestComplete();
  }

  startRead(): void {
    this.#readWanted = true;
    this.#attempt?.startRead();
  }

  cancelWithStatus(code: grpc.status, details: string): void {
    if (this.#done) return;
    this.#abandon(ownStatus(code, details));
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

  // ── what the attempt reports ──

  onAttemptReady(): void {
    this.#timers.stop('connect-timeout');
    if (this.#messages.complete) this.#startTry();
  }

  onAttemptMetadata(metadata: grpc.Metadata): void {
    const contentType = metadata.get('content-type')[0];
    if (typeof contentType === 'string' && !contentType.startsWith('application/grpc')) {
      this.#foreign = metadata;
      this.#attempt!.startRead();
      return;
    }
    this.#commit();
    this.#env.parts.pipeline.respond(this.#x!, new AnswerHead(200, metadata, undefined));
    this.runInAsyncScope(this.#listener!.onReceiveMetadata, this.#listener, metadata);
  }

  onAttemptMessage(message: Buffer): void {
    if (this.#foreign !== undefined) {
      this.#attempt!.startRead();
      return;
    }
    this.#readWanted = false;
    this.#responseBytes += message.length + FRAME_BYTES;
    this.#timers.touch();
    this.runInAsyncScope(this.#listener!.onReceiveMessage, this.#listener, message);
  }

  onAttemptStatus(status: grpc.StatusObject): void {
    const origin = this.#committed ? originOfTrailers(status) : originOfStatus(status);
    if (origin.kind === 'reset') this.#onReset(origin.reason, origin.transportFailure, status);
    else if (origin.kind === 'local') this.#onOwnStatus(status);
    else this.#onAnswer(origin.kind === 'http' ? origin.httpStatus : 200, status, origin.kind === 'answer');
  }

  // ── the loop ──

  #createExchange(snapshot: Snapshot, metadata: grpc.Metadata): Exchange {
    const { clock, telemetry } = this.#env.parts;
    const { authority, port, method } = this.#init;
    return new Exchange({
      direction: 'outbound',
      protocol: 'grpc',
      request: new CallHead('http', authority, method, metadata.clone()),
      snapshot,
      manager: snapshot.outbound.forPort(port) ?? snapshot.outbound.catchAll,
      peer: NO_PEER,
      port,
      startedAt: clock.now(),
      parent: telemetry.current(),
    });
  }

  #begin(x: Exchange): void {
    this.#x = x;
    const { telemetry, pipeline } = this.#env.parts;
    this.#startDeadline(x);
    let verdict: LocalReply | undefined | Promise<LocalReply | undefined>;
    try {
      telemetry.onStart(x);
      verdict = pipeline.begin(x);
    } catch (error) {
      this.#filterFailed(error);
      return;
    }
    if (verdict === undefined) this.#forward();
    else if (verdict instanceof Promise) this.#beginLater(verdict);
    else this.#reply(verdict);
  }

  #beginLater(verdict: Promise<LocalReply | undefined>): void {
    const { hold } = this.#env;
    hold.take();
    verdict
      .finally(() => hold.give())
      .then((reply) => {
        if (this.#done) return;
        if (reply === undefined) this.#forward();
        else this.#reply(reply);
      })
      .catch((error: unknown) => this.#filterFailed(error));
  }

  #filterFailed(error: unknown): void {
    this.#env.parts.log?.(`outbound call ${this.#init.method}: ${error instanceof Error ? error.message : String(error)}`);
    if (!this.#done) this.#reply(localReply({ status: 500, details: 'ripstop_filter_failed', body: 'a filter of the mesh failed' }));
  }

  #forward(): void {
    const x = this.#x!;
    const action = this.#action;
    this.#forwarding = true;
    if (action.retry === undefined) this.#messages.commit();
    else {
      this.#messages.limit(action.bufferLimitBytes);
      this.#retry = new RetryState(action.retry, x, x.cluster!, this.#env.parts.random, this.#env.parts.clock);
    }
    const idleMs = action.idleTimeoutMs > 0 ? action.idleTimeoutMs : x.manager.streamIdleTimeoutMs;
    if (idleMs > 0) this.#timers.startIdle('idle', idleMs);
    if (action.maxStreamDurationMs > 0) this.#timers.start('max-duration', action.maxStreamDurationMs);
    // Before the first attempt: messages that wait already go to both.
    if (action.mirrors.length > 0) this.#mirrors = startMirrors(this.#env, x, action, this.#init.options, this.#messages);
    this.#try();
    if (this.#messages.complete) this.#onRequestComplete();
  }

  get #action(): ForwardAction {
    return this.#x!.route!.action as ForwardAction;
  }

  /** The route's timeout runs from the end of the request, as Envoy's: a stream that the app keeps open has none. */
  #onRequestComplete(): void {
    if (this.#done) return;
    const { timeoutMs } = this.#action;
    if (timeoutMs > 0) {
      this.#timers.start('global-timeout', timeoutMs);
      this.#x!.deadline = Math.min(this.#x!.deadline, this.#env.parts.clock.now() + timeoutMs);
    }
    if (this.#attempt?.connecting === false && !this.#committed) this.#startTry();
  }

  #try(): void {
    const x = this.#x!;
    const { clock, pipeline } = this.#env.parts;
    const cluster = x.cluster!;
    x.attempt++;
    x.transportFailure = '';
    const policy = this.#tried === undefined ? undefined : this.#action.retry;
    const leased = cluster.acquire(
      x,
      policy && {
        avoid: policy.avoidPreviousHosts ? this.#tried : undefined,
        maxSelectionAttempts: policy.hostSelectionMaxAttempts,
        tried: this.#tried,
        previousPrioritiesFrequency: policy.previousPrioritiesFrequency,
      },
    );
    if (!isLease(leased)) {
      this.#reply(leased);
      return;
    }
    const { endpoint } = leased;
    x.endpoint = endpoint;
    const security = endpoint.transport.kind === 'tls' ? 'mutual TLS' : 'plaintext';
    x.decision?.add('endpoint', `${endpoint.key}, attempt ${x.attempt}, ${security}`, cluster.source);
    pipeline.beforeAttempt(x);
    const channel = this.#env.channels.of(endpoint, cluster, x.request.authority, this.#init.options);
    const attempt = new CallAttempt(this, leased, cluster, this.#env.channels, channel, clock.now());
    this.#attempt = attempt;
    if (!attempt.admit()) {
      this.#dropAttempt({ kind: 'reset', reason: 'overflow' });
      x.endpoint = undefined;
      this.#reply(overflowReply(x.attempt));
      return;
    }
    const call = attempt.start({ head: x.request as CallHead, deadline: this.#init.deadline, credentials: this.#credentials });
    if (attempt.connecting && cluster.connection.connectTimeoutMs > 0)
      this.#timers.start('connect-timeout', cluster.connection.connectTimeoutMs);
    this.#messages.attach(call);
    if (this.#readWanted) call.startRead();
  }

  /** Per-try timers: the connection stands and the request is complete (a stream's request never is; then there are none). */
  #startTry(): void {
    const { retry, timeoutMs } = this.#action;
    if (retry === undefined) return;
    if (retry.perTryIdleTimeoutMs > 0) this.#timers.startIdle('per-try-idle-timeout', retry.perTryIdleTimeoutMs);
    // Envoy ignores a per-try timeout that the route's own would beat.
    if (retry.perTryTimeoutMs > 0 && (timeoutMs <= 0 || retry.perTryTimeoutMs < timeoutMs))
      this.#timers.start('per-try-timeout', retry.perTryTimeoutMs);
  }

  #endTry(): void {
    this.#timers.stop('connect-timeout');
    this.#timers.stop('per-try-timeout');
    this.#timers.stop('per-try-idle-timeout');
  }

  #commit(): void {
    this.#committed = true;
    this.#timers.stop('per-try-timeout');
    this.#timers.touch();
    this.#messages.commit();
  }

  #retryAfter(delayMs: number): void {
    const x = this.#x!;
    x.decision?.add('retry', `after ${Math.round(delayMs)} ms on another connection`, x.route?.source);
    this.#tried ??= [];
    this.#tried.push(x.endpoint!);
    this.#foreign = undefined;
    this.#backingOff = true;
    this.#env.hold.take();
    this.#env.parts.clock.setTimer(() => {
      if (!this.#endBackoff()) return;
      this.#try();
      if (this.#messages.complete && this.#attempt?.connecting === false) this.#startTry();
    }, delayMs);
  }

  /** False when the call ended meanwhile. */
  #endBackoff(): boolean {
    if (!this.#backingOff) return false;
    this.#backingOff = false;
    this.#env.hold.give();
    return true;
  }

  /** The server's answer, or the trailers that end one. */
  #onAnswer(httpStatus: number, status: grpc.StatusObject, isGrpc: boolean): void {
    const x = this.#x!;
    // Envoy looks for grpc-status in headers only: trailers after a response are neither retried nor held against the endpoint.
    const grpcStatus = this.#committed || !isGrpc ? undefined : status.code;
    if (!this.#committed) {
      if (this.#foreign !== undefined) status.metadata.merge(this.#foreign);
      const head = new AnswerHead(httpStatus, status.metadata, grpcStatus);
      const delayMs = this.#messages.replayable ? this.#retry?.onResponse(head) : undefined;
      if (delayMs !== undefined) {
        this.#dropAttempt(this.#answered(httpStatus, grpcStatus));
        this.#retryAfter(delayMs);
        return;
      }
      this.#env.parts.pipeline.respond(x, head);
    }
    this.#dropAttempt(this.#answered(httpStatus, grpcStatus));
    this.#finish(httpStatus, status.code);
    this.#deliver(status);
  }

  #answered(status: number, grpcStatus: number | undefined): AttemptOutcome {
    return { kind: 'response', status, grpcStatus, latencyMs: this.#env.parts.clock.now() - this.#attempt!.startedAt };
  }

  #onReset(reason: ResetReason, transportFailure: string, status: grpc.StatusObject | undefined): void {
    const x = this.#x!;
    this.#dropAttempt({ kind: 'reset', reason });
    if (this.#committed) {
      x.flags |= resetFlag(reason);
      x.details = `upstream_reset_after_response_started{${reason.replaceAll('-', '_')}}`;
      this.#finish(200, status?.code ?? grpc.status.UNAVAILABLE);
      this.#deliver(status ?? ownStatus(grpc.status.UNAVAILABLE, 'upstream request timeout'));
      return;
    }
    x.transportFailure = transportFailure;
    const delayMs = this.#messages.replayable ? this.#retry?.onReset(reason) : undefined;
    if (delayMs !== undefined) this.#retryAfter(delayMs);
    else this.#reply(resetReply(reason, x.attempt, transportFailure));
  }

  /** grpc-js ended the call itself: the app's deadline, or a message or credentials that it could not handle. */
  #onOwnStatus(status: grpc.StatusObject): void {
    if (status.code === grpc.status.DEADLINE_EXCEEDED) {
      this.#abandon(status);
      return;
    }
    this.#dropAttempt(CANCELLED);
    this.#x!.flags |= ResponseFlag.LocalReset;
    this.#finish(0, status.code);
    this.#deliver(status);
  }

  // ── timeouts ──

  #startDeadline(x: Exchange): void {
    const { deadline } = this.#init;
    const { clock } = this.#env.parts;
    const leftMs = (deadline instanceof Date ? deadline.getTime() : deadline) - clock.wallTime();
    if (leftMs === Number.POSITIVE_INFINITY) return;
    x.deadline = x.startedAt + leftMs;
    this.#timers.start('deadline', leftMs);
  }

  onTimeout(timeout: CallTimeout): void {
    if (this.#done) return;
    switch (timeout) {
      case 'deadline':
        this.#abandon(ownStatus(grpc.status.DEADLINE_EXCEEDED, `Deadline exceeded after ${this.#elapsedSeconds()}s`));
        return;
      case 'max-duration':
        this.#expire(maxDurationReply());
        return;
      case 'idle':
        this.#expire(streamIdleReply(this.#messages.complete));
        return;
      case 'global-timeout':
        this.#dropAttempt({ kind: 'reset', reason: timeout });
        this.#expire(resetReply(timeout, this.#x!.attempt, ''));
        return;
      default:
        this.#onReset(timeout, '', undefined);
    }
  }

  #elapsedSeconds(): string {
    return ((this.#env.parts.clock.now() - this.#x!.startedAt) / 1000).toFixed(3);
  }

  /** A reply while nothing has come; after response headers only the status is left to say it. */
  #expire(reply: LocalReply): void {
    this.#dropAttempt({ kind: 'reset', reason: 'local-reset' });
    if (!this.#committed) {
      this.#reply(reply);
      return;
    }
    const x = this.#x!;
    x.flags |= reply.flags;
    x.details = reply.details;
    const status = localStatus(reply);
    this.#finish(200, status.code);
    this.#deliver(status);
  }

  // ── endings ──

  /** The app has no further interest: it cancelled, or its deadline passed. Says nothing about the endpoint. */
  #abandon(status: grpc.StatusObject): void {
    const x = this.#x;
    this.#dropAttempt(CANCELLED);
    if (x === undefined) {
      this.#done = true;
      this.#earlyStatus = status;
      return;
    }
    x.flags |= ResponseFlag.DownstreamConnectionTermination;
    x.details = 'downstream_remote_disconnect';
    this.#finish(this.#committed ? 200 : 0, status.code);
    this.#deliverLater(status);
  }

  #reply(reply: LocalReply): void {
    const x = this.#x!;
    x.flags |= reply.flags;
    x.details = reply.details;
    const status = localStatus(reply);
    this.#env.parts.pipeline.respond(x, new AnswerHead(200, status.metadata, status.code));
    this.#finish(200, status.code);
    this.#deliverLater(status);
  }

  #dropAttempt(outcome: AttemptOutcome): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    this.#attempt = undefined;
    this.#messages.detach();
    this.#endTry();
    attempt.end(outcome);
  }

  #finish(status: number, grpcStatus: number): void {
    const x = this.#x!;
    const { clock, pipeline, telemetry } = this.#env.parts;
    this.#done = true;
    this.#timers.stopAll();
    this.#endBackoff();
    this.#retry?.release();
    this.#messages.close();
    for (const mirror of this.#mirrors) mirror.halfClose();
    const outcome = { status, grpcStatus, requestBytes: this.#requestBytes, responseBytes: this.#responseBytes, endedAt: clock.now() };
    pipeline.end(x, outcome);
    telemetry.onEnd(x, outcome);
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
