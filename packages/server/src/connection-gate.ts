import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type Clock,
  type ConnectionFacts,
  type IdentitySource,
  judgeConnection,
  MeteredSocket,
  type Snapshot,
  type SnapshotRef,
  Suspects,
} from '@ripstop/core';
import {
  chooseChain,
  chooseHttpChain,
  type FindChains,
  type HttpChain,
  isHttp,
  type ListenerChains,
  looksAtBytes,
  NO_CHAIN,
  type TcpChain,
} from './chain-choice.ts';
import { type FirstBytes, OTHER } from './client-hello.ts';
import { PEEK_TIMEOUT_MS, peekConnection, takeProxyHeader } from './connection-peek.ts';
import { InboundConnection } from './inbound-connection.ts';
import type { Forwarder } from './listener-parts.ts';
import { OpenConnections } from './open-connections.ts';
import type { OwnTls } from './own-tls.ts';
import { createPeer, type InboundPeer, introduce } from './peer.ts';
import type { ProxiedAddresses } from './proxy-header.ts';
import { StreamConnection } from './stream-connection.ts';
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
  readonly forwarder?: Pick<Forwarder, 'stream' | 'unrouted'> | undefined;
  /** Of a port that is a Unix socket. */
  readonly socketPath?: string | undefined;
  /** The app's server speaks TLS by itself with callers outside of the mesh. */
  readonly ownTls?: Pick<OwnTls, 'accept'> | undefined;
}

/** What is spoken on a connection that was let in. */
export type Spoken = 'http1' | 'http2';
/** Gets the socket to speak HTTP on: the raw one, its TLS side, or what stands in front of them. */
export type Admit = (socket: Duplex, spoken: Spoken, connection: InboundConnection) => void;

/**
 * Lets connections of one port in: looks at the first bytes, takes the filter chain of the snapshot in force, does TLS when the chain
 * says so, and knows who calls. A connection without a chain is reset, as Envoy does: nothing answers it.
 */
export class ConnectionGate {
  private readonly options: ConnectionGateOptions;
  private readonly acceptor: TlsAcceptor;
  /** The same by the names of ALPN. */
  private readonly spoken: readonly string[];
  private readonly connections = new WeakMap<Socket, InboundConnection>();
  /** Connections that have a probe to ask and nothing else. */
  private readonly probing = new WeakSet<Socket>();
  private readonly open: OpenConnections;
  private readonly told = new Set<string>();
  /** Lets callers without TLS in where it is demanded, for one request, which the guard takes for a probe or ends them. */
  admitProbe: ((socket: Socket) => void) | undefined = undefined;
  /** Who has abused connections of this port. */
  readonly suspects: Suspects;
  /** `Clock.now()` of the last request that came in; -Infinity before the first. */
  lastRequestAt: number = Number.NEGATIVE_INFINITY;

  constructor(options: ConnectionGateOptions) {
    this.options = options;
    this.acceptor = new TlsAcceptor(options.identity, options.clock, (line) => this.tell(line));
    this.spoken = options.speaks.map((spoken) => (spoken === 'http2' ? 'h2' : 'http/1.1'));
    this.suspects = new Suspects(options.clock);
    this.open = new OpenConnections(options.clock, options.snapshots, options.identity);
  }

  /** Of a socket that has passed the gate. */
  connectionOf(socket: Socket): InboundConnection | undefined {
    return this.connections.get(socket);
  }

  /** Once for each such connection. */
  takeProbing(socket: Socket): boolean {
    return this.probing.delete(socket);
  }

  enter(raw: Socket, admit: Admit): void {
    this.open.enter(raw);
    const { current } = this.options.snapshots;
    const listener = current === undefined ? undefined : this.options.find(current);
    if (listener?.readsProxyProtocol !== true) {
      this.look(raw, listener, undefined, admit);
      return;
    }
    takeProxyHeader(raw, this.options.clock, (header) => {
      if (header === undefined) {
        this.tell('a connection was closed: it does not begin with a header of the PROXY protocol');
        raw.destroy();
      } else this.look(raw, listener, header.addresses, admit);
    });
  }

  /** Where the first bytes decide something they are waited for. `proxied`: the ends of the connection, when somebody in front tells them. */
  private look(raw: Socket, listener: ListenerChains | undefined, proxied: ProxiedAddresses | undefined, admit: Admit): void {
    if (listener !== undefined && this.carriesBytes && !looksAtBytes(listener)) {
      this.decide(raw, OTHER, proxied, admit); // Nobody looked: no chain asks.
      return;
    }
    peekConnection(raw, this.options.clock, (first) => {
      if (first === undefined) raw.destroy();
      else this.decide(raw, first, proxied, admit);
    });
  }

