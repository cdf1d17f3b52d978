import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type Cancel,
  type Clock,
  type ConnectionFacts,
  endsIn,
  type IdentitySource,
  readBundle,
  type Snapshot,
  type SnapshotRef,
} from '@ripstop/core';
import type { FirstBytes } from './client-hello.ts';
import { peekConnection } from './connection-peek.ts';
import { chooseHttpChain, type FindChains, type HttpChain, InboundConnection } from './inbound-connection.ts';
import { createPeer, introduce } from './peer.ts';
import { TlsAcceptor } from './tls-acceptor.ts';

export interface ConnectionGateOptions {
  /** Destination port of the filter chain match: the workload port, whatever port is bound. */
  readonly port: number;
  readonly find: FindChains;
  readonly snapshots: SnapshotRef;
  readonly identity?: IdentitySource | undefined;
  readonly clock: Clock;
  readonly log?: ((line: string) => void) | undefined;
  /** What the app's server takes, best first. */
  readonly speaks: readonly Spoken[];
}

/** What is spoken on a connection that was let in. */
export type Spoken = 'http1' | 'http2';
/** Gets the socket to speak HTTP on: the raw one or its TLS side. */
export type Admit = (socket: Socket, spoken: Spoken, connection: InboundConnection) => void;

/**
 * Lets connections of one port in: looks at the first bytes, takes the filter chain of the snapshot in force, does TLS when the chain
 * says so, and knows who calls. A connection without a chain is reset, as Envoy does: nothing answers it.
 */
export class ConnectionGate {
  private readonly options: ConnectionGateOptions;
  private readonly acceptor: TlsAcceptor;
  private readonly connections = new WeakMap<Socket, InboundConnection>();
  private readonly open = new Set<InboundConnection>();
  /** Raw sockets on their way in. */
  private readonly entering = new Set<Socket>();
  private readonly told = new Set<string>();
  /** Addresses that have abused connections, and until when they are slow. */
  private readonly slow = new Map<string, number>();
  private readonly cancelSubscriptions: Cancel;
  /** PEM of the roots that open connections were verified against. */
  private trusted: string;
  /** `Clock.now()` of the last request that came in; -Infinity before the first. */
  lastRequestAt: number = Number.NEGATIVE_INFINITY;
  private draining = false;
  private whenEmpty: (() => void)[] = [];

  constructor(options: ConnectionGateOptions) {
    this.options = options;
    this.acceptor = new TlsAcceptor(options.identity, options.clock, options.speaks, (line) => this.tell(line));
    const { identity, snapshots } = options;
    const cancelSwap = snapshots.onSwap((next) => this.follow(next));
    this.trusted = identity?.current()?.trustBundlePem ?? '';
    const cancelRotate = identity?.onRotate(({ trustBundlePem }) => this.trust(trustBundlePem));
    this.cancelSubscriptions = () => {
      cancelSwap();
      cancelRotate?.();
    };
  }

  /** Whether this socket has passed the gate already. */
  admitted(socket: Socket): boolean {
    return this.connections.has(socket);
  }

  connectionOf(socket: Socket): InboundConnection | undefined {
    return this.connections.get(socket);
  }

  enter(raw: Socket, admit: Admit): void {
    this.entering.add(raw);
    // An error event without a listener would end the process; the close event says all that matters here.
    raw.on('error', ignore);
    raw.once('close', () => {
      this.entering.delete(raw);
      this.checkEmpty();
    });
    const peek = (): void => {
      if (raw.destroyed) return;
      peekConnection(raw, this.options.clock, (first) => {
        if (first === undefined || raw.destroyed) raw.destroy();
        else this.decide(raw, first, admit);
      });
    };
    if (this.isSlow(raw.remoteAddress ?? '')) this.options.clock.setTimer(peek, SLOW_MS);
    else peek();
  }

