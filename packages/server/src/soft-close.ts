import type { Socket } from 'node:net';
import type { Clock } from '@ripstop/core';

/** Envoy's delayed_close_timeout. */
const DELAYED_CLOSE_MS = 1_000;

/**
 * Ends our side and reads on for a second at most. Closing a socket that has unread bytes resets it, and a reset may overtake the reply
 * that explains why.
 */
export function closeSoftly(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return;
  const timer = clock.setTimer(() => socket.destroy(), DELAYED_CLOSE_MS);
  socket.once('close', () => timer.cancel());
  socket.once('end', () => socket.destroy());
  socket.end();
  socket.resume();
}

/** node:http closes a connection after its last response by `destroySoon`; this one will be closed softly. */
export function closeSoftlyAtLast(socket: Socket, clock: Clock): void {
  let closing = false;
  socket.destroySoon = () => {
    if (closing) return;
    closing = true;
    closeSoftly(socket, clock);
  };
}
