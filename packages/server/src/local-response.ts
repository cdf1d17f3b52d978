import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { type Exchange, encodeGrpcMessage, grpcStatusOfHttp, type LocalReply, type Pipeline } from '@ripstop/core';
import { ReplyHead } from './response-heads.ts';

/** Writes a {@link LocalReply} as Envoy would send it: the one place on the server side that does. */
export function writeLocalReply(x: Exchange, reply: LocalReply, pipeline: Pipeline, response: ServerResponse, wallTimeMs: number): void {
  const grpc = x.protocol === 'grpc';
  const body = grpc || reply.body === '' ? undefined : Buffer.from(reply.body);
  const lines: string[] = [];
  const closes = reply.headers.some(([name]) => name === 'connection');
  for (const [name, value] of reply.headers) if (name !== 'connection') lines.push(name.toLowerCase(), value);
  if (grpc) addGrpcStatus(lines, reply);
  else if (body !== undefined) {
    lines.push('content-length', String(body.byteLength));
    if (!lines.includes('content-type')) lines.push('content-type', 'text/plain');
  }
  lines.push('date', new Date(wallTimeMs).toUTCString());
  if (x.manager.serverName !== '') lines.push('server', x.manager.serverName);
  if (body === undefined && reply.status !== 204 && x.request.method !== 'HEAD') lines.push('content-length', '0');
  const head = new ReplyHead(grpc ? 200 : reply.status, lines);
  pipeline.respond(x, head);
  // A caller that is still sending its body would wait for somebody to read it: Envoy closes then.
  if (closes || isSending(response.req)) response.shouldKeepAlive = false;
  // node:http would write `Connection: keep-alive` and `Keep-Alive`, which Envoy does not.
  response.removeHeader('connection');
  // After a timeout: what the app has set so far is not the mesh's to send.
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  if (!response.shouldKeepAlive) head.lines.push('connection', 'close');
  response.writeHead(head.status, STATUS_CODES[head.status] ?? '', head.lines);
  response.end(response.req.method === 'HEAD' || reply.status === 204 ? undefined : body);
}

/** Whether a caller still sends its body. node:http calls a request complete only after its handler has run, also one without a body. */
export function isSending(request: IncomingMessage): boolean {
  return !request.complete && hasBody(request);
}

/** RFC 9112 §6: a request has a body when one of these says so. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

function addGrpcStatus(lines: string[], reply: LocalReply): void {
  lines.push('content-type', 'application/grpc', 'grpc-status', String(reply.grpcStatus ?? grpcStatusOfHttp(reply.status)));
  if (reply.body !== '') lines.push('grpc-message', encodeGrpcMessage(reply.body));
}
