import { type Clock, type Exchange, type LocalReply, requestTimeoutReply, type Timer } from '@ripstop/core';

/** An exchange whose request is still coming. */
export interface TimedRequest {
  readonly x: Exchange;
  /** The rest of its request is still to come, and nothing of a response has gone out. */
  readonly awaitsRequest: boolean;
  reply(reply: LocalReply): void;
}

/** Ends the wait for a request's last byte when the connection manager's time is up (request_timeout). Undefined where there is no limit. */
export function timeRequest(served: TimedRequest, clock: Clock): Timer | undefined {
  const limitMs = served.x.manager.requestTimeoutMs ?? 0;
  if (limitMs <= 0) return undefined;
  return clock.setTimer(() => {
    if (served.awaitsRequest) served.reply(requestTimeoutReply());
  }, limitMs);
}
