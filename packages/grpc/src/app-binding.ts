import grpc from '@grpc/grpc-js';
import type { MeshServerBinding } from './bind-mesh-server.ts';

/** Where an app has its server bound. */
export interface AppAddress {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
}

/** Longer than any call: the app asked to wait for its calls, without a limit. */
const NO_LIMIT_MS = 2 ** 31 - 1;
/** Names that grpc-js resolves to one address of this machine; `unix:` and lists are others. */
const ADDRESS = /^(?:dns:(?:\/\/\/)?|ipv4:|ipv6:)?(?:\[(?<ipv6>[\da-f:.]+)\]|(?<host>[^:[\],/]+)):(?<port>\d{1,5})$/i;

/**
 * Puts the mesh in front of a server that the app, or its framework, binds itself: from now on `bindAsync` has the mesh bind the address,
 * and to shut the server down closes what the mesh has bound. An interceptor could not do it: grpc-js tells it of a call whose repeated
 * headers were joined, without its method, and not of streams that are taken back.
 */
export function takeOverBinding(server: grpc.Server, bind: (address: AppAddress) => Promise<MeshServerBinding>): void {
  if (isBound(server)) throw new Error('this server is bound already: protect it before its bindAsync');
  const bindings = new Map<string, Promise<MeshServerBinding>>();
  const close = (drainMs: number): void => {
    for (const binding of bindings.values())
      binding.then(
        (bound) => bound.close({ drainMs }),
        () => {},
      );
    bindings.clear();
  };
  const { tryShutdown, forceShutdown } = server;
  Object.assign(server, {
    bindAsync(address: string, credentials: grpc.ServerCredentials, done: (error: Error | null, port: number) => void): void {
      const refused = refusalOf(credentials);
      const wanted = parseAddress(address);
      if (refused !== undefined || wanted === undefined) {
        const why = refused ?? `the mesh cannot bind "${address}": give host:port`;
        process.nextTick(done, new Error(why), 0);
        return;
      }
      const binding = bindings.get(address) ?? bind(wanted);
      bindings.set(address, binding);
      binding.then(
        ({ port }) => done(null, port),
        (error: Error) => {
          bindings.delete(address);
          done(error, 0);
        },
      );
    },
    unbind(address: string): void {
      const binding = bindings.get(address);
      bindings.delete(address);
      binding?.then(
        (bound) => bound.close({ drainMs: NO_LIMIT_MS }),
        () => {},
      );
    },
    // Long without effect, but it throws where no server of grpc-js listens by itself.
    start(): void {},
    tryShutdown(done: (error?: Error) => void): void {
      close(NO_LIMIT_MS);
      tryShutdown.call(server, done);
    },
    forceShutdown(): void {
      close(0);
      forceShutdown.call(server);
    },
  } satisfies Pick<grpc.Server, 'bindAsync' | 'unbind' | 'start' | 'tryShutdown' | 'forceShutdown'>);
}

function isBound(server: grpc.Server): boolean {
  const { boundPorts, http2Servers } = server as unknown as {
    readonly boundPorts?: Map<string, unknown>;
    readonly http2Servers?: Map<object, unknown>;
  };
  return (boundPorts?.size ?? 0) + (http2Servers?.size ?? 0) > 0;
}

/** Undefined = the mesh does what they ask for. */
function refusalOf(credentials: grpc.ServerCredentials): string | undefined {
  if (!(credentials instanceof grpc.ServerCredentials)) return 'creds must be a ServerCredentials object';
  return credentials._isSecure()
    ? "this gRPC server has TLS of its own; TLS is the mesh's: give ServerCredentials.createInsecure()"
    : undefined;
}

function parseAddress(address: string): AppAddress | undefined {
  const { ipv6, host, port } = ADDRESS.exec(address)?.groups ?? {};
  const number = Number(port);
  return port === undefined || number > 65_535 ? undefined : { host: ipv6 ?? host!, port: number };
}
