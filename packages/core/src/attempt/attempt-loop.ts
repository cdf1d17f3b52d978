import { type Endpoint, isLease } from '../cluster/cluster.ts';
import type { Exchange, ResponseHead } from '../exchange.ts';
import type { LocalReply } from '../local-reply.ts';
import type { AttemptOutcome, ResetReason } from '../outcome.ts';
import type { Timer } from '../ports.ts';
import { ResponseFlag } from '../response-flags.ts';
import { RetryState, wantsRetryOf } from '../retry/retry-state.ts';
import type { ForwardAction } from '../route/route.ts';
import type { AttemptDriver, LiveAttempt, WalkEnvironment } from './attempt-driver.ts';
import { recordEndpoint, reselectionOf } from './reselection.ts';
import { RunningAttempts } from './running-attempts.ts';
import type { WalkTimers } from './walk-timers.ts';

/**
 * Which attempt comes next: one at a host that the cluster gives, another one after a backoff where the retry policy wants it, one
 * beside a slow one where the route hedges. A base class for the reason that {@link RunningAttempts} is one; its state stands in the
 * class below it, because fields and a constructor of its own cost every request 14 ns (of 91).
 */
export abstract class AttemptLoop extends RunningAttempts {
  abstract readonly x: Exchange;
  protected abstract readonly env: WalkEnvironment;
  protected abstract readonly driver: AttemptDriver;
  protected abstract timers: WalkTimers | undefined;
  /** Made when the first attempt fails. */
  protected abstract retry: RetryState | undefined;
  protected abstract tried: Endpoint[] | undefined;
  protected abstract backoff: Timer | undefined;

  get action(): ForwardAction {
    return this.x.route!.action as ForwardAction;
  }

  /** No attempt answers: the app gets this. */
  abstract reply(reply: LocalReply): void;

  /** What the retry policy asks of the request it asks before the first attempt: attempts change it. */
  protected askRequest(): void {
    if (this.action.retry?.retriableRequestHeaders?.length) this.retry = this.createRetry();
  }

  protected try(): void {
    const { x } = this;
    const cluster = x.cluster!;
    x.attempt++;
    x.transportFailure = '';
    const leased = cluster.acquire(x, reselectionOf(this.action.retry, this.tried));
    if (!isLease(leased)) {
      // A breaker refuses this attempt only; without any host Envoy gives the others up too.
      if (this.late === undefined || (leased.flags & ResponseFlag.UpstreamOverflow) === 0) this.reply(leased);
      return;
    }
    const { endpoint } = leased;
    x.endpoint = endpoint;
    if (x.decision !== undefined) recordEndpoint(x.decision, x.attempt, endpoint, cluster);
    this.env.pipeline.beforeAttempt(x);
    const attempt = this.driver.createAttempt(leased);
    this.attempt = attempt;
    attempt.start();
  }

  /** Of response headers: true when the app is to get those of another attempt. */
  protected givesWay(attempt: LiveAttempt, head: ResponseHead): boolean {
    const policy = this.action.retry;
    if (policy === undefined) return false;
    if (this.retry === undefined && !wantsRetryOf(policy, head)) return false;
    // Hedged already, or no other may follow: it is left out only while another one may still do better.
    const newest = this.late === undefined || this.attempt === attempt;
    const delayMs = newest && this.driver.replayable ? this.retryState.onResponse(head) : undefined;
    if (delayMs !== undefined) this.retryAfter(attempt, delayMs);
    else if (this.othersAnswer(attempt) && wantsRetryOf(policy, head)) this.forget(attempt);
    else return false;
    return true;
  }

  /** Of an attempt that broke off before its response: true when another one follows or still runs. */
  protected goesOnAfter(attempt: LiveAttempt, reason: ResetReason): boolean {
    const newest = this.forget(attempt);
    const delayMs = newest && this.action.retry !== undefined && this.driver.replayable ? this.retryState.onReset(reason) : undefined;
    if (delayMs === undefined) return this.othersAnswer(attempt);
    this.retryAfter(attempt, delayMs);
    return true;
  }

  /** The attempt goes on; another one follows while there are retries, whatever the policy's conditions (as Envoy). */
  protected hedge(attempt: LiveAttempt): void {
    attempt.lease.late();
    const delayMs = this.action.retry !== undefined && this.driver.replayable ? this.retryState.onSlow() : undefined;
    if (delayMs === undefined) return;
    this.keepBeside(attempt);
    this.retryAfter(attempt, delayMs);
  }

  /** Its response is the app's: everything else ends. */
  protected settleOn(attempt: LiveAttempt): void {
    if (this.late === undefined && this.backoff === undefined) return;
    this.forget(attempt);
    this.drop(CANCELLED);
    this.endBackoff();
    this.attempt = attempt;
    this.x.endpoint = attempt.lease.endpoint;
  }

  protected endBackoff(): void {
    if (this.backoff === undefined) return;
    this.backoff.cancel();
    this.backoff = undefined;
    this.env.hold.give();
  }

  /** The exchange is over. */
  protected endRetries(): void {
    this.retry?.release();
  }

  /** Another attempt runs or is about to. */
  private othersAnswer(attempt: LiveAttempt): boolean {
    return this.backoff !== undefined || this.runsBeside(attempt);
  }

  private get retryState(): RetryState {
    this.retry ??= this.createRetry();
    return this.retry;
  }

  private createRetry(): RetryState {
    const { x, env, action } = this;
    return new RetryState(action.retry!, x, x.cluster!, env.random, env.clock);
  }

  private retryAfter(attempt: LiveAttempt, delayMs: number): void {
    this.x.decision?.add('retry', `after ${Math.round(delayMs)} ms on another connection`, this.x.route?.source);
    this.tried ??= [];
    this.tried.push(attempt.lease.endpoint);
    this.attempt = undefined;
    this.timers?.endTry();
    this.env.hold.take();
    this.backoff = this.env.clock.setTimer(() => {
      this.endBackoff();
      this.try();
    }, delayMs);
  }
}

export const CANCELLED: AttemptOutcome = { kind: 'cancelled' };
