import type { ResetReason } from '@ripstop/core';

/** The connection could not be made, with the reason that the access log prints. */
export class ConnectError extends Error {
  readonly code = 'RIPSTOP_CONNECT';
  readonly reason: ResetReason;
  readonly transportFailure: string;

  constructor(reason: ResetReason, transportFailure: string, cause?: unknown) {
    super(transportFailure, { cause });
    this.name = 'ConnectError';
    this.reason = reason;
    this.transportFailure = transportFailure;
  }
}

/** The connection went away before anything of the request was written to it: the request simply takes another one. */
export class ConnectionGoneError extends Error {
  readonly code = 'RIPSTOP_CONNECTION_GONE';

  constructor() {
    super('the connection was closed before the request was written');
    this.name = 'ConnectionGoneError';
  }
}

/** Given to undici when it is about to send a refused stream once more: whether and where to is the retry policy's to say. */
export const REFUSED_AGAIN: Error = new Error('the peer refused the stream');

const APP_ERRORS = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH', 'UND_ERR_ABORTED']);
const PROTOCOL_ERRORS = new Set(['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'UND_ERR_RES_EXCEEDED_MAX_SIZE']);

/** True when the app's own input is to blame (bad header, wrong content-length): it gets the error itself, no response. */
export function isAppError(error: Error): boolean {
  return APP_ERRORS.has(codeOf(error));
}

/** Why the host that was dialled has no address, as Envoy says it; undefined when it has one. */
export function lookupFailure(error: Error): string | undefined {
  const cause = error instanceof ConnectError ? (error.cause as { code?: string; syscall?: string } | undefined) : undefined;
  if (cause?.syscall !== 'getaddrinfo') return undefined;
  return cause.code === 'ENOTFOUND' ? 'cares_norecords:Domain_name_not_found' : `getaddrinfo:${cause.code}`;
}

/** Envoy's reset reason for an error that undici gave us on a connection that stood. */
export function resetReasonOf(error: Error): ResetReason {
  if (error instanceof ConnectError) return error.reason;
  if (error === REFUSED_AGAIN || error instanceof ConnectionGoneError) return 'refused-stream';
  const code = codeOf(error);
  if (error.name === 'HTTPParserError' || PROTOCOL_ERRORS.has(code)) return 'protocol-error';
  if (error.message.includes('NGHTTP2_REFUSED_STREAM')) return 'refused-stream';
  if (error.message.includes('NGHTTP2_PROTOCOL_ERROR')) return 'protocol-error';
  if (code === 'ERR_HTTP2_STREAM_ERROR' || error.message.includes('NGHTTP2_') || error.message.startsWith('HTTP/2: stream'))
    return 'remote-reset';
  return 'connection-termination';
}

/** The same for a response that had begun: Envoy's HTTP/1 codec sees a body cut short as a protocol error. */
export function brokenReasonOf(reason: ResetReason, http2: boolean): ResetReason {
  if (reason === 'refused-stream') return 'remote-reset';
  return http2 || reason === 'remote-reset' ? reason : 'protocol-error';
}

function codeOf(error: Error): string {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : '';
}
