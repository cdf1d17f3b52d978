import type { IncomingMessage } from 'node:http';
import { type HttpConnectionManager, isAuthority, type LocalReply, localReply, ResponseFlag } from '@ripstop/core';
import type { InboundHead } from './inbound-head.ts';

const CLOSE = [['connection', 'close']] as const;
export const MISSING_HOST: LocalReply = localReply({ status: 400, details: 'missing_host_header', headers: CLOSE });
export const QUERY_WITHOUT_TYPE: LocalReply = localReply({ status: 400, details: 'query_missing_content_type', headers: CLOSE });
export const CODEC_ERROR: LocalReply = invalid(400, 'http1.codec_error', 'Bad Request');
export const INVALID_AUTHORITY: LocalReply = invalid(400, 'http.invalid_authority', 'Bad Request');
const INVALID_URL = invalid(400, 'http1.invalid_url', 'Bad Request');
const INVALID_SCHEME = invalid(400, 'http1.invalid_scheme', 'Bad Request');
const INVALID_TRANSFER_ENCODING = invalid(501, 'http1.invalid_transfer_encoding', 'Not Implemented');
const LOW_VERSION = invalid(426, 'low_version', 'Upgrade Required');
const TOO_MANY_HEADERS = invalid(431, 'http1.too_many_headers', 'Request Header Fields Too Large');
const UNDERSCORE = invalid(400, 'http1.unexpected_underscore', 'Bad Request');
const NOMINATED = invalid(400, 'http1.connection_header_rejected', 'Bad Request');
export const REPEATED_AUTHORIZATION: LocalReply = invalid(400, 'ripstop_repeated_authorization', 'Bad Request');
export const ABSOLUTE_PATH_REJECTED: LocalReply = localReply({ status: 404, details: 'absolute_path_rejected' });
const UPGRADE_FAILED = localReply({ status: 403, details: 'upgrade_failed', headers: CLOSE });

/** Envoy's default of max_headers_count; Host counts. */
export const MAX_HEADER_LINES = 100;

function invalid(status: number, details: string, body: string): LocalReply {
  return localReply({ status, details, body, flags: ResponseFlag.DownstreamProtocolError, headers: CLOSE });
}

/**
 * What Envoy's codec and connection manager do to a request line before any filter: protocol version, framing, Host, absolute form. The
 * path and the authority that come out are what is authorised and what the app sees. A reply means that the request is none.
 */
export function settleTarget(message: IncomingMessage, head: InboundHead, maxHeaders: number = MAX_HEADER_LINES): LocalReply | undefined {
  const target = head.path;
  if (head.method === 'CONNECT' && !isConnectTarget(target)) return INVALID_URL;
  if (message.httpVersionMajor !== 1 || message.httpVersionMinor !== 1) return LOW_VERSION;
  const { headers } = message;
  if (message.rawHeaders.length > 2 * maxHeaders) return TOO_MANY_HEADERS;
  if (headers['transfer-encoding'] !== undefined && head.header('transfer-encoding')?.toLowerCase() !== 'chunked')
    return INVALID_TRANSFER_ENCODING;
  if (head.method === 'CONNECT') {
    // An authority and no path: no rule about paths speaks of it.
    head.authority = target;
    head.path = '';
    return undefined;
  }
  if (head.method === 'M-SEARCH') return CODEC_ERROR; // node:http knows it, Envoy does not.
  if (target.charCodeAt(0) !== SLASH) {
    const refused = settleUnusual(head, target);
    if (refused !== undefined) return refused;
  }
  if (headers.host === undefined) return MISSING_HOST;
  if (!isAuthority(head.authority)) return INVALID_AUTHORITY;
  if (headers.authorization !== undefined && head.headerLines('authorization').length > 1) return REPEATED_AUTHORIZATION;
  if (head.method === 'QUERY' && headers['content-type'] === undefined) return QUERY_WITHOUT_TYPE;
  const { connection } = headers;
  if (connection === undefined || connection === 'keep-alive') return undefined;
  return settleNominated(head, connection);
}

/** `DROP_HEADER` takes them away, `REJECT_REQUEST` refuses. */
export function settleUnderscores(head: InboundHead, action: HttpConnectionManager['underscores']): LocalReply | undefined {
  if (action === undefined) return undefined;
  return head.dropUnderscores() && action === 'REJECT_REQUEST' ? UNDERSCORE : undefined;
}

/** An upgrade that the connection manager does not list. HTTP/2 by upgrade is never taken up, so the header is ignored as Envoy does. */
export function refusedUpgrade(message: IncomingMessage, upgrades: readonly string[]): LocalReply | undefined {
  if (!asksForUpgrade(message)) return undefined;
  return upgrades.includes(message.headers.upgrade!.toLowerCase()) ? undefined : UPGRADE_FAILED;
}

/** Whether what comes after the request would be another protocol; HTTP/2 by upgrade is not taken up. */
export function asksForUpgrade(message: IncomingMessage): boolean {
  const { upgrade } = message.headers;
  return upgrade !== undefined && !isH2cUpgrade(message) && nominatesUpgrade(message);
}

/** A request that goes on as HTTP/1.1 though it offers HTTP/2. */
export function isH2cUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'h2c';
}

function nominatesUpgrade({ headers }: IncomingMessage): boolean {
  return /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(headers.connection ?? '');
}

const SLASH = 0x2f;
const ABSOLUTE = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i;

function settleUnusual(head: InboundHead, target: string): LocalReply | undefined {
  if (target === '*') return head.method === 'OPTIONS' ? ABSOLUTE_PATH_REJECTED : INVALID_URL;
  const match = ABSOLUTE.exec(target);
  if (match === null) return INVALID_URL;
  const [, scheme, written, rest] = match as unknown as [string, string, string, string];
  if (!/^https?$/i.test(scheme)) return INVALID_SCHEME;
  const authority = written.slice(written.lastIndexOf('@') + 1); // Envoy drops userinfo here.
  if (authority === '' || !isAuthority(authority)) return INVALID_URL;
  if (rest.startsWith('?')) return ABSOLUTE_PATH_REJECTED;
  // The absolute form's host replaces the Host header (RFC 9112 §3.2.2), its scheme the connection's.
  head.authority = authority;
  head.givenScheme = scheme.toLowerCase() as 'http' | 'https';
  head.path = rest === '' || rest.startsWith('#') ? '/' : rest;
  return undefined;
}

export function isConnectTarget(target: string): boolean {
  return isAuthority(target) && /:\d+$/.test(target);
}

/** Headers that the connection header names belong to this hop and go, before any filter could be deceived by them. */
function settleNominated(head: InboundHead, connection: string): LocalReply | undefined {
  for (const entry of connection.split(',')) {
    const name = entry.trim().toLowerCase();
    if (name === 'x-forwarded-for' || name === 'x-forwarded-proto' || name.startsWith(':')) return NOMINATED;
    if (name === 'host') return MISSING_HOST;
    if (!KEPT_NOMINATED.has(name)) head.removeHeader(name);
  }
  return undefined;
}

/** These mean something to node:http, to its body and to the upgrade path. */
const KEPT_NOMINATED: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'upgrade',
  'te',
  'connection',
  'content-length',
  'transfer-encoding',
]);
