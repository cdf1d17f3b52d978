import type { Clock, ForwardAction, RetryPolicy } from '@ripstop/core';
import type { DeadlineQueues } from './deadline-queue.ts';
import { IdleDeadline } from './idle-deadline.ts';
import { StepDeadline } from './step-deadline.ts';

/** Which of an exchange's timers ran out; the route timeout is kept by the exchange itself. */
export type StreamTimeout = 'per-try-timeout' | 'per-try-idle-timeout' | 'idle' | 'max-duration';

/** The timers that few routes configure; an exchange has this object only when its route does. */
export class StreamDeadlines {
  readonly #queues: DeadlineQueues;
  readonly #clock: Clock;
  readonly #routeTimeoutMs: number;
  readonly #retry: RetryPolicy | undefined;
  readonly #onTimeout: (timeout: StreamTimeout) => void;
  readonly #maxDuration: StepDeadline | undefined;
  readonly #idle: IdleDeadline | undefined;
  #perTry: StepDeadline | undefined;
  #perTryIdle: IdleDeadline | undefined;

  constructor(queues: DeadlineQueues, clock: Clock, action: ForwardAction, idleMs: number, onTimeout: (timeout: StreamTimeout) => void) {
    this.#queues = queues;
    this.#clock = clock;
    this.#routeTimeoutMs = action.timeoutMs;
    this.#retry = action.retry;
    this.#onTimeout = onTimeout;
    if (action.maxStreamDurationMs > 0) {
      this.#maxDuration = new StepDeadline(() => onTimeout('max-duration'));
      queues.start(this.#maxDuration, action.maxStreamDurationMs, clock.now());
    }
    if (idleMs > 0) this.#idle = new IdleDeadline(queues, clock, idleMs, () => onTimeout('idle'));
  }

  /** True when a route or its listener configures one of these timers. */
  static wanted(action: ForwardAction, idleMs: number): boolean {
    const { retry } = action;
    return (
      action.maxStreamDurationMs > 0 || idleMs > 0 || (retry !== undefined && (retry.perTryTimeoutMs > 0 || retry.perTryIdleTimeoutMs > 0))
    );
  }

  /** A try has its connection and the request is written. */
  startTry(): void {
    const policy = this.#retry;
    if (policy === undefined) return;
    this.endTry();
    if (policy.perTryIdleTimeoutMs > 0) {
      this.#perTryIdle = new IdleDeadline(this.#queues, this.#clock, policy.perTryIdleTimeoutMs, () =>
        this.#onTimeout('per-try-idle-timeout'),
      );
    }
    // Envoy ignores a per-try timeout that the route's own would beat.
    if (policy.perTryTimeoutMs > 0 && (this.#routeTimeoutMs <= 0 || policy.perTryTimeoutMs < this.#routeTimeoutMs)) {
      this.#perTry ??= new StepDeadline(() => this.#onTimeout('per-try-timeout'));
      this.#queues.start(this.#perTry, policy.perTryTimeoutMs, this.#clock.now());
    }
  }

  touch(): void {
    this.#idle?.touch();
    this.#perTryIdle?.touch();
  }

  /** Response headers end the per-try timeout; the idle ones go on. */
  onResponse(): void {
    if (this.#perTry !== undefined) this.#queues.cancel(this.#perTry);
    this.touch();
  }

  endTry(): void {
    if (this.#perTry !== undefined) this.#queues.cancel(this.#perTry);
    this.#perTryIdle?.stop();
    this.#idle?.touch();
  }

  stop(): void {
    this.endTry();
    this.#idle?.stop();
    if (this.#maxDuration !== undefined) this.#queues.cancel(this.#maxDuration);
  }
}
