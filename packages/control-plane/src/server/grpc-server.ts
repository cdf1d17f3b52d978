import grpc from '@grpc/grpc-js';

export interface KeepaliveTimes {
  readonly everyMs: number;
  readonly timeoutMs: number;
}

/** istiod's: whoever does not answer a ping in ten seconds is gone, and its registration with it. */
const KEEPALIVE: KeepaliveTimes = { everyMs: 30_000, timeoutMs: 10_000 };
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

export function createGrpcServer({ everyMs, timeoutMs }: KeepaliveTimes = KEEPALIVE): grpc.Server {
  return new grpc.Server({
    'grpc.max_receive_message_length': MAX_REQUEST_BYTES,
    'grpc.keepalive_time_ms': everyMs,
    'grpc.keepalive_timeout_ms': timeoutMs,
  });
}

/** Binds a gRPC server; answers `host:port` with the port that it got. The error says which port is taken and what to do. */
export function bindGrpc(server: grpc.Server, address: string, credentials: grpc.ServerCredentials): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(`${address.slice(0, address.lastIndexOf(':'))}:${port}`);
      else reject(new Error(`cannot listen on ${address}: is another control plane running? Name another port`, { cause: error }));
    });
  });
}

/** What clients were told last needs a moment to reach them. */
const LAST_WORDS_MS = 100;

/**
 * Takes no new connections and tells clients to open new streams elsewhere (GOAWAY); `endStreams` ends those that are open. Nothing is
 * left open afterwards.
 */
export async function shutDown(servers: readonly grpc.Server[], endStreams: () => Promise<void>): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.tryShutdown(() => resolve())));
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
