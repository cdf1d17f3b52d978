import { connect, type Socket } from 'node:net';
import type { Reply } from '../observation.ts';

/** Envoy closes a connection that it has answered up to a second later; who says nothing for longer says nothing. */
const SILENCE_MS = 1500;

/** The part of a Clock that a call needs. */
export interface CallClock {
  now(): number;
  setTimer(run: () => void, delayMs: number): { cancel(): void };
}

const realClock: CallClock = {
  now: () => performance.now(),
  setTimer: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Over a socket of the machine. */
export function rawReply(port: number, bytes: string, localAddress: string): Promise<Reply> {
  return rawReplyOver(connect({ port, host: '127.0.0.1', localAddress }), bytes, realClock);
}

/** Writes bytes as they are (one character, one byte) and reads the first response. Status 0: there was none. */
export function rawReplyOver(socket: Socket, bytes: string, clock: CallClock): Promise<Reply> {
  const started = clock.now();
  return new Promise((resolve) => {
    let received = '';
    const finish = (): void => {
      timer.cancel();
      socket.destroy();
      resolve({ ...parse(received), tookMs: clock.now() - started });
    };
    const timer = clock.setTimer(finish, SILENCE_MS);
    socket.write(bytes, 'latin1');
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (isComplete(received)) finish();
    });
    socket.on('error', finish); // A reset is an answer, too: status 0.
    socket.on('close', finish);
  });
}

function isComplete(text: string): boolean {
  const { status, headers, body } = parse(text);
  if (status === 0 || !text.includes('\r\n\r\n')) return false;
  if (status === 101) return body !== '';
  if (headers['transfer-encoding'] !== undefined) return body.endsWith('0\r\n\r\n');
  return body.length >= Number(headers['content-length'] ?? Number.POSITIVE_INFINITY);
}

function parse(text: string): Omit<Reply, 'tookMs'> {
  const [head = '', ...rest] = text.replace(/^HTTP\/1\.1 10[02-9] [\s\S]*?\r\n\r\n/, '').split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).toLowerCase();
    const value = line.slice(at + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0), headers, body: rest.join('\r\n\r\n') };
}