  /** Every response closes its connection from now on. */
  drain(): void {
    this.open.drain();
  }

  /** Closes what is idle and waits for the rest, at most `drainMs`; then nothing is open any more. */
  close(drainMs: number): Promise<void> {
    return this.open.close(drainMs);
  }

  private decide(raw: Socket, first: FirstBytes, proxied: ProxiedAddresses | undefined, admit: Admit): void {
    const facts = this.factsOf(first, proxied);
    const { socketPath } = this.options;
    const snapshot = this.options.snapshots.current;
    if (snapshot === undefined) {
      this.refuse(raw, facts, 'no configuration');
      return;
    }
    const chain = chooseChain(this.options.find(snapshot), facts, this.carriesBytes);
    if (this.options.ownTls !== undefined && !endsTls(chain)) {
      if (!this.isLetProbe(raw, first)) this.decideWithin(this.options.ownTls, raw, facts, proxied, admit);
    } else if (typeof chain === 'string') {
      if (chain === NO_CHAIN) {
        if (this.isLetProbe(raw, first)) return;
        this.options.forwarder?.unrouted?.(facts, createPeer(raw, undefined, facts.sni, '', { proxied, socketPath }), snapshot);
      }
      this.refuse(raw, facts, chain);
    } else if (chain.tls === undefined) {
      const peer = createPeer(raw, undefined, facts.sni, '', { proxied, socketPath });
      if (!isHttp(chain)) this.carry(raw, raw, facts, chain, snapshot, peer);
      else this.admit(raw, raw, facts, chain, snapshot, peer, first.kind === 'http2' ? 'http2' : 'http1', admit);
    } else if (!facts.tls) {
      if (!this.isLetProbe(raw, first)) this.refuse(raw, facts, `filter chain ${chain.name} speaks TLS only`);
    } else {
      this.open.watchRoots(raw);
      const speaks = isHttp(chain) ? this.spoken : chain.tls.alpn.filter((name) => name !== PEER_EXCHANGE);
      this.acceptor.accept(raw, chain.tls, facts.alpn, speaks, {
        secured: (socket, names, alpn, shown) => {
          const peer = createPeer(raw, names, facts.sni, alpn, { ...shown, proxied, socketPath });
          if (!isHttp(chain)) this.carry(raw, socket, facts, chain, snapshot, peer);
          else this.whenSpoken(socket, alpn, (spoken) => this.admit(raw, socket, facts, chain, snapshot, peer, spoken, admit));
        },
        refused: (why) => this.tell(`a TLS connection was refused: ${why}`),
      });
    }
  }

  /** A stranger who is slow with the head does not hold a socket longer than one who is silent. */
  private isLetProbe(raw: Socket, first: FirstBytes): boolean {
    if (this.admitProbe === undefined || first.kind !== 'http1') return false;
    this.probing.add(raw);
    const timer = this.options.clock.setTimer(() => {
      if (this.probing.has(raw)) raw.destroy();
    }, PEEK_TIMEOUT_MS);
    raw.once('close', () => timer.cancel());
    this.admitProbe(raw);
    return true;
  }

  /**
   * TLS that is not the mesh's, for an app that has its own: its callers are let in, and judged, as they would be by plaintext, which is
   * what is spoken within. Envoy cannot look inside; it passes such bytes on where the port is one of bytes, and resets them elsewhere.
   */
  private decideWithin(
    own: Pick<OwnTls, 'accept'>,
    raw: Socket,
    outer: ConnectionFacts,
    proxied: ProxiedAddresses | undefined,
    admit: Admit,
  ): void {
    if (!outer.tls) {
      this.refuse(raw, outer, 'the server of this port speaks TLS of its own only');
      return;
    }
    if (!this.options.speaks.some((spoken) => this.chainWithin(outer, spoken) !== undefined)) {
      this.refuse(raw, outer, 'it is not of the mesh, and no filter chain takes callers without mutual TLS');
      return;
    }
    const peer = createPeer(raw, undefined, '', '', { proxied, socketPath: this.options.socketPath });
    own.accept(raw, (socket, spoken) => {
      const within = this.chainWithin(outer, spoken);
      // Whoever takes HTTP/2 without mutual TLS need not take HTTP/1; and the configuration may have changed during the handshake.
      if (within === undefined) socket.destroy();
      else this.admit(raw, socket, within.facts, within.chain, within.snapshot, peer, spoken, admit);
    });
  }

