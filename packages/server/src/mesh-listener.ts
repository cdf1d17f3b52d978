import type { Server } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Snapshot } from '@ripstop/core';
import { type AppServer, type Http1AppServer, hasOwnTls, readsHttp1, speaksHttp2 } from './app-server.ts';
import type { ListenerChains } from './chain-choice.ts';
import { type Admit, ConnectionGate, type Spoken } from './connection-gate.ts';
import { createFrontServer, SessionDoor } from './http2/front-server.ts';
import { Http1Bridge } from './http2/http1-bridge.ts';
import { StreamGuard } from './http2/stream-guard.ts';
import { InboundGuard, keepContext } from './inbound-guard.ts';
import type { ListenerParts } from './listener-parts.ts';
import { OwnTls } from './own-tls.ts';
import { bindPath } from './unix-bind.ts';

/** Lets connections reach a server's `connection` event; default `server.listen`. Rejects when the address cannot be had. */
export type BindServer = (server: AppServer, address: BindAddress) => Promise<AddressInfo>;

/** Where a server listens. */
export interface BindAddress {
  readonly host: string;
  readonly port: number;
  /** Of a Unix socket, in the place of both; `@name` is an abstract one. */
  readonly path?: string | undefined;
}

/** How a {@link MeshListener} is made. */
export interface MeshListenerOptions extends ListenerParts {
  /** Where `listen` binds. */
  readonly bind: BindAddress;
  readonly bindServer?: BindServer | undefined;
  /** The server of the app. From now on the mesh stands in front of it. */
  readonly app: AppServer;
}

export interface ListenerCloseOptions {
  /** Time for requests in flight, milliseconds. */
  readonly drainMs: number;
}

/** Two guards in front of one server would judge each request twice. */
const guarded = new WeakSet<AppServer>();

const NODE_KEEP_ALIVE_MS = 5_000;

/**
 * Serves a server of node:http, node:https or node:http2 as a workload port: connections are let in by filter chain, requests by the pipeline. The server stays the
 * app's; its `connection` listeners get only sockets that have passed.
 */
export class MeshListener {
  private readonly options: MeshListenerOptions;
  private readonly gate: ConnectionGate;
  private readonly ownTls: OwnTls | undefined;
  /** Takes the mesh away from the server again; undefined = it does not stand there. */
  private detach: (() => void) | undefined = undefined;

  constructor(options: MeshListenerOptions) {
    this.options = options;
    const { workloadPort: port, find = inboundChains, snapshots, identity, clock, log, forwarder } = options;
    const speaks: readonly Spoken[] = readsHttp1(options.app) ? ['http2', 'http1'] : ['http2'];
    const ownTls = hasOwnTls(options.app) ? new OwnTls(options.app, clock) : undefined;
    this.ownTls = ownTls;
    this.gate = new ConnectionGate({
      port,
      find,
      snapshots,
      identity,
      clock,
      log,
      speaks,
      forwarder,
      ownTls,
      socketPath: options.bind.path,
    });
  }

  /** Puts the mesh in front of the server without binding it. Calling it twice is harmless. */
  attach(): void {
    if (this.detach !== undefined) return;
    const { app } = this.options;
    if (guarded.has(app)) throw new Error('this server stands behind a mesh already: serve it as one workload port, of one mesh');
    guarded.add(app);
    this.ownTls?.attach();
    const listeners = app.listeners('connection') as ((socket: object) => void)[];
    app.removeAllListeners('connection');
    const { ownTls } = this;
    const read = (socket: object): void => {
      if (ownTls !== undefined) ownTls.read(socket);
      else for (const listener of listeners) listener.call(app, socket);
    };
    const { admit, detach } = speaksHttp2(app) ? this.frontHttp2(app, read) : this.frontHttp1(app, read);
    const onConnection = (socket: Socket): void => this.gate.enter(socket, admit);
    app.on('connection', onConnection);
    this.detach = () => {
      guarded.delete(app);
      detach();
      app.off('connection', onConnection);
      for (const listener of listeners) app.on('connection', listener);
      this.ownTls?.detach();
      this.detach = undefined;
    };
  }

