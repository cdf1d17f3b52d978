import { lookup } from 'node:dns/promises';
import { isIP, type Socket } from 'node:net';
import grpc from '@grpc/grpc-js';
import { Arrivals } from './arrivals.ts';
import type { TlsTermination } from './tls-termination.ts';

export interface KeepaliveTimes {
  readonly everyMs: number;
  readonly timeoutMs: number;
}

interface GrpcServerOptions {
  /** Default: every 30 s, and 10 s to answer. */
  readonly keepalive?: KeepaliveTimes | undefined;
  /** While it says no, those who connect wait. Default: there is room. */
  readonly hasRoom?: () => boolean;
}

/** istiod's: whoever does not answer a ping in ten seconds is gone, and its registration with it. */
const KEEPALIVE: KeepaliveTimes = { everyMs: 30_000, timeoutMs: 10_000 };
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

/** A gRPC server, and the ports that it is reached at. */
export class GrpcServer {
  /** Where services are added. */
  readonly services: grpc.Server;
  private readonly ports: { readonly injector: grpc.ConnectionInjector; readonly arrivals: Arrivals }[] = [];
  private readonly hasRoom: () => boolean;

  constructor({ keepalive: { everyMs, timeoutMs } = KEEPALIVE, hasRoom = () => true }: GrpcServerOptions = {}) {
    this.hasRoom = hasRoom;
    this.services = new grpc.Server({
      'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
      'grpc.keepalive_time_ms': everyMs,
      'grpc.keepalive_timeout_ms': timeoutMs,
      // Nobody asks for it, and it counts every message of every connection.
      'grpc.enable_channelz': 0,
    });
  }

  /** Listens on `host:port`; answers it with the port that it got. The error says which port is taken and what to do. */
  async bind(address: string, tls?: TlsTermination): Promise<string> {
    const at = address.lastIndexOf(':');
    const injector = this.services.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    const take = (socket: Socket): void => {
      arrivals.endInTurn(socket);
      injector.injectConnection(socket);
    };
    const { hasRoom } = this;
    const arrivals = new Arrivals(tls === undefined ? take : tls.terminate(take), { hasRoom });
    try {
      const port = await listenEverywhere(arrivals, address.slice(0, at).replace(/^\[|\]$/g, ''), Number(address.slice(at + 1)));
      this.ports.push({ injector, arrivals });
      return `${address.slice(0, at)}:${port}`;
    } catch (error) {
      arrivals.destroy();
      injector.destroy();
      throw new Error(`cannot listen on ${address}: is another control plane running? Name another port`, { cause: error });
    }
  }

  /** Tells the clients to come back on new connections; those that are left after `graceMs` are ended. */
  drain(graceMs: number): void {
    for (const { injector } of this.ports) injector.drain(graceMs);
  }

  /** Takes no new connections, tells clients to open new streams elsewhere (GOAWAY), and resolves when the last has gone. */
  async tryShutdown(): Promise<void> {
    const gone = this.ports.map(({ arrivals }) => arrivals.close());
    await new Promise<void>((resolve) => this.services.tryShutdown(() => resolve()));
    await Promise.all(gone);
  }

  forceShutdown(): void {
    this.services.forceShutdown();
    for (const { arrivals } of this.ports) arrivals.destroy();
  }
}

/** A name may stand for addresses of both families: the machine may have only one of them. */
async function listenEverywhere(arrivals: Arrivals, host: string, port: number): Promise<number> {
  const addresses = isIP(host) === 0 ? [...new Set((await lookup(host, { all: true })).map(({ address }) => address))] : [host];
  let bound = port;
  let failed: unknown;
  for (const address of addresses) {
    try {
      bound = await arrivals.listen(address, bound);
    } catch (error) {
      if (!NOT_HERE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      failed = error;
    }
  }
  if (bound === 0) throw failed;
  return bound;
}

const NOT_HERE: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT']);

/** What clients were told last needs a moment to reach them. */
const LAST_WORDS_MS = 100;

/**
 * Takes no new connections and tells clients to open new streams elsewhere (GOAWAY); `endStreams` ends those that are open. Nothing is
 * left open afterwards.
 */
export async function shutDown(servers: readonly GrpcServer[], endStreams: () => Promise<void>): Promise<void> {
  const closed = servers.map((server) => server.tryShutdown());
  // Timers of the control plane keep no process alive; whoever waits for its end is not to end before.
  const alive = setInterval(() => {}, LAST_WORDS_MS);
  try {
    await endStreams();
  } finally {
    clearInterval(alive);
  }
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LAST_WORDS_MS);
  });
  await Promise.race([Promise.all(closed), late]);
  clearTimeout(timer);
  for (const server of servers) server.forceShutdown();
}
