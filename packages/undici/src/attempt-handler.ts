import {
  type AttemptOutcome,
  type Clock,
  type Endpoint,
  type Exchange,
  type ForwardAction,
  isGrpcContentType,
  isLease,
  type LocalReply,
  localReply,
  maxDurationReply,
  type Pipeline,
  type Random,
  type ResetReason,
  ResponseFlag,
  RetryState,
  resetReply,
  streamIdleReply,
  type TelemetrySink,
  type Timer,
} from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { Attempt, type AttemptOwner, type UpgradedSocket } from './attempt.ts';
import { Deadline, type DeadlineQueues } from './deadline-queue.ts';
import type { EndpointPools } from './endpoint-pools.ts';
import { forwardableLines } from './forwardable-lines.ts';
import { LocalDelivery } from './local-delivery.ts';
import { localResponse } from './local-response.ts';
import { sendMirrors } from './mirror.ts';
import type { ProcessHold } from './process-hold.ts';
import { BodyTee, isReplayable } from './request-body.ts';
import { RequestError } from './request-error.ts';
import { ConnectError, isAppError, resetReasonOf } from './reset-reason.ts';
import { type ResponseHeaders, UpstreamHead } from './response-head.ts';
import { StreamDeadlines, type StreamTimeout } from './stream-deadlines.ts';

/** What every exchange of a dispatcher shares. */
export interface ForwardEnvironment {
  readonly pipeline: Pipeline;
  readonly pools: EndpointPools;
  readonly deadlines: DeadlineQueues;
  readonly clock: Clock;
  readonly telemetry: TelemetrySink;
  readonly hold: ProcessHold;
  readonly random: Random;
  readonly onError: (error: Error) => void;
  /** Called once per exchange, at its end. */
  readonly onFinished: () => void;
}

/** undici reads `servername` of any request, though its types name it only for connections. */
interface StreamOptions extends Dispatcher.DispatchOptions {
  readonly servername: string;
}

/** Retried responses up to this length are read to their end, so that the connection stays usable. */
const DRAINABLE_BYTES = 16_384;

/**
 * One exchange from the app's dispatch to the end of the response: the attempt loop. It is the controller that the app's handler
 * holds, whichever attempt runs, and itself the entry of the route timeout. Everything refused becomes an HTTP response; an error
 * reaches the app only after a response has begun, or when the app itself is to blame.
 */
export class AttemptHandler extends Deadline implements AttemptOwner, Dispatcher.DispatchController {
  readonly #env: ForwardEnvironment;
  readonly #x: Exchange;
  #app: Dispatcher.DispatchHandler;
  readonly #body: unknown;
  readonly #upgrade: string | undefined;
  #attempt: Attempt | undefined = undefined;
  #retry: RetryState | undefined = undefined;
  #tee: BodyTee | undefined = undefined;
  #tried: Endpoint[] | undefined = undefined;
  #backoff: Timer | undefined = undefined;
  #timers: StreamDeadlines | undefined = undefined;
  #head: UpstreamHead | undefined = undefined;
  #local: LocalDelivery | undefined = undefined;
  /** The whole request has been written once. */
  #sent = false;
  #done = false;
  #aborted = false;
  #reason: Error | null = null;
  #paused = false;
  #requestBytes = 0;
  #responseBytes = 0;
  #grpcStatus: number | undefined = undefined;

  constructor(env: ForwardEnvironment, x: Exchange, app: Dispatcher.DispatchHandler, body: unknown, upgrade: string | undefined) {
    super();
    this.#env = env;
    this.#x = x;
    this.#app = app;
    this.#body = body;
    this.#upgrade = upgrade;
  }

