import { AsyncLocalStorage } from 'node:async_hooks';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@ripstop/core';
import { type SecureAppServer, speaksHttp2 } from './app-server.ts';
import type { Spoken } from './connection-gate.ts';
import { HANDSHAKE_TIMEOUT_MS } from './tls-acceptor.ts';

type Secured = (socket: Socket, spoken: Spoken) => void;
type SocketListener = (socket: object) => void;

/**
 * TLS that a server of node:https or node:http2 does by itself, with its own certificate, for callers outside of the mesh: its handshake
 * is taken off the port and off its requests, so that the gate stands before the one and the guard before the others.
 */
export class OwnTls {
  private readonly server: SecureAppServer;
  private readonly clock: Clock;
  private readonly takesHttp2: boolean;
  /** Of a raw socket: the handshake. */
  private handshake: readonly SocketListener[] = [];
  /** Of a secured one: reading requests. */
  private requests: readonly SocketListener[] = [];
  /** Node does not say which raw socket a secured one stands on; it runs in the context in which that one was handed over. */
  private readonly waiting = new AsyncLocalStorage<Secured>();

  constructor(server: SecureAppServer, clock: Clock) {
    this.server = server;
    this.clock = clock;
    this.takesHttp2 = speaksHttp2(server);
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

  /**
   * Begins the app's own handshake. A caller that fails it is the server's matter (`tlsClientError`), and gone; who is slow with it is
   * gone as one of the mesh would be, whatever Node allows (120 s).
   */
  accept(raw: Socket, secured: Secured): void {
    const timer = this.clock.setTimer(() => raw.destroy(), HANDSHAKE_TIMEOUT_MS);
    raw.once('close', () => timer.cancel());
    const outside = AsyncLocalStorage.snapshot();
    const inTime: Secured = (socket, spoken) => {
      timer.cancel();
      outside(() => secured(socket, spoken)); // As in TlsAcceptor.
    };
    this.waiting.run(inTime, () => {
      for (const listener of this.handshake) listener.call(this.server, raw);
    });
  }

  /** Lets the server read requests from whatever socket. */
  read(socket: object): void {
    for (const listener of this.requests) listener.call(this.server, socket);
  }

  private readonly onSecured = (socket: TLSSocket): void => {
    const secured = this.waiting.getStore();
    if (secured === undefined) socket.destroy();
    else secured(socket, this.spokenOn(socket));
  };

  /** As node:http2 itself decides. */
  private spokenOn({ alpnProtocol }: TLSSocket): Spoken {
    return !this.takesHttp2 || alpnProtocol === false || alpnProtocol === 'http/1.1' ? 'http1' : 'http2';
  }
}
