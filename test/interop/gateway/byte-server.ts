import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';

export interface ByteServerOptions {
  /** Sent first, before anything was read. */
  readonly greeting: (socket: Socket) => string;
  readonly tls?: TlsOptions;
  /** Resets the connection when this was read. */
  readonly resetsAt?: string;
}

/** Speaks first, echoes, and ends when its caller has ended. */
export class ByteServer implements AsyncDisposable {
  readonly port: number;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;

  static async start(options: ByteServerOptions): Promise<ByteServer> {
    const sockets = new Set<Socket>();
    const serve = (socket: Socket): void => {
      socket.on('error', () => {});
      socket.write(options.greeting(socket));
      socket.on('data', (chunk) => {
        if (options.resetsAt !== undefined && chunk.toString().includes(options.resetsAt)) socket.resetAndDestroy();
        else socket.write(chunk);
      });
      socket.on('end', () => socket.end('bye\n'));
    };
    const server =
      options.tls === undefined
        ? createServer({ allowHalfOpen: true }, serve)
        : createTlsServer({ ...options.tls, allowHalfOpen: true }, (socket: TLSSocket) => serve(socket));
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ByteServer(server, sockets);
  }

  private constructor(server: Server, sockets: Set<Socket>) {
    this.server = server;
    this.sockets = sockets;
    this.port = (server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
