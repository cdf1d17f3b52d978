import type { Clock } from '../ports.ts';
import type { RetryPolicy } from '../retry/retry-policy.ts';
import type { ForwardAction } from '../route/route.ts';
import type { DeadlineQueues } from './deadline-queue.ts';
import { IdleDeadline } from './idle-deadline.ts';
import { StepDeadline } from './step-deadline.ts';

/** Which of an exchange's timers ran out; the route timeout is kept by the walk itself. */
export type WalkTimeout = 'max-stream-duration' | 'per-try-timeout' | 'per-try-idle-timeout' | 'idle' | 'max-duration';

export interface WalkTimersOwner {
  onTimeout(timeout: WalkTimeout): void;
}

/** Milliseconds, 0 = none. */
export interface StreamLimits {
  /** Of the exchange as a whole. */
  readonly limitMs: number;
  /** Of one attempt's stream (the cluster's). */
  readonly maxStreamMs: number;
  readonly idleMs: number;
}

/** The timers that few routes configure; an exchange has this object only when its route does. */
export class WalkTimers {
  private readonly queues: DeadlineQueues;
  private readonly clock: Clock;
  private readonly routeTimeoutMs: number;
  private readonly retry: RetryPolicy | undefined;
  private readonly owner: WalkTimersOwner;
  private readonly maxDuration: StepDeadline | undefined;
  private readonly idle: IdleDeadline | undefined;
  private readonly maxStreamMs: number;
  private maxStream: StepDeadline | undefined;
  private perTry: StepDeadline | undefined;
  private perTryIdle: IdleDeadline | undefined;

  constructor(
    queues: DeadlineQueues,
    clock: Clock,
    action: ForwardAction,
    { limitMs, maxStreamMs, idleMs }: StreamLimits,
    owner: WalkTimersOwner,
  ) {
    this.queues = queues;
    this.clock = clock;
    this.routeTimeoutMs = action.timeoutMs;
    this.retry = action.retry;
    this.owner = owner;
    this.maxStreamMs = maxStreamMs;
    if (limitMs > 0) {
      this.maxDuration = new StepDeadline(() => owner.onTimeout('max-duration'));
      queues.start(this.maxDuration, limitMs, clock.now());
    }
    if (idleMs > 0) this.idle = new IdleDeadline(queues, clock, idleMs, () => owner.onTimeout('idle'));
  }

  /** True when a route, its listener or its cluster configures one of these timers. */
  static wanted(action: ForwardAction, limitMs: number, maxStreamMs: number, idleMs: number): boolean {
    const { retry } = action;
    return (
      maxStreamMs > 0 || limitMs > 0 || idleMs > 0 || (retry !== undefined && (retry.perTryTimeoutMs > 0 || retry.perTryIdleTimeoutMs > 0))
    );
  }

  /** A try has its connection. */
  startStream(): void {
    if (this.maxStreamMs <= 0) return;
    this.maxStream ??= new StepDeadline(() => this.owner.onTimeout('max-stream-duration'));
    this.queues.cancel(this.maxStream);
    this.queues.start(this.maxStream, this.maxStreamMs, this.clock.now());
  }

  /** A try has its connection and the request is complete. */
  startTry(): void {
    const policy = this.retry;
    if (policy === undefined) return;
    this.endSteps();
    if (policy.perTryIdleTimeoutMs > 0) {
      this.perTryIdle = new IdleDeadline(this.queues, this.clock, policy.perTryIdleTimeoutMs, () =>
        this.owner.onTimeout('per-try-idle-timeout'),
      );
    }
    // Envoy ignores a per-try timeout that the route's own would beat.
    if (policy.perTryTimeoutMs > 0 && (this.routeTimeoutMs <= 0 || policy.perTryTimeoutMs < this.routeTimeoutMs)) {
      this.perTry ??= new StepDeadline(() => this.owner.onTimeout('per-try-timeout'));
      this.queues.start(this.perTry, policy.perTryTimeoutMs, this.clock.now());
    }
  }

  touch(): void {
    this.idle?.touch();
    this.perTryIdle?.touch();
  }

  /** Response headers end the per-try timeout; the idle ones go on. */
  onResponse(): void {
    if (this.perTry !== undefined) this.queues.cancel(this.perTry);
    this.touch();
  }

  endTry(): void {
    if (this.maxStream !== undefined) this.queues.cancel(this.maxStream);
    this.endSteps();
  }

  stop(): void {
    this.endTry();
    this.idle?.stop();
    if (this.maxDuration !== undefined) this.queues.cancel(this.maxDuration);
  }

  private endSteps(): void {
    if (this.perTry !== undefined) this.queues.cancel(this.perTry);
    this.perTryIdle?.stop();
    this.idle?.touch();
  }
}
