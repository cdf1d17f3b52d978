import { type Exchange, encodeGrpcMessage, grpcStatusOfHttp, type LocalReply, rewrittenReply } from '@ripstop/core';
import { type ResponseHeaders, UpstreamHead } from './response-head.ts';

/** A local reply in its wire form. */
export interface LocalResponse {
  readonly head: UpstreamHead;
  readonly body: Buffer | undefined;
}

/**
 * Turns a {@link LocalReply} into the response that Envoy would send: the one place on the client side that does. In Envoy's order: the
 * reply's own headers, then what the route does to responses, what the body demands (`complete`), and the filters; then date and server.
 */
export function localResponse(
  x: Exchange,
  reply: LocalReply,
  wallTimeMs: number,
  respond: (head: UpstreamHead, complete: () => void) => void,
): LocalResponse {
  const headers: ResponseHeaders = {};
  for (const [name, value] of reply.headers) append(headers, name.toLowerCase(), value);
  const head = new UpstreamHead(reply.status, headers);
  let body: Buffer | undefined;
  respond(head, () => {
    const said = rewrittenReply(x, reply, head);
    body = x.protocol === 'grpc' ? grpc(head, said, x.request.method) : plain(head, said);
  });
  // An empty answer to HEAD has no length: it would speak of the body that GET had.
  const isHead = x.request.method === 'HEAD';
  if (body === undefined && head.status !== 204 && !isHead) headers['content-length'] = '0';
  headers.date = new Date(wallTimeMs).toUTCString();
  if (x.manager.serverName !== '') headers.server = x.manager.serverName;
  head.changed = true;
  return { head, body: isHead || head.status === 204 ? undefined : body };
}

function plain({ headers }: UpstreamHead, { body: text, bytes }: LocalReply): Buffer | undefined {
  if (text === '') {
    delete headers['content-length'];
    delete headers['content-type'];
    return undefined;
  }
  const body = bytes === undefined ? Buffer.from(text) : Buffer.from(bytes);
  headers['content-length'] = String(body.byteLength);
  headers['content-type'] ??= 'text/plain';
  return body;
}

function grpc(head: UpstreamHead, reply: LocalReply, method: string): undefined {
  const { headers } = head;
  head.status = 200;
  headers['content-type'] = 'application/grpc';
  headers['grpc-status'] ??= String(reply.grpcStatus ?? grpcStatusOfHttp(reply.status));
  if (reply.body !== '' && method !== 'HEAD') headers['grpc-message'] = encodeGrpcMessage(reply.body);
}

function append(headers: ResponseHeaders, name: string, value: string): void {
  const before = headers[name];
  headers[name] = before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value];
}
