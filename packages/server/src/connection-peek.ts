import type { Socket } from 'node:net';
import type { Clock } from '@ripstop/core';
import { type FirstBytes, readFirstBytes } from './client-hello.ts';
import { type ProxyHeader, readProxyHeader } from './proxy-header.ts';

/** Envoy's default listener_filters_timeout. Istio turns it off; a silent caller does not hold a socket here for ever. */
export const PEEK_TIMEOUT_MS = 15_000;

/**
 * Looks at a connection's first bytes and puts them back. `done` is called once, with undefined when the caller went away or stayed
 * silent; the socket is the callee's then.
 */
export function peekConnection(socket: Socket, clock: Clock, done: (first: FirstBytes | undefined) => void): void {
  whenKnown(socket, clock, readFirstBytes, done);
}

/** Takes the header of the PROXY protocol off a connection; `done` as above, and undefined also when there is no such header. */
export function takeProxyHeader(socket: Socket, clock: Clock, done: (header: ReadHeader | undefined) => void): void {
  whenKnown(socket, clock, readProxyHeader, (header) => done(header?.kind === 'header' ? header : undefined));
}

type ReadHeader = Extract<ProxyHeader, { readonly kind: 'header' }>;

/** Reads until `read` knows, and puts back all but the `length` bytes of what was found. */
function whenKnown<T extends { readonly kind: string; readonly atBytes?: number; readonly length?: number }>(
  socket: Socket,
  clock: Clock,
  read: (bytes: Buffer) => T,
  done: (found: T | undefined) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let atBytes = 1;
  /** All that was read, in one piece. */
  const join = (): Buffer => {
    if (chunks.length > 1) chunks.splice(0, chunks.length, Buffer.concat(chunks));
    return chunks[0]!;
  };
  const finish = (found: T | undefined): void => {
    timer.cancel();
    socket.off('readable', onReadable);
    socket.off('end', onGone);
    socket.off('close', onGone);
    // Nothing can be put back behind the end.
    if (bytes > 0 && socket.readable) socket.unshift(join().subarray(found?.length ?? 0));
    // Reading itself may find it lost.
    done(socket.destroyed ? undefined : found);
  };
  const onGone = (): void => finish(undefined);
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < atBytes) return;
    const found = read(join());
    if (found.kind !== 'more') finish(found);
    else atBytes = found.atBytes ?? bytes;
  };
  const timer = clock.setTimer(onGone, PEEK_TIMEOUT_MS);
  socket.on('readable', onReadable);
  socket.once('end', onGone);
  socket.once('close', onGone);
}
