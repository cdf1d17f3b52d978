import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import grpc from '@grpc/grpc-js';
import { type Cancel, judgeConnection, KnownIntermediates, MeteredSocket, type Snapshot, Suspects, TrustReview } from '@ripstop/core';
import { CallLimit } from './call-limit.ts';
import type { GrpcParts } from './grpc-parts.ts';
import { chooseHttpChain, InboundConnection } from './inbound-connection.ts';
import { InboundGuard } from './inbound-guard.ts';
import { peerOfSocket } from './inbound-peer.ts';
import { MeshTlsServer } from './mesh-tls-server.ts';

export interface BindOptions {
  /** The port that Services and policies name. */
  readonly workloadPort: number;
  /** Address to bind. Default 127.0.0.1. */
  readonly host?: string;
  /** Port to bind. Default: the workload port; 0 = any free one. */
  readonly port?: number;
}

/** A workload port that a gRPC server is served at. */
export interface MeshServerBinding {
  readonly host: string;
  /** Of the socket; the workload port may be another. */
  readonly port: number;
  /** Tells callers to go (GOAWAY), waits for their calls for `drainMs`, then ends what is left. */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Envoy's default listener_filters_timeout: a silent caller does not hold a socket for ever. */
const PEEK_TIMEOUT_MS = 15_000;
const DEFAULT_DRAIN_MS = 5_000;
const TLS_HANDSHAKE = 0x16;
/** First byte of HTTP/2's connection preface, `PRI * HTTP/2.0`. */
const PREFACE = 0x50;

/**
 * Serves a grpc-js server as a workload port of the mesh: plaintext, mutual TLS or both on one port, as the PeerAuthentication in force
 * says; authorization, faults and telemetry in front of every handler. Takes the place of `server.bindAsync`.
 */
export async function bindMeshServer(server: grpc.Server, parts: GrpcParts, options: BindOptions): Promise<MeshServerBinding> {
  const listener = new GrpcListener(server, parts, options);
  return listener.listen();
}

/** A connection on its way in or accepted, by its raw socket. */
interface Entered {
  /** What HTTP/2 is spoken on: the raw socket or its TLS side. */
  readonly socket: Socket;
  /** Undefined until it is accepted. */
  readonly connection: InboundConnection | undefined;
}

class GrpcListener {
  readonly #parts: GrpcParts;
  readonly #options: BindOptions;
  readonly #guard: InboundGuard;
  readonly #injector: grpc.ConnectionInjector;
  readonly #limit: CallLimit;
  readonly #tls: MeshTlsServer;
  readonly #suspects: Suspects;
  readonly #entered = new Map<Socket, Entered>();
  readonly #listener = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#enter(socket));
  readonly #stopWatching: Cancel;
  /** PEM of the roots that accepted connections were verified against. */
  #trusted: string;
  readonly #intermediates = new KnownIntermediates();
  #closing = false;
  #whenEmpty: (() => void)[] = [];