  /** Runs the route's decision and then the attempts. */
  begin(): void {
    const x = this.#x;
    this.#env.telemetry.onStart(x);
    this.#app.onRequestStart?.(this, {});
    if (this.#done) return;
    let verdict: LocalReply | undefined | Promise<LocalReply | undefined>;
    try {
      verdict = this.#env.pipeline.begin(x);
    } catch (error) {
      this.#filterFailed(error);
      return;
    }
    if (verdict === undefined) this.#forward(x.startedAt);
    else if (verdict instanceof Promise) this.#beginLater(verdict);
    else this.#reply(verdict);
  }

  /** Takes over an exchange that its listener has begun (gateway). */
  forward(): void {
    this.#app.onRequestStart?.(this, {});
    if (!this.#done) this.#forward(this.#env.clock.now());
  }

  // ── the app's controller ──

  get aborted(): boolean {
    return this.#aborted;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get reason(): Error | null {
    return this.#reason;
  }

  get rawHeaders(): Buffer[] | string[] | ResponseHeaders | null {
    const head = this.#head;
    if (head === undefined) return null;
    const raw = this.#attempt?.controller?.rawHeaders;
    return head.changed || raw == null ? head.flat() : (raw as Buffer[]);
  }

  get rawTrailers(): Buffer[] | string[] | ResponseHeaders | null {
    return (this.#attempt?.controller?.rawTrailers as Buffer[] | undefined) ?? null;
  }

  pause(): void {
    this.#paused = true;
    if (this.#local === undefined) this.#attempt?.controller?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#local !== undefined) this.#deliver();
    else this.#attempt?.controller?.resume();
  }

  abort(reason: Error): void {
    if (this.#done) return;
    this.#aborted = true;
    this.#reason = reason ?? null;
    this.#x.flags |= ResponseFlag.DownstreamConnectionTermination;
    this.#x.details = 'downstream_remote_disconnect';
    this.#dropAttempt(CANCELLED);
    this.#fail(reason);
  }

  // ── deadlines ──

  /** Route timeout. */
  onDue(): void {
    this.#timeOut('global-timeout');
  }

  // ── what the attempt reports ──

  attemptOptions(): StreamOptions {
    const { request } = this.#x;
    return {
      path: request.path,
      method: request.method,
      headers: forwardableLines(request),
      body: (this.#tee === undefined ? this.#body : this.#tee.read()) as Dispatcher.DispatchOptions['body'],
      upgrade: this.#upgrade ?? null,
      // undici would close the connection after every HEAD.
      reset: request.method === 'HEAD' ? false : undefined,
      // Any name: without one undici looks for an IP address in the Host header by a large regular expression.
      servername: 'mesh',
      // One request per connection: undici needn't guard a pipeline.
      blocking: false,
    };
  }

  onAttemptBodyChunk(chunk: Buffer): void {
    this.#requestBytes += chunk.length;
    this.#timers?.touch();
    if (this.#app.onBodySent !== undefined && this.#x.attempt === 1) this.#app.onBodySent(chunk);
  }

  onAttemptSent(): void {
    // The timeout runs from the end of the request; a replay doesn't start it again.
    if (this.#tee !== undefined && !this.#sent) this.#startRouteTimeout(this.#action, this.#env.clock.now());
    this.#sent = true;
    if (this.#head === undefined) this.#timers?.startTry();
    if (this.#app.onRequestSent !== undefined && this.#x.attempt === 1) this.#app.onRequestSent();
  }

  onAttemptHead(status: number, headers: ResponseHeaders, statusText: string | undefined): void {
    if (status < 200) {
      this.#app.onResponseStart?.(this, status, headers as never, statusText);
      return;
    }
    const connection = headers.connection;
    if (connection !== undefined && connection !== 'keep-alive' && String(connection).toLowerCase().includes('close'))
      this.#attempt!.closeConnection();
    const head = new UpstreamHead(status, headers);
    if (isGrpcContentType(headers['content-type'] as string | undefined)) this.#grpcStatus = grpcStatusOf(headers);
    if (this.#retry !== undefined && this.#retryResponse(this.#retry, head)) return;
    this.#head = head;
    this.#timers?.onResponse();
    this.#env.pipeline.respond(this.#x, head);
    if (this.#paused) this.#attempt!.controller!.pause();
    this.#app.onResponseStart?.(this, head.status, head.headers as never, statusText);
  }

  onAttemptChunk(chunk: Buffer): void {
    this.#responseBytes += chunk.length;
    this.#timers?.touch();
    this.#app.onResponseData?.(this, chunk);
  }

  onAttemptEnd(trailers: ResponseHeaders): void {
    const attempt = this.#attempt!;
    const now = this.#env.clock.now();
    attempt.lease.release(this.#responseOutcome(this.#head!.status, now));
    if (trailers['grpc-status'] !== undefined) this.#grpcStatus = grpcStatusOf(trailers);
    this.#finish(this.#head!.status, now);
    this.#app.onResponseEnd?.(this, trailers as never);
    this.#letGo();
  }

  onAttemptUpgrade(status: number, headers: ResponseHeaders, socket: UpgradedSocket): void {
    const attempt = this.#attempt!;
    const head = new UpstreamHead(status, headers);
    this.#head = head;
    this.#cancelDeadlines();
    this.#env.pipeline.respond(this.#x, head);
    socket.once('close', () => {
      const now = this.#env.clock.now();
      attempt.lease.release(this.#responseOutcome(status, now));
      const { bytesRead, bytesWritten } = socket as { bytesRead?: number; bytesWritten?: number };
      this.#responseBytes = bytesRead ?? 0;
      this.#requestBytes = bytesWritten ?? 0;
      this.#finish(status, now);
    });
    this.#app.onRequestUpgrade?.(this, status, head.headers as never, socket);
  }

  onAttemptOverflow(): void {
    this.#attempt!.lease.release({ kind: 'reset', reason: 'overflow' });
    this.#attempt = undefined;
    this.#x.endpoint = undefined;
    this.#reply(this.#resetReply('overflow'));
  }

  onAttemptError(error: Error): void {
    if (this.#done) return;
    const ownFault = this.#tee?.failure ?? (isAppError(error) && this.#head === undefined ? error : undefined);
    if (ownFault !== undefined) {
      this.#x.flags |= ResponseFlag.DownstreamConnectionTermination;
      this.#x.details = 'downstream_remote_disconnect';
      this.#dropAttempt(CANCELLED);
      this.#fail(ownFault);
      return;
    }
    if (error instanceof ConnectError) this.#x.transportFailure = error.transportFailure;
    this.#onReset(resetReasonOf(error), error);
  }

  // ── the loop ──

  get #action(): ForwardAction {
    return this.#x.route!.action as ForwardAction;
  }

  #beginLater(verdict: Promise<LocalReply | undefined>): void {
    const { hold } = this.#env;
    hold.take();
    verdict
      .finally(() => hold.give())
      .then(
        (reply) => {
          if (this.#done) return;
          if (reply === undefined) this.#forward(this.#env.clock.now());
          else this.#reply(reply);
        },
        (error: unknown) => this.#filterFailed(error),
      );
  }

  #filterFailed(error: unknown): void {
    this.#env.onError(error instanceof Error ? error : new Error(String(error)));
    if (!this.#done) this.#reply(localReply({ status: 500, details: 'ripstop_filter_failed', body: 'a filter of the mesh failed' }));
  }

  #forward(now: number): void {
    const x = this.#x;
    const action = this.#action;
    if (this.#upgrade !== undefined && !x.manager.upgrades.includes(this.#upgrade.toLowerCase())) {
      this.#reply(localReply({ status: 403, details: 'upgrade_failed' }));
      return;
    }
    if (action.retry !== undefined) this.#retry = new RetryState(action.retry, x, x.cluster!, this.#env.random, this.#env.clock);
    const mirrored = action.mirrors.length > 0;
    if (isReplayable(this.#body)) this.#startRouteTimeout(action, now);
    else
      this.#tee = new BodyTee(this.#body as AsyncIterable<unknown>, this.#retry !== undefined || mirrored ? action.bufferLimitBytes : -1);
    const idleMs = action.idleTimeoutMs > 0 ? action.idleTimeoutMs : x.manager.streamIdleTimeoutMs;
    if (StreamDeadlines.wanted(action, idleMs)) {
      this.#timers = new StreamDeadlines(this.#env.deadlines, this.#env.clock, action, idleMs, (timeout) => this.#onStreamTimeout(timeout));
    }
    this.#try(now);
    if (mirrored && x.endpoint !== undefined) sendMirrors(this.#env, x, action, this.#tee ?? this.#body);
  }

  #try(now: number): void {
    const x = this.#x;
    const cluster = x.cluster!;
    x.attempt++;
    x.transportFailure = '';
    this.#requestBytes = 0;
    this.#grpcStatus = undefined;
    const tried = this.#tried;
    const policy = tried === undefined ? undefined : this.#action.retry;
    const leased = cluster.acquire(
      x,
      policy === undefined
        ? undefined
        : {
            avoid: policy.avoidPreviousHosts ? tried : undefined,
            maxSelectionAttempts: policy.hostSelectionMaxAttempts,
            tried,
            previousPrioritiesFrequency: policy.previousPrioritiesFrequency,
          },
    );
    if (!isLease(leased)) {
      this.#reply(leased);
      return;
    }
    const { endpoint } = leased;
    x.endpoint = endpoint;
    x.decision?.add(
      'endpoint',
      `${endpoint.key}, attempt ${x.attempt}, ${endpoint.transport.kind === 'tls' ? 'mutual TLS' : 'plaintext'}`,
      cluster.source,
    );
    this.#env.pipeline.beforeAttempt(x);
    const pool = this.#env.pools.of(endpoint, cluster, x.request.authority);
    this.#attempt = new Attempt(this, leased, pool, cluster, now);
    this.#attempt.start();
  }

  #retryAfter(delayMs: number): void {
    this.#x.decision?.add('retry', `after ${Math.round(delayMs)} ms on another connection`, this.#x.route?.source);
    this.#tried ??= [];
    this.#tried.push(this.#x.endpoint!);
    this.#attempt = undefined;
    this.#timers?.endTry();
    this.#env.hold.take();
    this.#backoff = this.#env.clock.setTimer(() => {
      this.#endBackoff();
      this.#try(this.#env.clock.now());
    }, delayMs);
  }

  #endBackoff(): void {
    if (this.#backoff === undefined) return;
    this.#backoff.cancel();
    this.#backoff = undefined;
    this.#env.hold.give();
  }

  #retryResponse(retry: RetryState, head: UpstreamHead): boolean {
    const delayMs = this.#canReplay ? retry.onResponse(head) : undefined;
    if (delayMs === undefined) return false;
    const attempt = this.#attempt!;
    attempt.lease.release(this.#responseOutcome(head.status, this.#env.clock.now()));
    const length = Number(head.headers['content-length'] ?? Number.POSITIVE_INFINITY);
    attempt.detach(length <= DRAINABLE_BYTES);
    this.#retryAfter(delayMs);
    return true;
  }

  get #canReplay(): boolean {
    return this.#tee === undefined || this.#tee.replayable;
  }

  #onReset(reason: ResetReason, error: Error | undefined): void {
    this.#attempt!.lease.release({ kind: 'reset', reason, status: this.#head?.status });
    this.#attempt!.detach(false);
    if (this.#head !== undefined) {
      this.#failCommitted(reason, error);
      return;
    }
    const delayMs = this.#retry !== undefined && this.#canReplay ? this.#retry.onReset(reason) : undefined;
    if (delayMs !== undefined) this.#retryAfter(delayMs);
    else this.#reply(this.#resetReply(reason));
  }

  #resetReply(reason: ResetReason): LocalReply {
    return resetReply(reason, this.#x.attempt, this.#x.transportFailure);
  }

  /** The response broke off. Envoy's HTTP/1 codec sees a body cut short as a protocol error. */
  #failCommitted(reason: ResetReason, error: Error | undefined): void {
    const remote = reason === 'remote-reset' || reason === 'refused-stream';
    this.#x.flags |= remote ? ResponseFlag.UpstreamRemoteReset : ResponseFlag.UpstreamProtocolError;
    this.#x.details = `upstream_reset_after_response_started{${remote ? 'remote_reset' : 'protocol_error'}}`;
    this.#fail(error ?? new RequestError('RIPSTOP_UPSTREAM_RESET', 'the response broke off', this.#x.flags, this.#x.details));
  }

  // ── timeouts ──

  #startRouteTimeout(action: ForwardAction, now: number): void {
    if (action.timeoutMs <= 0) return;
    this.#x.deadline = now + action.timeoutMs;
    this.#env.deadlines.start(this, action.timeoutMs, now);
  }

  #onStreamTimeout(timeout: StreamTimeout): void {
    if (timeout === 'max-duration') this.#expire(maxDurationReply());
    else if (timeout === 'idle') this.#expire(streamIdleReply(this.#tee === undefined || this.#sent));
    else this.#timeOut(timeout);
  }

  #timeOut(reason: 'global-timeout' | 'per-try-timeout' | 'per-try-idle-timeout'): void {
    if (this.#done) return;
    if (reason !== 'global-timeout' && this.#head === undefined) {
      this.#onReset(reason, undefined);
      return;
    }
    this.#dropAttempt({ kind: 'reset', reason, status: this.#head?.status });
    if (this.#head === undefined) {
      this.#reply(this.#resetReply(reason));
      return;
    }
    this.#x.flags |= ResponseFlag.UpstreamRequestTimeout;
    this.#x.details = reason === 'global-timeout' ? 'response_timeout' : 'upstream_per_try_idle_timeout';
    this.#fail(new RequestError('RIPSTOP_TIMEOUT', 'the response took longer than the route timeout', this.#x.flags, this.#x.details));
  }

  #expire(reply: LocalReply): void {
    if (this.#done) return;
    this.#dropAttempt(LOCAL_RESET);
    if (this.#head === undefined) {
      this.#reply(reply);
      return;
    }
    this.#x.flags |= reply.flags;
    this.#x.details = reply.details;
    this.#fail(new RequestError('RIPSTOP_TIMEOUT', reply.body, this.#x.flags, reply.details));
  }

  // ── endings ──

  #reply(reply: LocalReply): void {
    const x = this.#x;
    this.#attempt = undefined;
    this.#cancelDeadlines();
    x.flags |= reply.flags;
    x.details = reply.details;
    const { status, headers, body } = localResponse(x, reply, this.#env.clock.wallTime());
    const head = new UpstreamHead(status, headers);
    head.changed = true;
    this.#env.pipeline.respond(x, head);
    this.#head = head;
    this.#local = new LocalDelivery(this.#app, this, head, body, (bodyBytes) => {
      this.#responseBytes = bodyBytes;
      this.#finish(status, this.#env.clock.now());
    });
    if (reply.grpcStatus !== undefined) this.#grpcStatus = reply.grpcStatus;
    // Not within the app's own dispatch(): a handler that calls again at once would recurse.
    queueMicrotask(() => this.#deliver());
  }

  /** As undici's parser would: a handler that throws gets its own error back. */
  #deliver(): void {
    const local = this.#local!;
    try {
      while (!this.#done && !this.#paused) local.next();
    } catch (error) {
      if (this.#done) this.#app.onResponseError?.(this, error as Error);
      else this.abort(error as Error);
    }
  }

  #dropAttempt(outcome: AttemptOutcome): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    attempt.lease.release(outcome);
    attempt.detach(false);
  }

  #fail(error: Error): void {
    this.#finish(this.#head?.status ?? 0, this.#env.clock.now());
    this.#app.onResponseError?.(this, error);
    this.#letGo();
  }

  /** The app keeps its controller as long as it likes, but no attempt with it; see Attempt. */
  #letGo(): void {
    this.#app = ENDED;
    this.#attempt = undefined;
  }

  #finish(status: number, now: number): void {
    this.#done = true;
    this.#cancelDeadlines();
    this.#tee?.close();
    this.#retry?.release();
    const outcome = {
      status,
      grpcStatus: this.#grpcStatus,
      requestBytes: this.#requestBytes,
      responseBytes: this.#responseBytes,
      endedAt: now,
    };
    this.#env.pipeline.end(this.#x, outcome);
    this.#env.telemetry.onEnd(this.#x, outcome);
    this.#env.onFinished();
  }

  #cancelDeadlines(): void {
    const { deadlines } = this.#env;
    if (this.queue !== undefined) deadlines.cancel(this);
    this.#timers?.stop();
    this.#endBackoff();
  }

  #responseOutcome(status: number, now: number): AttemptOutcome {
    return { kind: 'response', status, grpcStatus: this.#grpcStatus, latencyMs: now - this.#attempt!.startedAt };
  }
}

const ENDED: Dispatcher.DispatchHandler = {};
const CANCELLED: AttemptOutcome = { kind: 'cancelled' };
const LOCAL_RESET: AttemptOutcome = { kind: 'reset', reason: 'local-reset' };

function grpcStatusOf(headers: ResponseHeaders): number | undefined {
  const value = headers['grpc-status'];
  const status = Number(Array.isArray(value) ? value[0] : value);
  return value !== undefined && Number.isInteger(status) ? status : undefined;
}
