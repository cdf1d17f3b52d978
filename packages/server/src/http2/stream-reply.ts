import { validateHeaderValue } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { type Exchange, type LocalReply, type Pipeline, rewrittenReply } from '@ripstop/core';
import { bodyOf, describeBody } from '../local-response.ts';
import { StreamResponseHead } from './stream-heads.ts';

/** Writes a {@link LocalReply} on an HTTP/2 stream as Envoy would send it; what the caller still sends is not waited for. */
export function replyOnStream(x: Exchange, reply: LocalReply, pipeline: Pipeline, stream: ServerHttp2Stream, wallTimeMs: number): void {
  let body: Buffer | undefined;
  const head = new StreamResponseHead(Object.create(null));
  head.status = reply.status;
  // A connection header is HTTP/1's.
  for (const [name, value] of reply.headers) if (name !== 'connection') head.appendHeader(name.toLowerCase(), value);
  pipeline.respond(x, head, () => {
    const said = rewrittenReply(x, reply, head);
    body = bodyOf(x, said);
    describeBody(x, said, head, body);
  });
  head.removeHeader('content-length');
  if (body !== undefined) head.setHeader('content-length', String(body.byteLength));
  head.setHeader('date', new Date(wallTimeMs).toUTCString());
  if (x.manager.serverName !== '') head.setHeader('server', x.manager.serverName);
  // node:http2 sends any value.
  for (const [name, values] of Object.entries(head.headers)) for (const value of [values].flat()) validateHeaderValue(name, String(value));
  const bodiless = body === undefined || x.request.method === 'HEAD' || head.status === 204;
  stream.respond(head.headers, { endStream: bodiless });
  if (!bodiless) stream.end(body);
  if (stream.endAfterHeaders) return;
  stream.close(constants.NGHTTP2_NO_ERROR);
  // What a filter has left unread would keep the stream, and its exchange, for ever.
  stream.resume();
}
