import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type Clock, PREMATURE_MS, type ResetBudget } from '@ripstop/core';

/**
 * Counts the streams that the caller of a session takes back. Those that are gone when they are heard of end here: grpc-js would make a
 * call of each, with all that stands in front of its handler.
 */
export function countResets(session: ServerHttp2Session, budget: ResetBudget, clock: Clock): void {
  const emit = session.emit.bind(session) as (event: string, ...args: unknown[]) => boolean;
  session.emit = ((event: string, ...args: unknown[]) => {
    if (event !== 'stream') return emit(event, ...args);
    const [stream] = args as [ServerHttp2Stream, IncomingHttpHeaders];
    if (stream.destroyed || stream.closed) {
      stream.on('error', () => {}); // Nobody else will listen, and any caller can provoke one.
      budget.onUnheard(clock.now());
      return true;
    }
    const startedAt = clock.now();
    stream.on('close', () => budget.onEnded(isTakenBack(stream) && clock.now() - startedAt <= PREMATURE_MS));
    return emit(event, ...args);
  }) as ServerHttp2Session['emit'];
}

/** By its caller, before any response. */
function isTakenBack(stream: ServerHttp2Stream): boolean {
  return stream.sentHeaders?.[':status'] === undefined && (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR);
}
