import type { Socket } from 'node:net';

/**
 * Carries bytes one way: no faster than they are taken, and the end of the one side becomes the end of the other's input (half-close).
 * `onBytes` is told of every piece.
 */
export function carryBytes(from: Socket, to: Socket, onBytes: (count: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    onBytes(chunk.length);
    if (!to.destroyed && !to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  // Who says nothing may have ended before anybody listened.
  if (from.readableEnded) to.end();
  else from.once('end', () => to.end());
}