  constructor(server: grpc.Server, parts: GrpcParts, options: BindOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#suspects = new Suspects(parts.clock);
    this.#guard = new InboundGuard(
      parts,
      options.workloadPort,
      (connection) => this.#end(connection),
      ({ peer }) => this.#suspects.add(peer),
    );
    const credentials = grpc.experimental.createServerCredentialsWithInterceptors(grpc.ServerCredentials.createInsecure(), [
      this.#guard.interceptor,
    ]);
    // Node does TLS in front of it: grpc-js can have one or none on a port, not both.
    this.#injector = server.createConnectionInjector(credentials);
    this.#limit = new CallLimit(server);
    this.#trusted = parts.identity?.current()?.trustBundlePem ?? '';
    this.#intermediates.learn(parts.identity?.current()?.certificateChainPem);
    const stopSwaps = parts.snapshots.onSwap((next) => this.#follow(next));
    const stopRotations = parts.identity?.onRotate(({ certificateChainPem, trustBundlePem }) => {
      this.#intermediates.learn(certificateChainPem);
      this.#trust(trustBundlePem);
    });
    this.#stopWatching = () => {
      stopSwaps();
      stopRotations?.();
    };
    this.#tls = new MeshTlsServer(parts, options.workloadPort, ({ raw, socket, facts, names, verifiedBy }) => {
      const alpn = typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : '';
      this.#hand(raw, socket, new InboundConnection(facts, peerOfSocket(socket, names, facts.sni, alpn), verifiedBy));
    });
  }

  listen(): Promise<MeshServerBinding> {
    const { host = '127.0.0.1', port = this.#options.workloadPort } = this.#options;
    return new Promise((resolve, reject) => {
      this.#listener.once('error', reject);
      this.#listener.listen({ host, port }, () => {
        this.#listener.off('error', reject);
        this.#listener.on('error', (error) => this.#parts.log?.(`gRPC port ${this.#options.workloadPort}: ${error.message}`));
        const address = this.#listener.address() as AddressInfo;
        resolve({ host: address.address, port: address.port, close: (options) => this.#close(options?.drainMs ?? DEFAULT_DRAIN_MS) });
      });
    });
  }

  #enter(socket: Socket): void {
    this.#entered.set(socket, { socket, connection: undefined });
    // An error event without a listener would end the process; the close event says all that matters here.
    socket.on('error', () => {});
    socket.once('close', () => this.#forget(socket));
    const timer = this.#parts.clock.setTimer(() => socket.destroy(), PEEK_TIMEOUT_MS);
    socket.once('readable', () => {
      timer.cancel();
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) {
        socket.destroy();
        return;
      }
      socket.unshift(bytes);
      if (bytes[0] === TLS_HANDSHAKE) this.#tls.accept(socket);
      else this.#enterPlain(socket, bytes[0] === PREFACE);
    });
  }

  #enterPlain(socket: Socket, http2: boolean): void {
    const facts = { port: this.#options.workloadPort, tls: false, sni: '', alpn: [http2 ? 'h2c' : 'http/1.1'] };
    const chain = http2 ? chooseHttpChain(this.#parts.snapshots.current, facts) : 'HTTP/1.1 on a gRPC port';
    if (typeof chain === 'string') {
      this.#parts.log?.(`gRPC port ${this.#options.workloadPort}: connection from ${socket.remoteAddress} refused: ${chain}`);
      socket.resetAndDestroy();
      return;
    }
    this.#hand(socket, socket, new InboundConnection(facts, peerOfSocket(socket, undefined, '', '')));
  }

  #hand(raw: Socket, socket: Socket, connection: InboundConnection): void {
    const { snapshots, clock, log } = this.#parts;
    const { current } = snapshots;
    const chain = current === undefined ? undefined : chooseHttpChain(current, connection.facts);
    if (current === undefined || chain === undefined || typeof chain === 'string') {
      socket.destroy(); // Its chain went away during the handshake.
      return;
    }
    const port = this.#options.workloadPort;
    const tell = (line: string): void => log?.(`gRPC port ${port}: ${line}`);
    judgeConnection({ socket, chain, snapshot: current, peer: connection.peer, port }, clock, tell, {
      passed: () => {
        connection.admittedBy = chain.admission?.key;
        this.#letIn(raw, socket, connection);
      },
      denied: (why) => {
        tell(`connection from ${connection.peer.address} refused: ${why}`);
        socket.destroy();
      },
    });
  }

  #letIn(raw: Socket, socket: Socket, connection: InboundConnection): void {
    if (this.#closing) {
      socket.destroy(); // Meanwhile.
      return;
    }
    this.#entered.set(raw, { socket, connection });
    connection.live(socket, this.#parts.snapshots.current, this.#parts.clock);
    // The roots may have changed during the handshake, or while it was judged.
    if (connection.verifiedBy !== '' && connection.verifiedBy !== this.#trusted) this.#review();
    if (connection.distrusted) return;
    const waitMs = this.#suspects.waitOf(connection.peer);
    if (waitMs === 0) this.#inject(connection, socket);
    else if (waitMs === undefined) socket.destroy();
    else this.#handLate(socket, connection, waitMs);
  }

  #inject(connection: InboundConnection, stream: Duplex): void {
    const { current } = this.#parts.snapshots;
    this.#limit.set(current === undefined ? undefined : connection.chain(current)?.http.http2Limits);
    this.#guard.enter(connection, () => this.#injector.injectConnection(stream));
  }

  /** Whose caller has abused a connection is let in late, and read a little at a time. */
  #handLate(socket: Socket, connection: InboundConnection, waitMs: number): void {
    connection.suspect = true;
    const hand = (): void => {
      if (this.#closing)
        socket.destroy(); // Meanwhile.
      else this.#inject(connection, new MeteredSocket(socket));
    };
    const timer = this.#parts.clock.setTimer(hand, waitMs);
    socket.once('close', () => timer.cancel());
  }

  /** The configuration does not take this connection any more. Its refusal is on the way: the socket goes after it. */
  #end(connection: InboundConnection): void {
    setImmediate(() => {
      for (const entered of this.#entered.values()) if (entered.connection === connection) entered.socket.end();
    });
  }

  /** Connections whose chain is gone (PERMISSIVE became STRICT) end: idle ones now, others with their calls. */
  #follow(next: Snapshot): void {
    for (const { connection } of this.#entered.values())
      if (connection !== undefined && connection.chain(next) === undefined) connection.expel(this.#parts.clock);
  }

  /** Callers whose root was taken out of the bundle are strangers now: neither the calls that run are served to their end, nor any further one. */
  #trust(bundle: string): void {
    if (bundle === this.#trusted) return;
    this.#trusted = bundle;
    this.#review();
  }

  #review(): void {
    const review = new TrustReview(this.#trusted, this.#intermediates.all);
    for (const { socket, connection } of this.#entered.values()) {
      const certificate = connection?.peer.mtls === true ? (socket as TLSSocket).getPeerX509Certificate() : undefined;
      if (certificate !== undefined && !review.trusts(certificate, connection!.verifiedBy)) this.#distrust(socket, connection!);
    }
  }

  #distrust(socket: Socket, connection: InboundConnection): void {
    connection.distrusted = true;
    socket.destroy();
  }

  #forget(raw: Socket): void {
    this.#entered.delete(raw);
    if (this.#entered.size === 0) for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }

  async #close(drainMs: number): Promise<void> {
    this.#closing = true;
    this.#listener.close();
    this.#tls.close();
    this.#injector.drain(drainMs);
    for (const { socket, connection } of this.#entered.values()) if (connection === undefined) socket.destroy();
    if (this.#entered.size > 0) {
      const emptied = new Promise<void>((resolve) => this.#whenEmpty.push(resolve));
      const timer = this.#parts.clock.setTimer(() => {
        for (const raw of this.#entered.keys()) raw.destroy();
      }, drainMs);
      await emptied;
      timer.cancel();
    }
    // Not before: a root may be taken out while the last calls are waited for.
    this.#stopWatching();
    this.#injector.destroy();
    this.#guard.close();
  }
}
