import type { Lease } from '../cluster/cluster.ts';
import type { LocalReply } from '../local-reply.ts';
import type { Pipeline } from '../pipeline.ts';
import type { Clock, Random, TelemetrySink } from '../ports.ts';
import type { DeadlineQueues } from './deadline-queue.ts';

/** Keeps the process alive while an exchange waits for nothing but a timer. */
export interface Hold {
  take(): void;
  give(): void;
}

/** What every exchange of a driver shares. */
export interface WalkEnvironment {
  readonly pipeline: Pipeline;
  readonly deadlines: DeadlineQueues;
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: TelemetrySink;
  readonly hold: Hold;
}

/** One try at one endpoint, as the driver carries it out. */
export interface LiveAttempt {
  readonly lease: Lease;
  start(): void;
  /** Ends its stream; nothing of it is reported any more. The lease is the walk's business. Harmless when it has ended. */
  reset(): void;
}

/** The half of an exchange that moves bytes. The walk tells it what to do, it tells the walk what came. */
export interface AttemptDriver {
  /** The route's decision is made: prepare the request and call `walk.forward`, or refuse it by `walk.reply`. */
  onRouted(now: number): void;
  /** Not begun yet: `start` may report at once. */
  createAttempt(lease: Lease): LiveAttempt;
  /** False once the request can't be sent again from its start. */
  readonly replayable: boolean;
  /** The request has been sent, or at least handed over, as a whole. */
  readonly requestComplete: boolean;
  /** No upstream's response comes: the app gets this; then `walk.finish`. */
  onReply(reply: LocalReply): void;
  /** The response that has begun breaks off, on time (`reply` says which) or as the driver reported (`cause`); then `walk.finish`. */
  onBreak(reply: LocalReply | undefined, cause: unknown): void;
  /** A filter threw; the app gets a 500. */
  onFilterError(error: Error): void;
}
