import type { Duplex } from 'node:stream';

/** Learns with which status an app answers an upgrade: it writes the status line itself. 0 = it never answered. */
export function watchStatusLine(socket: Duplex): () => number {
  let status = 0;
  const write = socket.write;
  socket.write = function (this: Duplex, chunk: unknown, ...rest: unknown[]): boolean {
    socket.write = write;
    status = readStatus(chunk);
    return (write as (...all: unknown[]) => boolean).call(this, chunk, ...rest);
  } as Duplex['write'];
  const { end } = socket;
  socket.end = function (this: Duplex, chunk?: unknown, ...rest: unknown[]): Duplex {
    socket.end = end;
    if (status === 0 && chunk !== undefined) status = readStatus(chunk);
    return (end as (...all: unknown[]) => Duplex).call(this, chunk, ...rest);
  } as Duplex['end'];
  return () => status;
}

function readStatus(chunk: unknown): number {
  const start =
    typeof chunk === 'string'
      ? chunk.slice(0, 16)
      : chunk instanceof Uint8Array
        ? Buffer.from(chunk.subarray(0, 16)).toString('latin1')
        : '';
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(start)?.[1] ?? 0);
}
