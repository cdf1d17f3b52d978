import type { Endpoint } from '../cluster/cluster.ts';
import type { Exchange, ResponseHead } from '../exchange.ts';
import {
  maxDurationReply,
  requestTimeoutReply,
  resetDetail,
  resetFlag,
  resetReply,
  streamIdleReply,
  unresolvedReply,
} from '../local-replies.ts';
import { type LocalReply, localReply } from '../local-reply.ts';
import type { AttemptOutcome, ResetReason } from '../outcome.ts';
import type { Timer } from '../ports.ts';
import { ResponseFlag } from '../response-flags.ts';
import type { RetryState } from '../retry/retry-state.ts';
import { routeTimeoutOf, streamLimitOf } from '../route/grpc-timeout.ts';
import type { AttemptDriver, LiveAttempt, WalkEnvironment } from './attempt-driver.ts';
import { AttemptLoop, CANCELLED } from './attempt-loop.ts';
import { decideRoute, type RouteDecisionOwner } from './route-decision.ts';
import { type WalkTimeout, WalkTimers, type WalkTimersOwner } from './walk-timers.ts';

/**
 * One exchange from its route to its end: attempts → commit or local reply → outcome, and the time that it may take. It decides, its
 * driver moves the bytes; the same walk serves HTTP and gRPC. It is itself the entry of the route timeout, so that a request without
 * retries needs no other object.
 */
export class ExchangeWalk extends AttemptLoop implements RouteDecisionOwner, WalkTimersOwner {
  readonly x: Exchange;
  /** Response headers have gone to the app: no other attempt. */
  committed = false;
  done = false;
  /** The mesh has answered: what filters still wait for is for nobody. */
  replied = false;
  requestBytes = 0;
  responseBytes = 0;
  /** Of the last response; for telemetry. */
  grpcStatus: number | undefined = undefined;
  // What AttemptLoop works with.
  protected readonly env: WalkEnvironment;
  protected readonly driver: AttemptDriver;
  protected timers: WalkTimers | undefined = undefined;
  protected retry: RetryState | undefined = undefined;
  protected tried: Endpoint[] | undefined = undefined;
  protected backoff: Timer | undefined = undefined;
  private requestTimer: Timer | undefined = undefined;

  constructor(env: WalkEnvironment, x: Exchange, driver: AttemptDriver) {
    super();
    this.env = env;
    this.x = x;
    this.driver = driver;
  }

  /** Runs the route's decision; the driver hears `onRouted` or `onReply`, later when a filter takes its time. */
  begin(): void {
    decideRoute(this.env, this.x, this);
  }

  /** The first attempt. `complete`: the whole request is at hand, so that its timeout begins. */
  forward(now: number, complete: boolean): void {
    const { x, env, action } = this;
    this.askRequest();
    if (complete) this.startRouteTimeout(now);
    else this.limitRequest(now);
    const idleMs = action.idleTimeoutMs > 0 ? action.idleTimeoutMs : x.manager.streamIdleTimeoutMs;
    const maxStreamMs = x.cluster?.connection.maxStreamDurationMs ?? 0;
    const limitMs = streamLimitOf(x, action);
    if (WalkTimers.wanted(action, limitMs, maxStreamMs, idleMs))
      this.timers = new WalkTimers(env.deadlines, env.clock, action, { limitMs, maxStreamMs, idleMs }, this);
    this.try();
  }

  // ── the route's decision ──

  onRouted(now: number): void {
    if (!this.done && !this.replied) this.driver.onRouted(now);
  }

  onRefused(reply: LocalReply): void {
    if (!this.done && !this.replied) this.reply(reply);
  }

  onFilterError(error: Error): void {
    this.driver.onFilterError(error);
    this.onRefused(FILTER_FAILED);
  }

  onDefect(error: Error): void {
    this.driver.onFilterError(error);
    if (this.done) return;
    this.drop(CANCELLED);
    try {
      this.driver.onBreak(undefined, error);
    } catch (failure) {
      this.driver.onFilterError(failure instanceof Error ? failure : new Error(String(failure)));
    }
  }

  // ── what the driver reports ──

  /** The request is complete; a replay does not start its timeout again. */
  startRouteTimeout(now: number): void {
    const timeoutMs = routeTimeoutOf(this.x, this.action);
    if (timeoutMs <= 0) return;
    // The app's own deadline is the route's timeout: its driver keeps it, and one timer is enough.
    if (this.x.protocol === 'grpc' && this.x.deadline <= now + timeoutMs) return;
    this.x.deadline = Math.min(this.x.deadline, now + timeoutMs);
    this.env.deadlines.start(this, timeoutMs, now);
  }

  /** This attempt's connection stands. */
  startStream(attempt: LiveAttempt): void {
    if (this.timers !== undefined && attempt === this.attempt) this.timers.startStream();
  }

  /** This attempt's connection stands and the request is complete: per-try timers run from here (of a stream that stays open: never). */
  startTry(attempt: LiveAttempt): void {
    if (this.timers !== undefined && !this.committed && attempt === this.attempt) this.timers.startTry();
  }

  /** Something was sent or received. */
  touch(): void {
    this.timers?.touch();
  }

  /** There was no place for it in the queue for a connection. */
  onOverflow(attempt: LiveAttempt): void {
    attempt.lease.release(OVERFLOW);
    this.attempt = undefined;
    if (this.late !== undefined) return;
    this.x.endpoint = undefined;
    this.reply(resetReply('overflow', this.x.attempt, ''));
  }

