import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingHttpHeaders } from 'node:http2';
import type grpc from '@grpc/grpc-js';
import type { Cancel } from '@ripstop/core';

/** node:http2's own channel: told of each stream before anybody hears of it. */
const CHANNEL = 'http2.server.stream.created';
/** Carries the method to the interceptor. What a caller sends under this name is overwritten or taken away. */
const METHOD = 'x-ripstop-method';

/**
 * grpc-js serves a call whatever its `:method` says, and shows it to nobody; a policy about methods would be judged by a guess. `ours`
 * tells, in the async context of a stream, whether its connection is this guard's.
 */
export function keepMethods(ours: () => boolean): Cancel {
  const onStream = (message: unknown): void => {
    if (!ours()) return;
    const { headers } = message as { readonly headers: IncomingHttpHeaders };
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
