import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import {
  type Exchange,
  encodeGrpcMessage,
  grpcStatusOfHttp,
  type LocalReply,
  localReply,
  type Pipeline,
  type ResponseHead,
  rewrittenReply,
} from '@ripstop/core';
import { asksForUpgrade } from './request-target.ts';
import { ReplyHead } from './response-heads.ts';

/** In place of an answer that no response can carry. */
export const UNSENDABLE_REPLY: LocalReply = localReply({
  status: 500,
  details: 'ripstop_filter_failed',
  body: 'a filter of the mesh failed',
});

/** Writes a {@link LocalReply} as Envoy would send it: the one place on the server side that does. */
export function writeLocalReply(x: Exchange, reply: LocalReply, pipeline: Pipeline, response: ServerResponse, wallTimeMs: number): void {
  let body: Buffer | undefined;
  const lines: string[] = [];
  const closes = reply.headers.some(([name]) => name === 'connection');
  for (const [name, value] of reply.headers) if (name !== 'connection') lines.push(name.toLowerCase(), value);
  // In Envoy's order: the reply's own headers, then what the route does to responses, what the body demands, and the filters.
  const head = new ReplyHead(reply.status, lines);
  pipeline.respond(x, head, () => {
    const said = rewrittenReply(x, reply, head);
    body = bodyOf(x, said);
    setLength(head, body);
    describeBody(x, said, head, body);
  });
  setLength(head, body);
  head.appendHeader('date', new Date(wallTimeMs).toUTCString());
  if (x.manager.serverName !== '') head.setHeader('server', x.manager.serverName);
  // An empty answer to HEAD has no length: it would speak of the body that GET had.
  if (body === undefined && head.status !== 204 && x.request.method !== 'HEAD') head.appendHeader('content-length', '0');
  // A caller that is still sending its body would wait for somebody to read it: Envoy closes then.
  if (closes || isSending(response.req)) response.shouldKeepAlive = false;
  // node:http would write `Connection: keep-alive` and `Keep-Alive`, which Envoy does not.
  response.removeHeader('connection');
  // After a timeout: what the app has set so far is not the mesh's to send.
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  if (!response.shouldKeepAlive) head.lines.push('connection', 'close');
  response.writeHead(head.status, STATUS_CODES[head.status] ?? '', head.lines);
  response.end(response.req.method === 'HEAD' || head.status === 204 ? undefined : body);
}

/** The true length, whatever a reply or a filter says; one that is right stays where it stands. */
function setLength(head: ReplyHead, body: Buffer | undefined): void {
  const length = body === undefined ? undefined : String(body.byteLength);
  if (head.header('content-length') === length) return;
  head.removeHeader('content-length');
  if (length !== undefined) head.appendHeader('content-length', length);
}

/**
 * Whether a caller still sends, its body or what follows an upgrade. node:http calls a request complete only after its handler has run,
 * also one without a body.
 */
export function isSending(request: IncomingMessage): boolean {
  return asksForUpgrade(request) || (!request.complete && hasBody(request));
}

/** RFC 9112 §6: a request has a body when one of these says so. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

/** What a reply has to say, as it goes over the wire; nothing for gRPC, which says it in its head. */
export function bodyOf({ protocol }: Exchange, { body, bytes }: LocalReply): Buffer | undefined {
  if (protocol === 'grpc' || body === '') return undefined;
  return bytes === undefined ? Buffer.from(body) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Headers that a reply's body demands. A gRPC client reads the reply in its own words. */
export function describeBody(x: Exchange, reply: LocalReply, head: ResponseHead, body: Buffer | undefined): void {
  if (x.protocol === 'grpc') addGrpcStatus(head, reply, x.request.method);
  else if (body === undefined) head.removeHeader('content-type');
  else if (head.header('content-type') === undefined) head.setHeader('content-type', 'text/plain');
}

function addGrpcStatus(head: ResponseHead, reply: LocalReply, method: string): void {
  head.status = 200;
  head.setHeader('content-type', 'application/grpc');
  if (head.header('grpc-status') === undefined) head.setHeader('grpc-status', String(reply.grpcStatus ?? grpcStatusOfHttp(reply.status)));
  if (reply.body !== '' && method !== 'HEAD') head.setHeader('grpc-message', encodeGrpcMessage(reply.body));
}
