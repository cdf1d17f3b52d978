import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Connections are let in for so long, and then the event loop looks after everybody else. */
const SLICE_MS = 4;

/**
 * Listens, and lets connections in a few at a time: hundreds that arrive in one round of the event loop (a control plane that comes
 * back) would hold it up until the last of them has its HTTP/2 session. A connection is not read before it is let in.
 */
export class Arrivals {
  private readonly letIn: (socket: Socket) => void;
  private readonly listeners: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly waiting: Socket[] = [];
  private next = 0;

  constructor(letIn: (socket: Socket) => void) {
    this.letIn = letIn;
  }

  /** Answers the port. Rejects when it is taken. */
  async listen(host: string, port: number): Promise<number> {
    const listener = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.arrived(socket));
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen({ host, port }, () => {
        listener.off('error', reject);
        resolve();
      });
    });
    this.listeners.push(listener);
    return (listener.address() as AddressInfo).port;
  }

  /** Takes no more; whoever was not let in yet never will be. Resolves when everybody has gone. */
  async close(): Promise<void> {
    const gone = this.listeners.splice(0).map((listener) => new Promise<void>((resolve) => listener.close(() => resolve())));
    for (const socket of this.waiting.splice(this.next)) socket.destroy();
    await Promise.all(gone);
  }

  /** Ends every connection. */
  destroy(): void {
    void this.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private arrived(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    socket.on('error', () => {}); // `close` follows.
    this.waiting.push(socket);
    if (this.waiting.length === 1) setImmediate(() => this.admit());
  }

  private admit(): void {
    const endMs = performance.now() + SLICE_MS;
    while (this.next < this.waiting.length) {
      const socket = this.waiting[this.next++]!;
      if (!socket.destroyed) {
        this.letIn(socket);
        socket.resume();
      }
      if (performance.now() < endMs || this.next === this.waiting.length) continue;
      setImmediate(() => this.admit());
      return;
    }
    this.waiting.length = 0;
    this.next = 0;
  }
}
