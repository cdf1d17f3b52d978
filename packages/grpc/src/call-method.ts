import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type grpc from '@grpc/grpc-js';
import type { Cancel } from '@ripstop/core';
import { keepLines } from './stream-lines.ts';

/** node:http2's own channel: told of each stream before anybody hears of it. */
const CHANNEL = 'http2.server.stream.created';
/** Carries the method to the interceptor. What a caller sends under this name is overwritten or taken away. */
const METHOD = 'x-ripstop-method';

/**
 * grpc-js serves a call whatever its `:method` says, and shows it to nobody; a policy about methods would be judged by a guess. Of
 * several lines of a name it shows one text. `ours` tells, in the async context of a stream, whether its connection is this guard's;
 * `onSession` is called before the first stream of each is heard of.
 */
export function keepHeads(ours: () => boolean, onSession: (session: ServerHttp2Session) => void): Cancel {
  const known = new WeakSet<ServerHttp2Session>();
  const onStream = (message: unknown): void => {
    if (!ours()) return;
    const { stream, headers } = message as { readonly stream: ServerHttp2Stream; readonly headers: IncomingHttpHeaders };
    // node:http2 emits the stream after this channel has been told.
    const { session } = stream;
    if (session !== undefined && !known.has(session as ServerHttp2Session)) {
      known.add(session as ServerHttp2Session);
      keepLines(session as ServerHttp2Session);
      onSession(session as ServerHttp2Session);
    }
    const method = headers[':method'];
    if (method !== undefined && method !== 'POST') headers[METHOD] = method;
    else delete headers[METHOD];
  };
  subscribe(CHANNEL, onStream);
  return () => void unsubscribe(CHANNEL, onStream);
}

/** The method of a call, taken out of its metadata. */
export function takeMethod(metadata: grpc.Metadata): string {
  const [method] = metadata.get(METHOD);
  metadata.remove(METHOD);
  return typeof method === 'string' ? method : 'POST';
}