  /** Connections from there are let in late for a while: who abuses one and comes again at once would cost as much as before. */
  slowDown(address: string): void {
    if (this.slow.size >= MAX_SLOW) this.slow.clear();
    this.slow.set(address, this.options.clock.now() + SLOW_FOR_MS);
  }

  private isSlow(address: string): boolean {
    if (this.slow.size === 0) return false;
    const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
    const until = this.slow.get(plain);
    if (until === undefined || until > this.options.clock.now()) return until !== undefined;
    this.slow.delete(plain);
    return false;
  }

  /** Every response closes its connection from now on. */
  drain(): void {
    this.draining = true;
    for (const connection of this.open) {
      connection.closing = true;
      connection.goAway?.();
    }
  }

  /** Closes what is idle and waits for the rest, at most `drainMs`; then nothing is open any more. */
  async close(drainMs: number): Promise<void> {
    this.cancelSubscriptions();
    this.drain();
    for (const connection of this.open) connection.retire();
    for (const raw of this.entering) if (!this.hasOpen(raw)) raw.destroy();
    if (this.open.size + this.entering.size === 0) return;
    const emptied = new Promise<void>((resolve) => this.whenEmpty.push(resolve));
    const timer = this.options.clock.setTimer(() => this.destroy(), drainMs);
    await emptied;
    timer.cancel();
  }

  private hasOpen(raw: Socket): boolean {
    return this.admittedRaw.has(raw);
  }

  private readonly admittedRaw = new WeakSet<Socket>();

  private destroy(): void {
    for (const connection of this.open) connection.socket.destroy();
    for (const raw of this.entering) raw.destroy();
  }

  private decide(raw: Socket, first: FirstBytes, admit: Admit): void {
    const facts = this.factsOf(first);
    const snapshot = this.options.snapshots.current;
    const chain = snapshot === undefined ? 'no configuration' : chooseHttpChain(this.options.find(snapshot), facts);
    if (snapshot === undefined || typeof chain === 'string') {
      this.refuse(raw, facts, chain as string);
    } else if (chain.tls === undefined) {
      const spoken = first.kind === 'http2' ? 'http2' : 'http1';
      this.admit(raw, raw, facts, chain, snapshot, createPeer(raw, undefined, '', ''), spoken, admit);
    } else if (!facts.tls) {
      this.refuse(raw, facts, `filter chain ${chain.name} speaks TLS only`);
    } else {
      const { trusted } = this;
      this.acceptor.accept(raw, chain.tls, facts.alpn, {
        secured: (socket, names, alpn, { shownUriSan }) => {
          const peer = createPeer(raw, names, facts.sni, alpn, shownUriSan);
          this.whenSpoken(socket, alpn, (spoken) => {
            this.admit(raw, socket, facts, chain, snapshot, peer, spoken, admit);
            if (trusted !== this.trusted) this.distrust(readBundle(this.trusted)); // The roots changed during the handshake.
          });
        },
        refused: (why) => this.tell(`a TLS connection was refused: ${why}`),
      });
    }
  }

  /** ALPN tells; without it the first bytes do, as with Envoy's codec AUTO. */
  private whenSpoken(socket: Socket, alpn: string, run: (spoken: Spoken) => void): void {
    if (alpn !== '') run(alpn === 'h2' ? 'http2' : 'http1');
    else {
      socket.on('error', ignore);
      peekConnection(socket, this.options.clock, (first) => {
        if (first === undefined || socket.destroyed) socket.destroy();
        else run(first.kind === 'http2' ? 'http2' : 'http1');
      });
    }
  }

  private factsOf(first: FirstBytes): ConnectionFacts {
    const { port } = this.options;
    if (first.kind === 'tls') return { port, tls: true, sni: first.sni, alpn: first.alpn };
    const alpn = first.kind === 'http1' ? ['http/1.1'] : first.kind === 'http2' ? ['h2c'] : [];
    return { port, tls: false, sni: '', alpn };
  }