  /** What takes requests that come within the app's own TLS. */
  private chainWithin(outer: ConnectionFacts, spoken: Spoken): Within | undefined {
    const snapshot = this.options.snapshots.current;
    if (snapshot === undefined) return undefined;
    const facts: ConnectionFacts = { ...outer, tls: false, sni: '', alpn: [spoken === 'http2' ? 'h2c' : 'http/1.1'] };
    const chain = chooseHttpChain(this.options.find(snapshot), facts);
    return chain === undefined || chain.tls !== undefined ? undefined : { facts, chain, snapshot };
  }

  /** ALPN tells; without it the first bytes do, as with Envoy's codec AUTO. */
  private whenSpoken(socket: Socket, alpn: string, run: (spoken: Spoken) => void): void {
    if (alpn !== '') run(alpn === 'h2' ? 'http2' : 'http1');
    else {
      socket.on('error', ignore);
      peekConnection(socket, this.options.clock, (first) => {
        if (first === undefined) socket.destroy();
        else run(first.kind === 'http2' ? 'http2' : 'http1');
      });
    }
  }

  /** The port that was called is the proxy's in front, when it tells it: chains and policies ask for that one (Envoy). */
  private factsOf(first: FirstBytes, proxied: ProxiedAddresses | undefined): ConnectionFacts {
    const port = proxied?.localPort ?? this.options.port;
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
    const denied = (why: string): void => {
      this.tell(`a connection was refused: ${why}`);
      socket.destroy();
    };
    const passed = (): void => this.letIn(raw, socket, facts, chain, snapshot, peer, spoken, admit);
    const judged = { socket, chain, snapshot, peer, port: facts.port };
    judgeConnection(judged, this.options.clock, (line) => this.tell(line), { passed, denied });
  }

  private letIn(
    raw: Socket,
    socket: Socket,
    facts: ConnectionFacts,
    chain: HttpChain,
    snapshot: Snapshot,
    peer: InboundConnection['peer'],
    spoken: Spoken,
    admit: Admit,
  ): void {
    const connection = new InboundConnection(socket, facts, peer, chain, snapshot, this.options.find);
    // The configuration may have changed during the handshake, or while somebody was asked.
    if (connection.manager(this.options.snapshots.current ?? snapshot) === undefined) {
      socket.destroy();
      return;
    }
    connection.closing = this.open.draining;
    introduce(socket, peer);
    this.connections.set(socket, connection);
    connection.live(this.options.clock);
    this.open.keep(raw, connection);
    if (socket.destroyed) return;
    const waitMs = spoken === 'http2' ? this.suspects.waitOf(peer) : 0;
    if (waitMs === 0) admit(socket, spoken, connection);
    else if (waitMs === undefined) socket.destroy();
    else this.admitLate(socket, spoken, connection, admit, waitMs);
  }

  private admitLate(socket: Socket, spoken: Spoken, connection: InboundConnection, admit: Admit, waitMs: number): void {
    connection.suspect = true;
    const timer = this.options.clock.setTimer(() => admit(new MeteredSocket(socket), spoken, connection), waitMs);
    socket.once('close', () => timer.cancel());
  }

  private get carriesBytes(): boolean {
    return this.options.forwarder?.stream !== undefined;
  }

  private carry(raw: Socket, socket: Socket, facts: ConnectionFacts, chain: TcpChain, snapshot: Snapshot, peer: InboundPeer): void {
    const connection = new StreamConnection(socket, facts, peer, chain, snapshot, this.options.find);
    if (!connection.isWelcome(this.options.snapshots.current ?? snapshot)) {
      socket.destroy();
      return;
    }
    this.open.keep(raw, connection);
    if (socket.destroyed) return;
    this.options.forwarder!.stream!(connection);
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
}

interface Within {
  readonly facts: ConnectionFacts;
  readonly chain: HttpChain;
  readonly snapshot: Snapshot;
}

const MAX_TOLD = 100;
const MAX_LINE = 1_000;
/** Istio's proxies tell each other who they are over connections of this name; this side does not. */
const PEER_EXCHANGE = 'istio-peer-exchange';

function ignore(): void {}

/** The mesh's own TLS, with requests inside. */
function endsTls(chain: HttpChain | TcpChain | string): boolean {
  return typeof chain !== 'string' && isHttp(chain) && chain.tls !== undefined;
}
