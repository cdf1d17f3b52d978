import {
  type AttemptDriver,
  type BodyStart,
  type Exchange,
  ExchangeWalk,
  isGrpcContentType,
  type Lease,
  type LiveAttempt,
  type LocalReply,
  localReply,
  type RequestBody,
  streamIdleReply,
} from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { AppController, type ControlledExchange } from './app-controller.ts';
import { Attempt, type AttemptOwner, type UpgradedSocket } from './attempt.ts';
import { behindHead } from './early-head.ts';
import type { ForwardEnvironment } from './forward-environment.ts';
import { LocalDelivery } from './local-delivery.ts';
import { localResponse } from './local-response.ts';
import { sendMirrors } from './mirror.ts';
import { BodyTee, isReplayable } from './request-body.ts';
import { RequestError } from './request-error.ts';
import { brokenReasonOf, ConnectError, isAppError, lookupFailure, resetReasonOf } from './reset-reason.ts';
import { grpcStatusOf, lineOf, type ResponseHeaders, UpstreamHead } from './response-head.ts';
import { type StreamOptions, streamOptions } from './stream-options.ts';
import { type BodyOwner, WatchedBody } from './watched-body.ts';

/** Retried responses up to this length are read to their end, so that the connection stays usable. */
const DRAINABLE_BYTES = 16_384;

/**
 * One exchange from the app's dispatch to the end of the response. The walk decides; here bytes go from the app to the attempt and
 * back. Everything refused becomes an HTTP response; an error reaches the app only after a response has begun, or when the app itself is
 * to blame.
 */
export class AttemptHandler implements AttemptDriver, AttemptOwner, RequestBody, BodyOwner, ControlledExchange {
  readonly #env: ForwardEnvironment;
  readonly #x: Exchange;
  readonly #walk: ExchangeWalk;
  #app: Dispatcher.DispatchHandler;
  readonly #controller: AppController;
  readonly #body: unknown;
  readonly #upgrade: string | undefined;
  /** The one whose bytes come and go. */
  #attempt: Attempt | undefined = undefined;
  #tee: BodyTee | undefined = undefined;
  #watched: WatchedBody | undefined = undefined;
  #head: UpstreamHead | undefined = undefined;
  #local: LocalDelivery | undefined = undefined;
  /** A listener has begun the exchange. */
  #forwards = false;
  /** The route's timeout runs from when the whole request has been written. */
  #timesSent = false;
  /** The whole request has been written once. */
  #sent = false;

  constructor(env: ForwardEnvironment, x: Exchange, app: Dispatcher.DispatchHandler, body: unknown, upgrade: string | undefined) {
    this.#env = env;
    this.#x = x;
    this.#walk = new ExchangeWalk(env, x, this);
    this.#app = app;
    this.#controller = new AppController(this);
    this.#body = body;
    this.#upgrade = upgrade;
  }

