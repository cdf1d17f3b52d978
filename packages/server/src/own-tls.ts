import { AsyncLocalStorage } from 'node:async_hooks';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';

type Secured = (socket: Socket) => void;
type SocketListener = (socket: object) => void;

/**
 * TLS that a server of node:https does by itself, with its own certificate, for callers outside of the mesh: its handshake is taken off
 * the port and off its requests, so that the gate stands before the one and the guard before the others.
 */
export class OwnTls {
  private readonly server: Server;
  /** Of a raw socket: the handshake. */
  private handshake: readonly SocketListener[] = [];
  /** Of a secured one: reading requests. */
  private requests: readonly SocketListener[] = [];
  /** Node does not say which raw socket a secured one stands on; it runs in the context in which that one was handed over. */
  private readonly waiting = new AsyncLocalStorage<Secured>();

  constructor(server: Server) {
    this.server = server;
  }

  attach(): void {
    const { server } = this;
    this.handshake = server.listeners('connection') as SocketListener[];
    this.requests = server.listeners('secureConnection') as SocketListener[];
    server.removeAllListeners('connection').removeAllListeners('secureConnection');
    server.on('secureConnection', this.onSecured);
  }

  /** Leaves the server as it was. */
  detach(): void {
    const { server } = this;
    server.off('secureConnection', this.onSecured);
    for (const listener of this.handshake) server.on('connection', listener);
    for (const listener of this.requests) server.on('secureConnection', listener);
  }

  /** Begins the app's own handshake. A caller that fails it is the server's matter (`tlsClientError`), and gone. */
  accept(raw: Socket, secured: Secured): void {
    this.waiting.run(secured, () => {
      for (const listener of this.handshake) listener.call(this.server, raw);
    });
  }

  /** Lets the server read requests from whatever socket. */
  read(socket: object): void {
    for (const listener of this.requests) listener.call(this.server, socket);
  }

  private readonly onSecured = (socket: Socket): void => {
    const secured = this.waiting.getStore();
    if (secured === undefined) socket.destroy();
    else secured(socket);
  };
}
