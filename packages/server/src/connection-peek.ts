import type { Socket } from 'node:net';
import type { Clock } from '@ripstop/core';
import { type FirstBytes, readFirstBytes } from './client-hello.ts';

/** Envoy's default listener_filters_timeout. Istio turns it off; a silent caller does not hold a socket here for ever. */
export const PEEK_TIMEOUT_MS = 15_000;

/**
 * Looks at a connection's first bytes and puts them back. `done` is called once, with undefined when the caller went away or stayed
 * silent; the socket is the callee's then.
 */
export function peekConnection(socket: Socket, clock: Clock, done: (first: FirstBytes | undefined) => void): void {
  let seen: Buffer | undefined;
  const finish = (first: FirstBytes | undefined): void => {
    timer.cancel();
    socket.off('readable', onReadable);
    socket.off('end', onGone);
    socket.off('close', onGone);
    if (seen !== undefined && !socket.destroyed) socket.unshift(seen);
    done(first);
  };
  const onGone = (): void => finish(undefined);
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = seen === undefined ? chunk : Buffer.concat([seen, chunk]);
    const first = readFirstBytes(seen);
    if (first.kind !== 'more') finish(first);
  };
  const timer = clock.setTimer(onGone, PEEK_TIMEOUT_MS);
  socket.on('readable', onReadable);
  socket.once('end', onGone);
  socket.once('close', onGone);
}
