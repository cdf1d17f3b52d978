import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';

/** What a caller does on a connection of its own. */
export interface ByteCall {
  /** Absent: no TLS. */
  readonly tls?: ConnectionOptions;
  /** Written when the connection stands. */
  readonly send?: string;
  /** Its own direction is ended behind what was sent. */
  readonly ends?: boolean;
  /** Ends the connection when this was read. */
  readonly until?: string;
  /** Ends it by a reset instead. */
  readonly resets?: boolean;
}

/** What the caller saw of it. */
export interface ByteOutcome {
  readonly received: string;
  /** Who ended it, and how: `reset` = an error, or not one byte of a handshake. */
  readonly end: 'ended' | 'reset' | 'left' | 'silent';
  readonly alpn: string;
  readonly certificate: string;
}

const SILENCE_MS = 2_500;

/** Makes a call. A connection on which nothing happens any more is given up. */
export function byteCall(port: number, call: ByteCall): Promise<ByteOutcome> {
  return new Promise((resolve) => {
    const secure = call.tls !== undefined;
    const address = { host: '127.0.0.1', port, allowHalfOpen: true };
    const socket: Socket = secure ? tlsConnect({ ...address, rejectUnauthorized: false, ...call.tls }) : connect(address);
    let received = '';
    let settled = false;
    const settle = (end: ByteOutcome['end']): void => {
      if (settled) return;
      settled = true;
      clearTimeout(silence);
      const { alpnProtocol } = socket as TLSSocket;
      const certificate = secure ? ((socket as TLSSocket).getPeerX509Certificate()?.fingerprint256 ?? '') : '';
      resolve({ received, end, alpn: typeof alpnProtocol === 'string' ? alpnProtocol : '', certificate });
      if (call.resets === true) socket.resetAndDestroy();
      else socket.destroy();
    };
    const silence = setTimeout(() => settle('silent'), SILENCE_MS);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      if (call.send !== undefined) socket.write(call.send);
      if (call.ends === true) socket.end();
    });
    socket.on('data', (chunk) => {
      received += chunk;
      if (call.until !== undefined && received.includes(call.until)) settle('left');
    });
    socket.on('end', () => settle('ended'));
    socket.on('error', () => settle('reset'));
    socket.on('close', () => settle('reset'));
  });
}
