import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { SnapshotRef } from '@ripstop/core';
import type { InboundConnection } from './inbound-connection.ts';

interface ParserError extends Error {
  readonly code?: string;
  readonly reason?: string;
}

const ANSWERS: Readonly<Record<string, readonly [status: number, reason: string, body: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'Request Header Fields Too Large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'Payload Too Large', 'Payload Too Large'],
  HPE_INVALID_TRANSFER_ENCODING: [501, 'Not Implemented', 'Not Implemented'],
  HPE_INVALID_VERSION: [426, 'Upgrade Required', 'Upgrade Required'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'request timeout'],
};
const BAD_REQUEST = [400, 'Bad Request', 'Bad Request'] as const;

/** Answers what is no HTTP request as Envoy's codec does, unless the app has a listener of its own for it. */
export function answerClientErrors(
  server: Server,
  connectionOf: (socket: Socket) => InboundConnection | undefined,
  snapshots: SnapshotRef,
): void {
  server.on('clientError', (error: ParserError, stream) => {
    const socket = stream as Socket;
    if (server.listenerCount('clientError') > 1) return;
    if (socket.destroyed) return;
    if (!socket.writable || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const [status, reason, body] = answerTo(error);
    const snapshot = snapshots.current;
    const name = (snapshot === undefined ? undefined : connectionOf(socket)?.manager(snapshot)?.serverName) ?? '';
    const lines = [
      `HTTP/1.1 ${status} ${reason}`,
      `content-length: ${body.length}`,
      'content-type: text/plain',
      `date: ${new Date().toUTCString()}`,
      ...(name === '' ? [] : [`server: ${name}`]),
      'connection: close',
    ];
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
  });
}

/** The parser has one code for a coding that it does not know and for one beside a length, which Envoy tells apart. */
function answerTo({ code = '', reason = '' }: ParserError): readonly [status: number, reason: string, body: string] {
  if (code === 'HPE_INVALID_TRANSFER_ENCODING' && reason.includes('Content-Length')) return BAD_REQUEST;
  return ANSWERS[code] ?? BAD_REQUEST;
}
