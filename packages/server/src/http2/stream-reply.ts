import { validateHeaderValue } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { type Exchange, encodeGrpcMessage, grpcStatusOfHttp, type LocalReply, type Pipeline } from '@ripstop/core';
import { bytesOf } from '../local-response.ts';
import { StreamResponseHead } from './stream-heads.ts';

/** Writes a {@link LocalReply} on an HTTP/2 stream as Envoy would send it; what the caller still sends is not waited for. */
export function replyOnStream(x: Exchange, reply: LocalReply, pipeline: Pipeline, stream: ServerHttp2Stream, wallTimeMs: number): void {
  const grpc = x.protocol === 'grpc';
  const body = grpc || reply.body === '' ? undefined : bytesOf(reply);
  const head = new StreamResponseHead(Object.create(null));
  head.status = grpc ? 200 : reply.status;
  // A connection header is HTTP/1's.
  for (const [name, value] of reply.headers) if (name !== 'connection') head.appendHeader(name.toLowerCase(), value);
  if (grpc) {
    head.setHeader('content-type', 'application/grpc');
    head.setHeader('grpc-status', String(reply.grpcStatus ?? grpcStatusOfHttp(reply.status)));
    if (reply.body !== '') head.setHeader('grpc-message', encodeGrpcMessage(reply.body));
  } else if (body !== undefined) {
    head.setHeader('content-length', String(body.byteLength));
    if (head.header('content-type') === undefined) head.setHeader('content-type', 'text/plain');
  }
  head.setHeader('date', new Date(wallTimeMs).toUTCString());
  if (x.manager.serverName !== '') head.setHeader('server', x.manager.serverName);
  pipeline.respond(x, head);
  // node:http2 sends any value.
  for (const [name, values] of Object.entries(head.headers)) for (const value of [values].flat()) validateHeaderValue(name, String(value));
  const bodiless = body === undefined || x.request.method === 'HEAD' || reply.status === 204;
  stream.respond(head.headers, { endStream: bodiless });
  if (!bodiless) stream.end(body);
  if (!stream.endAfterHeaders) stream.close(constants.NGHTTP2_NO_ERROR);
}
