import type { RequestHead } from '@ripstop/core';
import type { Dispatcher } from 'undici';
import { forwardableLines } from './forwardable-lines.ts';

/** undici reads `servername` of any request, though its types name it only for connections. */
export interface StreamOptions extends Dispatcher.DispatchOptions {
  readonly servername: string;
}

/** A request as undici's codec wants it, once its head is as it goes out. */
export function streamOptions(request: RequestHead, body: unknown, upgrade: string | undefined): StreamOptions {
  return {
    path: request.path,
    method: request.method,
    headers: forwardableLines(request),
    body: body as Dispatcher.DispatchOptions['body'],
    upgrade: upgrade ?? null,
    // undici would close the connection after every HEAD.
    reset: request.method === 'HEAD' ? false : undefined,
    // Any name: without one undici looks for an IP address in the Host header by a large regular expression.
    servername: 'mesh',
    // One request per connection: undici needn't guard a pipeline.
    blocking: false,
  };
}
