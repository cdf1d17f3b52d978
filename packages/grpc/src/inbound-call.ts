import grpc from '@grpc/grpc-js';
import {
  type BodyStart,
  bodyIdleMs,
  Exchange,
  type LocalReply,
  localReply,
  maxDurationReply,
  type RequestBody,
  ResponseFlag,
  resetReply,
  type Snapshot,
  streamIdleReply,
  type Timer,
} from '@ripstop/core';
import { AnswerHead } from './answer-head.ts';
import { CallHead } from './call-head.ts';
import { takeMethod } from './call-method.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { HeldStream } from './held-stream.ts';
import type { HttpChain, InboundConnection } from './inbound-connection.ts';
import { localStatus, respondLocally } from './local-status.ts';
import { type CallListener, type PartialStatus, PassedCall } from './passed-call.ts';
import { settleCall } from './settle-call.ts';
import { joinLines, takeSeveral } from './stream-lines.ts';

const NO_CALL = localReply({ status: 405, grpcStatus: 12, details: 'ripstop_grpc_method', body: 'gRPC calls are made by POST' });
/** grpc-js counts by the wall clock, in whole milliseconds, and timers come up to one early. */
const WALL_CLOCK_GRAIN_MS = 2;
const NOT_ACCEPTED = 'connection refused by the mesh: its policy for this port has changed';

type InterceptedMethod = Parameters<grpc.ServerInterceptor>[0];

/**
 * One call that the app serves, from its headers to its status, as the HTTP guard's exchange. The handler is started only when the
 * filters let the call pass, and runs where `mesh` finds the exchange as the parent of the calls that it makes.
 */
export class InboundCall extends PassedCall implements CallListener, RequestBody {
  readonly #parts: GrpcParts;
  readonly #port: number;
  readonly #connection: InboundConnection;
  readonly #method: InterceptedMethod;
  readonly #onRefused: (connection: InboundConnection) => void;
  readonly #timers: Timer[] = [];
  #listener: CallListener | undefined;
  #x: Exchange | undefined;
  /** Names whose lines policies see one by one. */
  #several: string | undefined;
  /** While filters look at its bytes. */
  #held: HeldStream | undefined;
  #headersSent = false;
  #done = false;

  constructor(
    parts: GrpcParts,
    port: number,
    connection: InboundConnection,
    method: InterceptedMethod,
    call: grpc.ServerInterceptingCallInterface,
    onRefused: (connection: InboundConnection) => void,
  ) {
    super(call);
    this.#parts = parts;
    this.#port = port;
    this.#connection = connection;
    this.#method = method;
    this.#onRefused = onRefused;
  }

  start(listener: CallListener): void {
    this.#listener = listener;
    this.call.start(this);
  }

  /** No message comes before the listener has heard of this: it asks for them then. */
  onReceiveMetadata(metadata: grpc.Metadata): void {
    const snapshot = this.#parts.snapshots.current;
    const chain = snapshot === undefined ? undefined : this.#connection.chain(snapshot);
    if (snapshot === undefined || chain === undefined) {
      this.#done = true;
      this.call.sendStatus({ code: grpc.status.UNAVAILABLE, details: NOT_ACCEPTED });
      this.#onRefused(this.#connection);
      return;
    }
    const x = this.#createExchange(snapshot, chain, metadata);
    this.#x = x;
    let verdict: LocalReply | undefined | Promise<LocalReply | undefined>;
    try {
      this.#parts.telemetry.onStart(x);
      verdict = settleCall(x.request as CallHead, chain.http.underscores) ?? this.#parts.pipeline.begin(x);
    } catch (error) {
      this.#filterFailed(error);
      return;
    }
    if (verdict === undefined) this.#serve(metadata);
    else if (verdict instanceof Promise) this.#serveLater(verdict, metadata);
    else this.#refuse(verdict);
  }