  /** Response headers. False: another attempt takes the place of this one, whose lease is given back; the driver ends its stream. */
  onHead(attempt: LiveAttempt, head: ResponseHead, grpcStatus: number | undefined): boolean {
    attempt.lease.answered(head.status, grpcStatus);
    if (attempt.lease.wantsLoad) attempt.lease.reportLoad((name) => head.header(name));
    if (this.givesWay(attempt, head)) {
      attempt.lease.release(COMPLETE);
      return false;
    }
    this.committed = true;
    this.settleOn(attempt);
    this.timers?.onResponse();
    this.env.pipeline.respond(this.x, head);
    return true;
  }

  /** The connection is the app's now: no timeout of the mesh ends it. */
  onUpgrade(attempt: LiveAttempt, head: ResponseHead): void {
    attempt.lease.answered(head.status, undefined);
    this.committed = true;
    this.stopTimers();
    this.env.pipeline.respond(this.x, head);
  }

  /** The response has come to its end; the driver finishes. */
  onEnd(attempt: LiveAttempt): void {
    attempt.lease.release(COMPLETE);
  }

  /** The attempt broke off. `cause` comes back by `onBreak` when the app has seen response headers. */
  onReset(attempt: LiveAttempt, reason: ResetReason, cause?: unknown): void {
    if (this.done) return;
    attempt.lease.release({ kind: 'reset', reason });
    attempt.reset();
    const { x } = this;
    if (this.committed) {
      x.flags |= resetFlag(reason);
      x.details = `upstream_reset_after_response_started{${resetDetail(reason)}}`;
      this.driver.onBreak(undefined, cause);
      return;
    }
    if (!this.goesOnAfter(attempt, reason)) this.reply(resetReply(reason, x.attempt, x.transportFailure));
  }

  /** Nobody is called so (dynamic forward proxy): Envoy finds out before it makes an attempt, so no host is to blame and nothing is retried. */
  onUnresolved(attempt: LiveAttempt, why: string): void {
    if (this.done) return;
    attempt.lease.release(CANCELLED);
    attempt.reset();
    this.forget(attempt);
    this.x.endpoint = undefined;
    this.reply(unresolvedReply(why));
  }

  // ── endings ──

  /** No upstream's response: the app gets this. */
  reply(reply: LocalReply): void {
    const { x } = this;
    this.replied = true;
    this.drop(CANCELLED);
    this.stopTimers();
    x.flags |= reply.flags;
    x.details = reply.details;
    this.driver.onReply(reply);
  }

  /** The app has no further interest, or is itself to blame: says nothing about endpoints. The driver finishes. */
  cancel(): void {
    this.x.flags |= ResponseFlag.DownstreamConnectionTermination;
    this.x.details = 'downstream_remote_disconnect';
    this.drop(CANCELLED);
  }

  /** The exchange is over; called once. */
  finish(status: number): void {
    this.done = true;
    this.attempt = undefined;
    this.stopTimers();
    this.endRetries();
    const { env, x, grpcStatus, requestBytes, responseBytes } = this;
    const outcome = { status, grpcStatus, requestBytes, responseBytes, endedAt: env.clock.now() };
    try {
      env.pipeline.end(x, outcome);
    } catch (error) {
      this.driver.onFilterError(error instanceof Error ? error : new Error(String(error)));
    }
    env.telemetry.onEnd(x, outcome);
  }

  // ── timeouts ──

  /** The rest of the connection manager's time for a request; a response that comes before its end makes an end of that. */
  private limitRequest(now: number): void {
    const limitMs = this.x.manager.requestTimeoutMs ?? 0;
    if (limitMs <= 0) return;
    this.requestTimer = this.env.clock.setTimer(
      () => {
        if (!this.done && !this.committed && !this.driver.requestComplete) this.expire(LOCAL_RESET, requestTimeoutReply());
      },
      Math.max(0, this.x.startedAt + limitMs - now),
    );
  }

  /** Route timeout. */
  onDue(): void {
    if (!this.done) this.expire({ kind: 'reset', reason: 'global-timeout' }, resetReply('global-timeout', this.x.attempt, ''));
  }

  onTimeout(timeout: WalkTimeout): void {
    if (this.done) return;
    if (timeout === 'max-duration') this.expire(LOCAL_RESET, maxDurationReply());
    else if (timeout === 'idle') this.expire(LOCAL_RESET, streamIdleReply(this.driver.requestComplete));
    else if (this.committed) this.expire({ kind: 'reset', reason: timeout }, resetReply(timeout, this.x.attempt, ''));
    else if (this.attempt === undefined) return;
    else if (timeout === 'per-try-timeout' && this.action.hedgeOnPerTryTimeout === true) this.hedge(this.attempt);
    else this.onReset(this.attempt, timeout);
  }

  private expire(outcome: AttemptOutcome, reply: LocalReply): void {
    this.drop(outcome);
    if (!this.committed) {
      this.reply(reply);
      return;
    }
    this.x.flags |= reply.flags;
    this.x.details = reply.details;
    this.driver.onBreak(reply, undefined);
  }

  private stopTimers(): void {
    if (this.queue !== undefined) this.env.deadlines.cancel(this);
    this.timers?.stop();
    this.requestTimer?.cancel();
    this.endBackoff();
  }
}

const FILTER_FAILED = localReply({ status: 500, details: 'ripstop_filter_failed', body: 'a filter of the mesh failed' });
const LOCAL_RESET: AttemptOutcome = { kind: 'reset', reason: 'local-reset' };
const OVERFLOW: AttemptOutcome = { kind: 'reset', reason: 'overflow' };
const COMPLETE: AttemptOutcome = { kind: 'complete' };
