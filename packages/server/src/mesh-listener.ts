import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Snapshot } from '@ripstop/core';
import { ConnectionGate } from './connection-gate.ts';
import type { ListenerChains } from './inbound-connection.ts';
import { InboundGuard } from './inbound-guard.ts';
import type { ListenerParts } from './listener-parts.ts';

/** How a {@link MeshListener} is made. */
export interface MeshListenerOptions extends ListenerParts {
  /** Where `listen` binds. */
  readonly bind: { readonly host: string; readonly port: number };
  /** The server of the app. From now on the mesh stands in front of it. */
  readonly app: Server;
}

export interface ListenerCloseOptions {
  /** Time for requests in flight, milliseconds. */
  readonly drainMs: number;
}

/** Two guards in front of one server would judge each request twice. */
const guarded = new WeakSet<Server>();

/** Envoy's idle_timeout of a downstream connection; node:http's own 5 s would cost a handshake after each pause. */
const IDLE_TIMEOUT_MS = 3_600_000;
const NODE_KEEP_ALIVE_MS = 5_000;

/**
 * Serves an http.Server as a workload port: connections are let in by filter chain, requests by the pipeline. The server stays the
 * app's; its `connection` listeners get only sockets that have passed.
 */
export class MeshListener {
  private readonly options: MeshListenerOptions;
  private readonly gate: ConnectionGate;
  /** Takes the mesh away from the server again; undefined = it does not stand there. */
  private detach: (() => void) | undefined = undefined;

  constructor(options: MeshListenerOptions) {
    this.options = options;
    const { workloadPort: port, find = inboundChains, snapshots, identity, clock, log } = options;
    this.gate = new ConnectionGate({ port, find, snapshots, identity, clock, log });
  }

  /** Puts the mesh in front of the server without binding it. Calling it twice is harmless. */
  attach(): void {
    if (this.detach !== undefined) return;
    const { app } = this.options;
    if (guarded.has(app)) throw new Error('this server stands behind a mesh already: serve it as one workload port, of one mesh');
    guarded.add(app);
    if (app.keepAliveTimeout === NODE_KEEP_ALIVE_MS) app.keepAliveTimeout = IDLE_TIMEOUT_MS;
    // node:http would answer a request without Host by itself, before the guard sees it and in its own words.
    (app as Server & { requireHostHeader: boolean }).requireHostHeader = false;
    const listeners = app.listeners('connection') as ((this: Server, socket: Socket) => void)[];
    app.removeAllListeners('connection');
    const admit = (socket: Socket): void => {
      for (const listener of listeners) listener.call(app, socket);
    };
    const onConnection = (socket: Socket): void => this.gate.enter(socket, admit);
    app.on('connection', onConnection);
    const guard = new InboundGuard(this.options, this.gate, app);
    this.detach = () => {
      guarded.delete(app);
      guard.detach();
      app.off('connection', onConnection);
      for (const listener of listeners) app.on('connection', listener);
      this.detach = undefined;
    };
  }

  /** Binds and serves; rejects when the address is taken or may not be bound. */
  async listen(): Promise<AddressInfo> {
    this.attach();
    const { app, bind } = this.options;
    const bound = new Promise<void>((resolve, reject) => {
      const onError = (cause: NodeJS.ErrnoException): void => {
        const why = cause.code === 'EADDRINUSE' ? 'something else listens there; name another port' : cause.message;
        reject(new Error(`cannot listen on ${bind.host}:${bind.port}: ${why}`, { cause }));
      };
      app.once('error', onError);
      app.listen(bind.port, bind.host, () => {
        app.off('error', onError);
        resolve();
      });
    });
    try {
      await bound;
    } catch (error) {
      // The app may try again, on another port: with one guard in front of it, not with two.
      this.detach?.();
      await this.gate.close(0);
      throw error;
    }
    return app.address() as AddressInfo;
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

function inboundChains(snapshot: Snapshot): ListenerChains {
  return { chains: snapshot.inbound, defaultChain: undefined };
}
