import { METHODS } from 'node:http';
import { constants } from 'node:http2';
import { isAuthority, type LocalReply } from '@ripstop/core';
import type { InboundHead } from '../inbound-head.ts';
import {
  ABSOLUTE_PATH_REJECTED,
  CODEC_ERROR,
  INVALID_AUTHORITY,
  isConnectTarget,
  MAX_HEADER_LINES,
  MISSING_HOST,
  QUERY_WITHOUT_TYPE,
  REPEATED_AUTHORIZATION,
} from '../request-target.ts';
import type { StreamMessage } from './stream-message.ts';

/** A stream is refused by a reply, or reset with an HTTP/2 error code where Envoy lets go of the caller without a word. */
export type StreamRefusal = LocalReply | number;

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR } = constants;
/** Envoy's max_request_headers_kb. */
const MAX_HEADER_BYTES = 60 * 1024;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const SCHEME = /^[a-z][a-z0-9+.-]*$/i;
const NODE_METHODS: ReadonlySet<string> = new Set(METHODS);

/**
 * What Envoy's HTTP/2 codec and connection manager do before any filter; nghttp2 has refused most of what is malformed before.
 * `http1App`: the app's server reads HTTP/1, so the method must be one that node:http knows.
 */
export function settleStream(
  message: StreamMessage,
  head: InboundHead,
  http1App: boolean,
  maxHeaders: number = MAX_HEADER_LINES,
): StreamRefusal | undefined {
  if (message.fields > maxHeaders || message.bytes > MAX_HEADER_BYTES) return NGHTTP2_INTERNAL_ERROR;
  const { method, url } = message;
  if (!TOKEN.test(method)) return NGHTTP2_PROTOCOL_ERROR;
  // Envoy passes any token on, and `methods: [GET]` would miss `get` (docs/reference/differences.md).
  if (/[a-z]/.test(method) || (http1App && !NODE_METHODS.has(method))) return CODEC_ERROR;
  if (method === 'CONNECT') {
    if (!isConnectTarget(head.authority)) return NGHTTP2_PROTOCOL_ERROR;
    message.url = '';
    return undefined;
  }
  if (!SCHEME.test(message.scheme)) return NGHTTP2_PROTOCOL_ERROR;
  const scheme = message.scheme.toLowerCase();
  // Another scheme than these two gives way to the connection's.
  if (scheme === 'http' || scheme === 'https') head.givenScheme = scheme;
  if (url === '*' && method === 'OPTIONS') return ABSOLUTE_PATH_REJECTED;
  if (!url.startsWith('/')) return NGHTTP2_PROTOCOL_ERROR;
  const { headers } = message;
  if (headers.host === undefined) return MISSING_HOST;
  if (head.authority === '') return NGHTTP2_PROTOCOL_ERROR;
  if (!isAuthority(head.authority)) return INVALID_AUTHORITY;
  if (headers.authorization !== undefined && head.headerLines('authorization').length > 1) return REPEATED_AUTHORIZATION;
  if (method === 'QUERY' && headers['content-type'] === undefined) return QUERY_WITHOUT_TYPE;
  return undefined;
}
