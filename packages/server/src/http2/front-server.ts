import {
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerOptions,
  type Settings,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type Http2Limits, http2Settings } from '@ripstop/core';
import type { InboundConnection } from '../inbound-connection.ts';
import type { StreamGuard } from './stream-guard.ts';

/** Envoy's max_request_headers_kb, which nghttp2 counts with 32 bytes per field. */
const MAX_HEADER_LIST_BYTES = 60 * 1024;
/** One more than is accepted, so that the guard gives the answer. */
const MAX_HEADER_PAIRS = 128;

/** Speaks HTTP/2 for an app that does not. It never listens: connections are handed to it, streams to the guard. */
export function createFrontServer(): Http2Server {
  return createServer({
    maxHeaderListPairs: MAX_HEADER_PAIRS,
    // nghttp2 counts every stream that is taken back, also of callers whose calls have a time limit: the guard is the one who counts.
    streamResetBurst: 1_000,
    streamResetRate: 1_000,
    settings: { maxHeaderListSize: MAX_HEADER_LIST_BYTES, enablePush: false },
  });
}

/** Hands connections to an HTTP/2 server whose sessions are guarded from their first moment. */
export class SessionDoor {
  private readonly server: Http2Server | Http2SecureServer;
  private readonly guard: StreamGuard;
  private readonly read: (socket: object) => void;
  private readonly emit: (event: string, ...args: unknown[]) => boolean;
  private readonly options: ServerOptions | undefined;
  private entering: InboundConnection | undefined = undefined;

  /** `read` is the server's own listener of connections. */
  constructor(server: Http2Server | Http2SecureServer, guard: StreamGuard, read: (socket: object) => void) {
    this.server = server;
    this.guard = guard;
    this.read = read;
    const key = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'options');
    this.options = key === undefined ? undefined : (server as unknown as Record<symbol, ServerOptions>)[key];
    this.emit = server.emit.bind(server) as SessionDoor['emit'];
    server.emit = ((event: string, ...args: unknown[]) => {
      if (event === 'session' && !this.guarded(args[0] as ServerHttp2Session)) return true;
      return this.emit(event, ...args);
    }) as Http2Server['emit'];
  }

  /** Makes a session of it. */
  admit(socket: Duplex, connection: InboundConnection): void {
    // Without ALPN node:http2 takes nothing for HTTP/2; the gate has read the preface.
    if ((socket as TLSSocket).alpnProtocol === false) Object.assign(socket, { alpnProtocol: 'h2' });
    this.entering = connection;
    try {
      this.readLimited(socket, connection.currentManager?.http2Limits);
    } finally {
      this.entering = undefined;
    }
  }

  /** A session takes its settings from its server when it begins: each connection gets those of its chain, and the app keeps its own. */
  private readLimited(socket: object, limits: Http2Limits | undefined): void {
    const { maxConcurrentStreams, initialWindowSize } = this.options?.settings ?? {};
    this.server.updateSettings(http2Settings({ maxConcurrentStreams, initialWindowSize }, limits));
    try {
      this.read(socket);
    } finally {
      this.server.updateSettings({ maxConcurrentStreams, initialWindowSize } as Settings);
    }
  }

  detach(): void {
    this.server.emit = this.emit as Http2Server['emit'];
  }

  /** A session that did not come by the gate serves nobody. */
  private guarded(session: ServerHttp2Session): boolean {
    if (this.entering === undefined) {
      session.destroy();
      return false;
    }
    const bytes = this.entering.currentManager?.http2Limits?.connectionWindowBytes;
    if (bytes !== undefined) session.setLocalWindowSize(bytes);
    this.guard.enter(session, this.entering);
    return true;
  }
}