  /** Runs the route's decision and then the attempts. */
  begin(): void {
    this.#env.telemetry.onStart(this.#x);
    this.#app.onRequestStart?.(this.#controller, {});
    if (!this.#walk.done) this.#walk.begin();
  }

  /** Takes over an exchange that its listener has begun (gateway). */
  forward(): void {
    this.#forwards = true;
    this.#app.onRequestStart?.(this.#controller, {});
    if (!this.#walk.done) this.onRouted(this.#env.clock.now());
  }

  // ── filters that look at the body ──

  read(bytes: number): Promise<BodyStart | undefined> {
    this.#watched ??= new WatchedBody(this.#body, this.#x, this.#env.clock, this);
    return this.#watched.read(bytes);
  }

  onBodyIdle(): void {
    this.#walk.onRefused(streamIdleReply(false));
  }

  onBodyBroken(error: Error): void {
    this.#walk.cancel();
    this.#fail(error);
  }

  // ── the app's controller ──

  get rawHeaders(): Buffer[] | string[] | ResponseHeaders | null {
    const head = this.#head;
    if (head === undefined) return null;
    const raw = this.#attempt?.controller?.rawHeaders;
    return head.changed || raw == null ? head.flat() : (raw as Buffer[]);
  }

  get rawTrailers(): Buffer[] | string[] | ResponseHeaders | null {
    return (this.#attempt?.controller?.rawTrailers as Buffer[] | undefined) ?? null;
  }

  get ended(): boolean {
    return this.#walk.done;
  }

  onPaused(): void {
    if (this.#local === undefined) this.#attempt?.controller?.pause();
  }

  onResumed(): void {
    if (this.#local !== undefined) this.#deliver();
    else this.#attempt?.controller?.resume();
  }

  onAborted(reason: Error): void {
    this.#walk.cancel();
    this.#fail(reason);
  }

  // ── what the walk asks for ──

  get replayable(): boolean {
    return this.#tee === undefined || this.#tee.replayable;
  }

  get requestComplete(): boolean {
    return this.#tee === undefined || this.#sent || this.#tee.ended;
  }

  onRouted(now: number): void {
    const x = this.#x;
    const walk = this.#walk;
    if (this.#upgrade !== undefined && !x.manager.upgrades.includes(this.#upgrade.toLowerCase())) {
      walk.reply(localReply({ status: 403, details: 'upgrade_failed' }));
      return;
    }
    const { action } = walk;
    const mirrored = action.mirrors.length > 0;
    const streamed = !isReplayable(this.#watched?.body ?? this.#body);
    if (streamed) {
      const kept = action.retry !== undefined || mirrored ? action.bufferLimitBytes : -1;
      this.#tee = this.#watched?.tee ?? new BodyTee(this.#body as AsyncIterable<unknown>, kept);
      this.#tee.keep(kept);
    }
    const complete = !streamed || this.#tee!.ended;
    this.#timesSent = !complete;
    const { authority } = x.request;
    walk.forward(now, complete);
    if (mirrored && x.endpoint !== undefined) sendMirrors(this.#env, x, action, this.#tee ?? this.#body, authority);
  }

  createAttempt(lease: Lease): LiveAttempt {
    const { cluster } = lease;
    this.#walk.requestBytes = 0;
    this.#walk.grpcStatus = undefined;
    const pool = this.#env.pools.of(lease, cluster, this.#x.request.authority, cameByHttp2(this.#x), this.#x.peer);
    this.#attempt = new Attempt(this, lease, pool, cluster);
    return this.#attempt;
  }

  onReply(reply: LocalReply): void {
    const x = this.#x;
    this.#attempt = undefined;
    const { head, body } = localResponse(x, reply, this.#env.clock.wallTime(), (drawn, complete) =>
      this.#env.pipeline.respond(x, drawn, complete),
    );
    this.#head = head;
    this.#local = new LocalDelivery(this.#app, this.#controller, head, body, (bodyBytes) => {
      this.#walk.responseBytes = bodyBytes;
      this.#finish(head.status);
    });
    if (reply.grpcStatus !== undefined) this.#walk.grpcStatus = reply.grpcStatus;
    // Not within the app's own dispatch(): a handler that calls again at once would recurse.
    queueMicrotask(() => this.#deliver());
  }

  onBreak(reply: LocalReply | undefined, cause: unknown): void {
    const { flags, details } = this.#x;
    if (cause !== undefined) this.#fail(cause as Error);
    else if (reply === undefined) this.#fail(new RequestError('RIPSTOP_UPSTREAM_RESET', 'the response broke off', flags, details));
    else this.#fail(new RequestError('RIPSTOP_TIMEOUT', `the response took too long: ${reply.body}`, flags, details));
  }

  onFilterError(error: Error): void {
    this.#env.onError(error);
  }

  // ── what the attempt reports ──

  attemptOptions(attempt: Attempt): StreamOptions {
    this.#walk.startStream(attempt);
    return streamOptions(this.#x.request, this.#tee === undefined ? this.#body : this.#bytesOf(this.#tee, attempt), this.#upgrade);
  }

  /** What a listener has taken in (gateway) goes on as Envoy's: the head before the body. HTTP/2 has frames for that. */
  #bytesOf(tee: BodyTee, { http1Socket }: Attempt): AsyncGenerator<Uint8Array, void, void> {
    const body = tee.read();
    return this.#forwards && http1Socket !== undefined ? behindHead(body, this.#x.request, http1Socket) : body;
  }

  onAttemptBodyChunk(chunk: Buffer): void {
    this.#walk.requestBytes += chunk.length;
    this.#walk.touch();
    if (this.#app.onBodySent !== undefined && this.#x.attempt === 1) this.#app.onBodySent(chunk);
  }

  onAttemptSent(attempt: Attempt): void {
    // The timeout runs from the end of the request; a replay doesn't start it again.
    if (this.#timesSent && !this.#sent) this.#walk.startRouteTimeout(this.#env.clock.now());
    this.#sent = true;
    if (this.#x.manager.keepsTimes) this.#noteSent(attempt);
    this.#walk.startTry(attempt);
    if (this.#app.onRequestSent !== undefined && this.#x.attempt === 1) this.#app.onRequestSent();
  }

  onAttemptHead(attempt: Attempt, status: number, headers: ResponseHeaders, statusText: string | undefined): void {
    if (status < 200) {
      this.#app.onResponseStart?.(this.#controller, status, headers as never, statusText);
      return;
    }
    const connection = headers.connection;
    if (connection !== undefined && connection !== 'keep-alive' && String(connection).toLowerCase().includes('close'))
      attempt.closeConnection();
    const head = new UpstreamHead(status, headers);
    const grpcStatus = isGrpcContentType(headers['content-type'] as string | undefined) ? grpcStatusOf(headers) : undefined;
    const walk = this.#walk;
    if (!walk.onHead(attempt, head, grpcStatus)) {
      attempt.detach(Number(headers['content-length'] ?? Number.POSITIVE_INFINITY) <= DRAINABLE_BYTES);
      return;
    }
    walk.grpcStatus = grpcStatus;
    this.#attempt = attempt;
    this.#head = head;
    if (this.#controller.paused) attempt.controller!.pause();
    this.#app.onResponseStart?.(this.#controller, head.status, head.headers as never, statusText);
  }

  onAttemptChunk(chunk: Buffer): void {
    this.#walk.responseBytes += chunk.length;
    this.#walk.touch();
    this.#app.onResponseData?.(this.#controller, chunk);
  }

  onAttemptEnd(attempt: Attempt, trailers: ResponseHeaders): void {
    if (attempt.lease.wantsLoad) attempt.lease.reportLoad((name) => lineOf(trailers, name));
    this.#walk.onEnd(attempt);
    if (trailers['grpc-status'] !== undefined) this.#walk.grpcStatus = grpcStatusOf(trailers);
    this.#finish(this.#head!.status);
    this.#app.onResponseEnd?.(this.#controller, trailers as never);
    this.#letGo();
  }

  onAttemptUpgrade(attempt: Attempt, status: number, headers: ResponseHeaders, socket: UpgradedSocket): void {
    const head = new UpstreamHead(status, headers);
    this.#head = head;
    const walk = this.#walk;
    walk.onUpgrade(attempt, head);
    socket.once('close', () => {
      walk.onEnd(attempt);
      const { bytesRead, bytesWritten } = socket as { bytesRead?: number; bytesWritten?: number };
      walk.responseBytes = bytesRead ?? 0;
      walk.requestBytes = bytesWritten ?? 0;
      this.#finish(status);
    });
    this.#app.onRequestUpgrade?.(this.#controller, status, head.headers as never, socket);
  }

  onAttemptOverflow(attempt: Attempt): void {
    this.#walk.onOverflow(attempt);
  }

  onAttemptError(attempt: Attempt, error: Error): void {
    const walk = this.#walk;
    if (walk.done) return;
    const ownFault = this.#tee?.failure ?? (isAppError(error) && !walk.committed ? error : undefined);
    if (ownFault !== undefined) {
      walk.cancel();
      this.#fail(ownFault);
      return;
    }
    const unresolved = this.#x.cluster?.kind === 'dynamic_forward_proxy' ? lookupFailure(error) : undefined;
    if (unresolved !== undefined) {
      walk.onUnresolved(attempt, unresolved);
      return;
    }
    if (error instanceof ConnectError) this.#x.transportFailure = error.transportFailure;
    const reason = resetReasonOf(error);
    walk.onReset(attempt, walk.committed ? brokenReasonOf(reason, attempt.http2) : reason, error);
  }

  #noteSent({ localAddress }: Attempt): void {
    this.#x.upstreamLocalAddress = localAddress;
    // A replay does not make the request arrive later.
    if (this.#x.requestEndedAt < 0) this.#x.requestEndedAt = this.#env.clock.now();
  }

  // ── endings ──

  /** As undici's parser would: a handler that throws gets its own error back. */
  #deliver(): void {
    const local = this.#local!;
    try {
      while (!this.#walk.done && !this.#controller.paused) local.next();
    } catch (error) {
      if (this.#walk.done) this.#app.onResponseError?.(this.#controller, error as Error);
      else this.#controller.abort(error as Error);
    }
    if (this.#walk.done) this.#letGo();
  }

  #fail(error: Error): void {
    this.#finish(this.#head?.status ?? 0);
    this.#app.onResponseError?.(this.#controller, error);
    this.#letGo();
  }

  /** The app keeps its controller as long as it likes, but nothing of the exchange with it; see Attempt. */
  #letGo(): void {
    this.#controller.letGo();
    this.#app = ENDED;
    this.#attempt = undefined;
  }

  #finish(status: number): void {
    this.#watched?.end();
    (this.#tee ?? this.#watched?.tee)?.close();
    this.#walk.finish(status);
    this.#env.onFinished();
  }
}

/** A listener took it from an HTTP/2 stream (gateway); gRPC comes no other way. */
function cameByHttp2({ protocol, peer }: Exchange): boolean {
  return protocol === 'http2' || (protocol === 'grpc' && peer.address !== '');
}

const ENDED: Dispatcher.DispatchHandler = {};
