import { type Exchange, encodeGrpcMessage, grpcStatusOfHttp, isGrpcContentType, type LocalReply } from '@ripstop/core';
import type { ResponseHeaders } from './response-head.ts';

/** A local reply in its wire form. */
export interface LocalResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: Buffer | undefined;
}

/** Turns a {@link LocalReply} into the response that Envoy would send: the one place on the client side that does. */
export function localResponse(x: Exchange, reply: LocalReply, wallTimeMs: number): LocalResponse {
  if (x.protocol === 'grpc' || isGrpcContentType(x.request.header('content-type'))) return grpcResponse(x, reply, wallTimeMs);
  const headers: ResponseHeaders = {};
  for (const [name, value] of reply.headers) append(headers, name.toLowerCase(), value);
  const body = reply.body === '' ? undefined : Buffer.from(reply.body);
  // An empty answer to HEAD has none: it would speak of the body that GET had.
  if (reply.status !== 204 && (body !== undefined || x.request.method !== 'HEAD'))
    headers['content-length'] = String(body?.byteLength ?? 0);
  if (body !== undefined) headers['content-type'] ??= 'text/plain';
  stamp(x, headers, wallTimeMs);
  return { status: reply.status, headers, body: x.request.method === 'HEAD' || reply.status === 204 ? undefined : body };
}

function grpcResponse(x: Exchange, reply: LocalReply, wallTimeMs: number): LocalResponse {
  const headers: ResponseHeaders = {
    'content-type': 'application/grpc',
    'grpc-status': String(reply.grpcStatus ?? grpcStatusOfHttp(reply.status)),
  };
  if (reply.body !== '') headers['grpc-message'] = encodeGrpcMessage(reply.body);
  for (const [name, value] of reply.headers) append(headers, name.toLowerCase(), value);
  headers['content-length'] = '0';
  stamp(x, headers, wallTimeMs);
  return { status: 200, headers, body: undefined };
}

function stamp(x: Exchange, headers: ResponseHeaders, wallTimeMs: number): void {
  headers.date = new Date(wallTimeMs).toUTCString();
  if (x.manager.serverName !== '') headers.server = x.manager.serverName;
}

function append(headers: ResponseHeaders, name: string, value: string): void {
  const before = headers[name];
  headers[name] = before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value];
}
