import { connect, type Socket } from 'node:net';

/** Where a captured connection was meant to go. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** Opens a connection to a capturing listener as if the kernel had redirected one that was meant for `destination`. */
export function capturedSocket(listenerPort: number, destination: Destination, sourcePort = 40_000): Socket {
  const socket = connect({ host: '127.0.0.1', port: listenerPort, noDelay: true });
  socket.write(`PROXY TCP4 127.0.0.1 ${destination.address} ${sourcePort} ${destination.port}\r\n`);
  return socket;
}