  /** An app that reads HTTP/1.1; streams of HTTP/2 callers are bridged to it. */
  private frontHttp1(app: Server | HttpsServer, read: (socket: object) => void): Front {
    const { forwarder } = this.options;
    const bridge = new Http1Bridge(read);
    const streams = new StreamGuard(this.options, this.gate, true, (judged) => {
      if (forwarder === undefined) judged.served.serve();
      else judged.served.handOver();
      bridge.serve(judged);
    });
    const front = createFrontServer();
    const listeners = front.listeners('connection') as ((socket: object) => void)[];
    const door = new SessionDoor(front, streams, (socket) => {
      for (const listener of listeners) listener.call(front, socket);
    });
    const guard = this.guardHttp1(app, read, bridge);
    return {
      admit: (socket, spoken, connection) => {
        if (spoken === 'http2') door.admit(socket, connection);
        else guard.admit(socket, connection);
      },
      detach: guard.detach,
    };
  }

  /** Requests of HTTP/1, and probes where there are any. */
  private guardHttp1(app: Http1AppServer, read: (socket: object) => void, bridge: Http1Bridge | undefined): Http1Front {
    const limits = app as { keepAliveTimeout?: number; requireHostHeader?: boolean };
    // Idle connections end by the limits of their chain; node:http's own 5 s would cost a handshake after each pause.
    if (limits.keepAliveTimeout === NODE_KEEP_ALIVE_MS) limits.keepAliveTimeout = 0;
    // node:http would answer a request without Host by itself, before the guard sees it and in its own words.
    limits.requireHostHeader = false;
    const guard = new InboundGuard(this.options, this.gate, app, bridge);
    if (this.options.probes !== undefined) this.gate.admitProbe = read;
    return {
      admit: (socket, connection) => {
        read(socket);
        guard.timeHeads(socket, connection);
      },
      detach: () => guard.detach(),
    };
  }

  /** An app of node:http2: its sessions are guarded, whether it listens to streams or uses the compatibility API. */
  private frontHttp2(app: Http2Server | Http2SecureServer, read: (socket: object) => void): Front {
    const { telemetry } = this.options;
    const streams = new StreamGuard(this.options, this.gate, false, ({ served, pass }) => {
      served.serve();
      if (!served.stream.endAfterHeaders) keepContext(served.stream, served.x, telemetry);
      telemetry.run(served.x, pass);
    });
    const door = new SessionDoor(app, streams, read);
    const readHttp1 = (socket: object): void => {
      // node:http2 takes the protocol, and on Node 22 the server, from what its own handshake would have left on the socket.
      read(Object.assign(socket, { alpnProtocol: 'http/1.1', server: app }));
    };
    const http1 = readsHttp1(app) ? this.guardHttp1(app, readHttp1, undefined) : undefined;
    return {
      admit: (socket, spoken, connection) => {
        if (http1 !== undefined && spoken === 'http1') http1.admit(socket, connection);
        else door.admit(socket, connection);
      },
      detach: () => {
        http1?.detach();
        door.detach();
      },
    };
  }

  /** Binds and serves; rejects when the address is taken or may not be bound. */
  async listen(): Promise<AddressInfo> {
    this.attach();
    const { app, bind, bindServer = bindSocket } = this.options;
    try {
      return await bindServer(app, bind);
    } catch (error) {
      // The app may try again, on another port: with one guard in front of it, not with two.
      this.detach?.();
      await this.gate.close(0);
      throw error;
    }
  }

  /** `Clock.now()` of the last request; tells who drains whether callers have taken the news. */
  get lastRequestAt(): number {
    return this.gate.lastRequestAt;
  }

  /** Every response closes its connection from now on, so that callers go elsewhere. */
  drain(): void {
    this.gate.drain();
  }

  /** Stops listening, lets requests in flight end for `drainMs`, then ends what is left. */
  async close({ drainMs }: ListenerCloseOptions): Promise<void> {
    const { app } = this.options;
    const closed = app.listening ? new Promise<void>((resolve) => app.close(() => resolve())) : undefined;
    await this.gate.close(drainMs);
    await closed;
  }
}

/** What stands in front of a server. */
interface Front {
  readonly admit: Admit;
  detach(): void;
}

interface Http1Front {
  admit(socket: Parameters<Admit>[0], connection: Parameters<Admit>[2]): void;
  detach(): void;
}

function bindSocket(server: AppServer, { host, port, path }: BindAddress): Promise<AddressInfo> {
  if (path !== undefined) return bindPath(server, path);
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      const why = cause.code === 'EADDRINUSE' ? 'something else listens there; name another port' : cause.message;
      reject(new Error(`cannot listen on ${host}:${port}: ${why}`, { cause }));
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve(server.address() as AddressInfo);
    });
  });
}

function inboundChains(snapshot: Snapshot): ListenerChains {
  return { chains: snapshot.inbound, defaultChain: undefined };
}