  #createExchange(snapshot: Snapshot, chain: HttpChain, metadata: grpc.Metadata): Exchange {
    const { clock } = this.#parts;
    const x = new Exchange({
      direction: 'inbound',
      protocol: 'grpc',
      request: this.#head(metadata),
      snapshot,
      manager: chain.http,
      peer: this.#connection.peer,
      port: this.#port,
      startedAt: clock.now(),
    });
    x.body = this;
    // The caller's grpc-timeout.
    x.deadline = x.startedAt + Number(this.call.getDeadline()) - clock.wallTime();
    return x;
  }

  #head(metadata: grpc.Metadata): CallHead {
    const head = new CallHead(this.#connection.facts.tls ? 'https' : 'http', this.call.getHost(), this.#method.path, metadata, '');
    head.method = takeMethod(metadata);
    this.#several = takeSeveral(metadata);
    return head;
  }

  /** See RequestBody: of what the caller sends, as it is on the wire. */
  read(bytes: number): Promise<BodyStart | undefined> {
    if (this.#done) return Promise.resolve(undefined);
    this.#held ??= HeldStream.of(this.call);
    if (this.#held === undefined) return Promise.resolve(undefined);
    return this.#held.read(bytes, {
      clock: this.#parts.clock,
      idleMs: bodyIdleMs(this.#x!),
      onIdle: () => this.#refuse(streamIdleReply(false)),
    });
  }

  #serve(metadata: grpc.Metadata): void {
    if (this.#x!.request.method !== 'POST') {
      this.#refuse(NO_CALL);
      return;
    }
    const action = this.#x!.route?.action;
    if (action?.kind === 'inbound' && action.maxStreamDurationMs > 0) this.#limit(action.maxStreamDurationMs, maxDurationReply());
    // Before the handler asks for messages: those that are here come first.
    this.#held?.release();
    joinLines(metadata, this.#several);
    // A handler of one message is called when that is complete.
    if (this.#method.requestStream) this.#run(() => this.#listener!.onReceiveMetadata(metadata));
    else this.#listener!.onReceiveMetadata(metadata);
  }

  #serveLater(verdict: Promise<LocalReply | undefined>, metadata: grpc.Metadata): void {
    verdict.then(
      (reply) => {
        if (this.#done) return;
        if (reply === undefined) this.#serve(metadata);
        else this.#refuse(reply);
      },
      (error: unknown) => this.#filterFailed(error),
    );
  }

  #filterFailed(error: unknown): void {
    this.#parts.log?.(`inbound call ${this.#method.path}: ${error instanceof Error ? error.message : String(error)}`);
    if (!this.#done) this.#refuse(localReply({ status: 500, details: 'ripstop_filter_failed', body: 'a filter of the mesh failed' }));
  }

  onReceiveMessage(message: unknown): void {
    if (this.#method.requestStream) this.#run(() => this.#listener!.onReceiveMessage(message));
    else this.#listener!.onReceiveMessage(message);
  }

  onReceiveHalfClose(): void {
    const action = this.#done ? undefined : this.#x?.route?.action;
    if (action?.kind === 'inbound' && action.timeoutMs > 0) this.#limit(action.timeoutMs, resetReply('global-timeout', 1, ''));
    this.#run(() => this.#listener!.onReceiveHalfClose());
  }

  sendMetadata(metadata: grpc.Metadata): void {
    if (this.#done || !this.#respond(new AnswerHead(200, metadata, undefined))) return;
    this.#headersSent = true;
    this.call.sendMetadata(metadata);
  }

  sendMessage(message: unknown, callback: () => void): void {
    if (!this.#headersSent) this.sendMetadata(new grpc.Metadata());
    if (!this.#done) this.call.sendMessage(message, callback);
  }

  sendStatus(status: PartialStatus): void {
    if (this.#done) return;
    const metadata = status.metadata ?? new grpc.Metadata();
    if (!this.#headersSent && !this.#respond(new AnswerHead(200, metadata, status.code))) return;
    this.#finish(200, status.code);
    this.call.sendStatus({ ...status, metadata });
  }

  /** False: a filter failed, and the call was answered so; half applied operations are not sent, and the app does not pay for it. */
  #respond(head: AnswerHead): boolean {
    try {
      this.#parts.pipeline.respond(this.#x!, head);
      return true;
    } catch (error) {
      this.#filterFailed(error);
      return false;
    }
  }

  /** Also called after every status was sent; then the exchange has ended already. */
  onCancel(): void {
    this.#endCancelled();
    this.#listener!.onCancel();
  }

  #endCancelled(): void {
    const x = this.#x;
    if (this.#done || x === undefined) return;
    // grpc-js answers a passed deadline by itself.
    const late = x.deadline - WALL_CLOCK_GRAIN_MS <= this.#parts.clock.now();
    x.flags |= ResponseFlag.DownstreamConnectionTermination;
    x.details = 'downstream_remote_disconnect';
    this.#finish(this.#headersSent ? 200 : 0, late ? grpc.status.DEADLINE_EXCEEDED : grpc.status.CANCELLED);
  }

  #limit(delayMs: number, reply: LocalReply): void {
    this.#timers.push(
      this.#parts.clock.setTimer(() => {
        if (!this.#done) this.#refuse(reply);
      }, delayMs),
    );
  }

  /** Answers in the app's place. */
  #refuse(reply: LocalReply): void {
    const x = this.#x!;
    x.flags |= reply.flags;
    x.details = reply.details;
    const status = this.#statusOf(reply);
    this.#finish(200, status.code);
    this.call.sendStatus(status);
  }

  /** An authorizer may answer what no metadata can carry, which grpc-js throws on: nobody else is to pay for it. */
  #statusOf(reply: LocalReply): grpc.StatusObject {
    try {
      return this.#headersSent ? localStatus(reply) : respondLocally(this.#x!, reply, this.#parts.pipeline);
    } catch (error) {
      this.#parts.log?.(
        `inbound call ${this.#method.path}: its answer cannot be sent: ${error instanceof Error ? error.message : String(error)}`,
      );
      this.#x!.details = 'ripstop_filter_failed';
      return { code: grpc.status.INTERNAL, details: 'a filter of the mesh failed', metadata: new grpc.Metadata() };
    }
  }

  #run(handler: () => void): void {
    if (this.#x === undefined) handler();
    else this.#parts.telemetry.run(this.#x, handler);
  }

  /** Bytes are unknown: grpc-js hands messages over decoded, and does not show the stream. */
  #finish(status: number, grpcStatus: number): void {
    this.#done = true;
    this.#held?.end();
    for (const timer of this.#timers) timer.cancel();
    const x = this.#x!;
    const outcome = { status, grpcStatus, requestBytes: 0, responseBytes: 0, endedAt: this.#parts.clock.now() };
    try {
      this.#parts.pipeline.end(x, outcome);
    } catch (error) {
      this.#parts.log?.(
        `inbound call ${this.#method.path}: a filter failed at end: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.#parts.telemetry.onEnd(x, outcome);
  }
}
