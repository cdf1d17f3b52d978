import { connect, type Socket } from 'node:net';

/** Where a captured connection was meant to go. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

/**
 * Opens a connection to a capturing listener (a number: a port of 127.0.0.1) as if the kernel had redirected one that `source` meant
 * for `destination`.
 */
export function capturedSocket(listener: number | Destination, destination: Destination, source: Partial<Destination> = {}): Socket {
  const { address, port } = typeof listener === 'number' ? { address: '127.0.0.1', port: listener } : listener;
  // Policies see the address in the PROXY line and the connection's own.
  const localAddress = source.address === undefined ? {} : { localAddress: source.address };
  const socket = connect({ host: address, port, noDelay: true, ...localAddress });
  const from = { address: '127.0.0.1', port: 40_000, ...source };
  socket.write(`PROXY TCP4 ${from.address} ${destination.address} ${from.port} ${destination.port}\r\n`);
  return socket;
}
