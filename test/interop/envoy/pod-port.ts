import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { capturedSocket } from './captured-socket.ts';

/** The source address of an Envoy's own connections to its app (Istio: inbound clusters bind to it so that iptables lets them through). */
const LOOP_GUARD = '127.0.0.6';

/**
 * One port of a pod as iptables makes it: connections from outside go to the sidecar's inbound listener, with the address they were
 * meant for; the sidecar's own, which come from 127.0.0.6, reach the app.
 */
export class PodPort implements AsyncDisposable {
  readonly port: number;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private appPort = 0;
  private inboundPort = 0;

  /** The port is known before anything stands behind it, because YAML has to name it. */
  static async open(): Promise<PodPort> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return new PodPort(server);
  }

  private constructor(server: Server) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => this.accept(socket));
  }

  serve({ appPort, inboundPort }: { readonly appPort: number; readonly inboundPort: number }): void {
    this.appPort = appPort;
    this.inboundPort = inboundPort;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(socket: Socket): void {
    const own = socket.remoteAddress === LOOP_GUARD;
    const onward = own
      ? connect({ host: '127.0.0.1', port: this.appPort, noDelay: true })
      : capturedSocket(this.inboundPort, { address: '127.0.0.1', port: this.port }, { port: socket.remotePort ?? 0 });
    join(socket, onward);
    for (const end of [socket, onward]) {
      this.sockets.add(end);
      end.on('close', () => this.sockets.delete(end));
    }
  }
}

/** Bytes both ways; an end that breaks breaks the other. */
function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.on('error', () => to.resetAndDestroy()); // Whoever talks over it sees the broken connection; that is the report.
    from.on('close', () => to.destroySoon());
  }
}
