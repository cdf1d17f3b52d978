import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Paced } from './paced.ts';

interface ArrivalOptions {
  /** Whoever says nothing for so long after it came is not a client, ms. An HTTP/2 client speaks at once. Default: 30,000. */
  readonly firstWordsMs?: number;
  /** While it says no, those who connect wait (paced.ts: not for long). Default: there is room. */
  readonly hasRoom?: () => boolean;
}

const FIRST_WORDS_MS = 30_000;

/**
 * Listens, and lets connections in that have said something, a few at a time: hundreds that come together (a control plane that is back)
 * would hold up the event loop until the last of them has its HTTP/2 session and its first answer. Hundreds that go together (a rollout,
 * a network that is gone) are closed a few at a time as well.
 */
export class Arrivals {
  private readonly listeners: Server[] = [];
  private readonly sockets = new Set<Socket>();
  /** Those of them that are not let in yet. */
  private readonly outside = new Set<Socket>();
  private readonly arriving: Paced<Socket>;
  private readonly leaving = new Paced<Socket>((socket) => socket.end());
  private readonly firstWordsMs: number;

  constructor(letIn: (socket: Socket) => void, { firstWordsMs = FIRST_WORDS_MS, hasRoom }: ArrivalOptions = {}) {
    this.firstWordsMs = firstWordsMs;
    this.arriving = new Paced((socket) => {
      this.outside.delete(socket);
      if (!socket.destroyed) letIn(socket);
    }, hasRoom);
  }

  /** Answers the port. Rejects when it is taken. */
  async listen(host: string, port: number): Promise<number> {
    const listener = createServer({ noDelay: true }, (socket) => this.arrived(socket));
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

  /** When the peer of a connection, or of what TLS made of it, has ended, so does this side, in its turn. */
  endInTurn(socket: Socket): void {
    socket.allowHalfOpen = true;
    socket.once('end', () => this.leaving.add(socket));
  }

  /** Takes no more; whoever is not let in yet never will be. Resolves when everybody has gone. */
  async close(): Promise<void> {
    const gone = this.listeners.splice(0).map((listener) => new Promise<void>((resolve) => listener.close(() => resolve())));
    for (const socket of this.outside) socket.destroy();
    await Promise.all(gone);
  }

  /** Ends every connection. */
  destroy(): void {
    void this.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private arrived(socket: Socket): void {
    this.sockets.add(socket);
    this.outside.add(socket);
    socket.once('close', () => {
      this.sockets.delete(socket);
      this.outside.delete(socket);
    });
    socket.on('error', () => {}); // `close` follows.
    const giveUp = (): void => {
      socket.destroy();
    };
    socket.setTimeout(this.firstWordsMs, giveUp);
    socket.once('readable', () => {
      socket.setTimeout(0, giveUp);
      if (socket.readableLength > 0) this.arriving.add(socket);
      else giveUp(); // It went again.
    });
  }
}
