import { STATUS_CODES } from 'node:http';
import { type Clock, type LocalReply, localReply, ResponseFlag, type SnapshotRef } from '@ripstop/core';
import type { InboundConnection } from './inbound-connection.ts';
import { closeSoftly } from './soft-close.ts';

/** What node:http's parser reports. */
export interface ParserError extends Error {
  readonly code?: string;
  /** llhttp's own words. */
  readonly reason?: string;
}

type Answer = readonly [status: number, body: string, details: string];

const BAD_REQUEST: Answer = [400, 'Bad Request', 'http1.codec_error'];
const LENGTH_AND_CHUNKED: Answer = [400, 'Bad Request', 'http1.content_length_and_chunked_not_allowed'];
const LOW_VERSION: Answer = [426, 'Upgrade Required', 'low_version'];
const ANSWERS: Readonly<Record<string, Answer>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'http1.headers_too_large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload Too Large', 'request_payload_too_large'],
  HPE_INVALID_TRANSFER_ENCODING: [501, 'Not Implemented', 'http1.invalid_transfer_encoding'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'request_header_timeout'],
};

/** What answers bytes that are no HTTP request, as Envoy's codec does; undefined = the connection failed, nobody is there to answer. */
export function replyToParserError({ code = '', reason = '' }: ParserError): LocalReply | undefined {
  if (!code.startsWith('HPE_') && code !== 'ERR_HTTP_REQUEST_TIMEOUT') return undefined;
  if (code === 'HPE_INVALID_EOF_STATE') return undefined; // The caller closed in the middle of a request.
  const [status, body, details] = answerTo(code, reason);
  const headers = [['connection', 'close']] as const;
  return localReply({ status, body, details, flags: ResponseFlag.DownstreamProtocolError, headers });
}

function answerTo(code: string, reason: string): Answer {
  // The parser has one code for a coding that it does not know and for one beside a length, which Envoy tells apart.
  if (code === 'HPE_INVALID_TRANSFER_ENCODING' && reason.includes('Content-Length')) return LENGTH_AND_CHUNKED;
  // And one for versions and for an HTTP/2 preface that is none.
  if (reason === 'Invalid HTTP version') return LOW_VERSION;
  return ANSWERS[code] ?? BAD_REQUEST;
}

/** Refuses what came on a connection: as the answer to the request whose body it is, else behind all responses that are due. */
export function refuseBytes(reply: LocalReply, connection: InboundConnection, snapshots: SnapshotRef, clock: Clock): void {
  const { latest, socket } = connection;
  if (latest?.receiving === true) {
    latest.reply(reply);
    return;
  }
  connection.endWith(() => {
    const snapshot = snapshots.current;
    const server = (snapshot === undefined ? undefined : connection.manager(snapshot)?.serverName) ?? '';
    if (socket.writable) socket.write(render(reply, server, clock.wallTime()));
    closeSoftly(socket, clock);
  });
}

function render({ status, body }: LocalReply, server: string, wallTimeMs: number): string {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-length: ${body.length}`,
    'content-type: text/plain',
    `date: ${new Date(wallTimeMs).toUTCString()}`,
    ...(server === '' ? [] : [`server: ${server}`]),
    'connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
