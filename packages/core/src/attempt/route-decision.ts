import type { Exchange } from '../exchange.ts';
import type { LocalReply } from '../local-reply.ts';
import type { WalkEnvironment } from './attempt-driver.ts';

/** Hears exactly one of these, unless the exchange ends before. */
export interface RouteDecisionOwner {
  /** A cluster is chosen: attempts may begin. `now` is the clock's. */
  onRouted(now: number): void;
  onRefused(reply: LocalReply): void;
  /** A filter threw or rejected. */
  onFilterError(error: Error): void;
  /** Even the refusal failed: nothing can be said to whoever asked, and nobody else is to pay for it. */
  onDefect(error: Error): void;
}

/** Route, filters and cluster of an exchange; at once, unless a filter answers a promise. */
export function decideRoute(env: WalkEnvironment, x: Exchange, owner: RouteDecisionOwner): void {
  let verdict: LocalReply | undefined | Promise<LocalReply | undefined>;
  try {
    verdict = env.pipeline.begin(x);
  } catch (error) {
    owner.onFilterError(asError(error));
    return;
  }
  if (verdict === undefined) owner.onRouted(x.startedAt);
  else if (verdict instanceof Promise) decideLater(env, verdict, owner);
  else owner.onRefused(verdict);
}

function decideLater({ hold, clock }: WalkEnvironment, verdict: Promise<LocalReply | undefined>, owner: RouteDecisionOwner): void {
  hold.take();
  verdict
    .finally(() => hold.give())
    .then((reply) => (reply === undefined ? owner.onRouted(clock.now()) : owner.onRefused(reply)))
    .catch((error: unknown) => owner.onFilterError(asError(error)))
    .catch((error: unknown) => owner.onDefect(asError(error)));
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
