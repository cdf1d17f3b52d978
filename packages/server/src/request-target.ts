import type { IncomingMessage } from 'node:http';
import { type LocalReply, localReply, ResponseFlag } from '@ripstop/core';
import type { InboundHead } from './inbound-head.ts';

const CLOSE = [['connection', 'close']] as const;
const MISSING_HOST = localReply({ status: 400, details: 'missing_host_header', headers: CLOSE });
const INVALID_AUTHORITY = invalid(400, 'http.invalid_authority', 'Bad Request');
const INVALID_URL = invalid(400, 'http1.invalid_url', 'Bad Request');
const INVALID_SCHEME = invalid(400, 'http1.invalid_scheme', 'Bad Request');
const LOW_VERSION = invalid(426, 'low_version', 'Upgrade Required');
const NOMINATED = invalid(400, 'http1.connection_header_rejected', 'Bad Request');
const ABSOLUTE_PATH_REJECTED = localReply({ status: 404, details: 'absolute_path_rejected' });
const UNKNOWN_CODING = invalid(501, 'http1.invalid_transfer_encoding', 'Not Implemented');
const TOO_MANY_HEADERS = invalid(431, 'http1.too_many_headers', 'Request Header Fields Too Large');
const UPGRADE_FAILED = localReply({ status: 403, details: 'upgrade_failed', headers: CLOSE });

function invalid(status: number, details: string, body: string): LocalReply {
  return localReply({ status, details, body, flags: ResponseFlag.DownstreamProtocolError, headers: CLOSE });
}

/** Envoy's max_headers_count; Host counts. */
const MAX_HEADERS = 100;

/**
 * What Envoy's codec and connection manager do to a request head before any filter: protocol version, framing, Host, absolute form. The
 * path and the authority that come out are what is authorised and what the app sees. A reply means that the request is none.
 */
export function settleTarget(message: IncomingMessage, head: InboundHead): LocalReply | undefined {
  if (message.httpVersionMajor === 1 && message.httpVersionMinor === 0) return LOW_VERSION;
  if (message.rawHeaders.length > 2 * MAX_HEADERS) return TOO_MANY_HEADERS;
  const coding = message.headers['transfer-encoding'];
  // node:http takes any list that ends in chunked and hands the rest of the codings to the app undecoded.
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return UNKNOWN_CODING;
  if (head.method === 'CONNECT') return undefined;
  const target = head.path;
  if (target.charCodeAt(0) !== SLASH) {
    const refused = settleUnusual(head, target);
    if (refused !== undefined) return refused;
  }
  // An empty one is allowed (RFC 9112 §3.2); it meets only what takes any host.
  if (head.authority === '' && message.headers.host === undefined) return MISSING_HOST;
  if (head.authority !== '' && !isAuthority(head.authority)) return INVALID_AUTHORITY;
  const connection = message.headers.connection;
  if (connection === undefined || connection === 'keep-alive') return undefined;
  return settleNominated(head, connection);
}

/** An upgrade that the connection manager does not list. HTTP/2 by upgrade is never taken up, so the header is ignored as Envoy does. */
export function refusedUpgrade(message: IncomingMessage, upgrades: readonly string[]): LocalReply | undefined {
  const type = message.headers.upgrade?.toLowerCase();
  if (type === undefined || type === 'h2c' || !/(?:^|,)\s*upgrade\s*(?:,|$)/i.test(message.headers.connection ?? '')) return undefined;
  return upgrades.includes(type) ? undefined : UPGRADE_FAILED;
}

const SLASH = 0x2f;
const ABSOLUTE = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)(.*)$/i;

function settleUnusual(head: InboundHead, target: string): LocalReply | undefined {
  if (target === '*') return head.method === 'OPTIONS' ? ABSOLUTE_PATH_REJECTED : INVALID_URL;
  const match = ABSOLUTE.exec(target);
  if (match === null) return INVALID_URL;
  const [, scheme, authority, rest] = match as unknown as [string, string, string, string];
  if (!/^https?$/i.test(scheme)) return INVALID_SCHEME;
  if (!isAuthority(authority)) return INVALID_URL;
  if (rest.startsWith('?')) return ABSOLUTE_PATH_REJECTED;
  // The absolute form's host replaces the Host header (RFC 9112 §3.2.2).
  head.authority = authority;
  head.path = rest === '' || rest.startsWith('#') ? '/' : rest;
  return undefined;
}

/** Headers that the connection header names belong to this hop and go, before any filter could be deceived by them. */
function settleNominated(head: InboundHead, connection: string): LocalReply | undefined {
  for (const entry of connection.split(',')) {
    const name = entry.trim().toLowerCase();
    if (name === 'x-forwarded-for' || name === 'x-forwarded-proto' || name.startsWith(':')) return NOMINATED;
    if (name === 'host') return MISSING_HOST;
    // These mean something to node:http and to the upgrade path.
    if (name === '' || name === 'close' || name === 'keep-alive' || name === 'upgrade' || name === 'http2-settings' || name === 'te')
      continue;
    head.removeHeader(name);
  }
  return undefined;
}

/**
 * Envoy refuses a Host with blanks, `/ # ? \ " < >` or bytes beyond ASCII. User information, escapes, commas (two Host lines, joined) and
 * ports that are none are refused here alone: apps and policies read them differently.
 */
function isAuthority(text: string): boolean {
  if (!/^[\x21-\x7e]+$/.test(text) || /[/#?\\"<>@%,]/.test(text)) return false;
  const port = /^(?:\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  return port !== null && (port[1] === undefined || Number(port[1]) <= 65_535);
}