  private admit(
    raw: Socket,
    socket: Socket,
    facts: ConnectionFacts,
    chain: HttpChain,
    snapshot: Snapshot,
    peer: InboundConnection['peer'],
    spoken: Spoken,
    admit: Admit,
  ): void {
    if (!this.options.speaks.includes(spoken)) {
      this.tell(`a connection was refused: it speaks ${spoken === 'http1' ? 'HTTP/1' : 'HTTP/2'}, which the server of this port does not`);
      if (raw === socket) raw.resetAndDestroy();
      else socket.destroy();
      return;
    }
    const connection = new InboundConnection(socket, facts, peer, chain, snapshot, this.options.find);
    // The configuration may have changed during the handshake.
    const current = this.options.snapshots.current;
    if (current === undefined || connection.manager(current) === undefined) {
      socket.destroy();
      return;
    }
    connection.closing = this.draining;
    // node:http lets go of upgraded sockets; an error event without a listener would end the process.
    socket.on('error', ignore);
    introduce(socket, peer);
    this.admittedRaw.add(raw);
    this.connections.set(socket, connection);
    this.open.add(connection);
    socket.once('close', () => {
      this.open.delete(connection);
      this.checkEmpty();
    });
    admit(socket, spoken, connection);
  }

  private refuse(raw: Socket, facts: ConnectionFacts, why: string): void {
    raw.resetAndDestroy();
    this.tell(`a ${facts.tls ? 'TLS' : 'plaintext'} connection was refused: ${why}`);
  }

  /** Each reason once: who knocks a million times does not write a million lines. */
  private tell(line: string): void {
    if (this.told.size >= MAX_TOLD || this.told.has(line)) return;
    this.told.add(line);
    // Names of a stranger's certificate may stand in it.
    const printable = line.replace(/\p{Cc}/gu, '?').slice(0, MAX_LINE);
    this.options.log?.(`port ${this.options.port}: ${printable}`);
  }

  /** Connections whose chain is gone (PERMISSIVE became STRICT) end: idle ones now, busy ones with their response. */
  private follow(next: Snapshot): void {
    for (const connection of this.open) if (connection.manager(next) === undefined) this.expel(connection, CHAIN_GONE_MS);
  }

  /** Callers whose root was taken out of the bundle are strangers now. Envoy keeps their connections open (docs/reference/differences.md). */
  private trust(bundle: string): void {
    if (bundle === this.trusted) return;
    this.trusted = bundle;
    this.distrust(readBundle(bundle));
  }

  private distrust(roots: readonly X509Certificate[]): void {
    for (const connection of this.open) {
      const certificate = connection.peer.mtls && connection.ofMesh ? (connection.socket as TLSSocket).getPeerX509Certificate() : undefined;
      if (certificate !== undefined && !endsIn(certificate, roots)) this.expel(connection, ROOT_GONE_MS);
    }
  }

  /** Idle connections end now, others with their response; long streams and upgraded ones get so much time, no more. */
  private expel(connection: InboundConnection, afterMs: number): void {
    connection.retire();
    if (connection.socket.destroyed || connection.expelled) return;
    connection.expelled = true;
    const timer = this.options.clock.setTimer(() => connection.socket.destroy(), afterMs);
    connection.socket.once('close', () => timer.cancel());
  }

  private checkEmpty(): void {
    if (this.open.size + this.entering.size > 0) return;
    for (const resolve of this.whenEmpty.splice(0)) resolve();
  }
}

/** Long beside a handshake, short beside a timeout: others behind the same address are still served. */
const SLOW_MS = 250;
const SLOW_FOR_MS = 10_000;
const MAX_SLOW = 10_000;
const MAX_TOLD = 100;
const MAX_LINE = 1_000;
/** Istio's drain time of a listener whose filter chains changed. */
const CHAIN_GONE_MS = 45_000;
const ROOT_GONE_MS = 5_000;

function ignore(): void {}
