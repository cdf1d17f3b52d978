import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type ConnectionFacts,
  chooseFilterChain,
  type DownstreamTls,
  endsIn,
  type FilterChain,
  type HttpConnectionManager,
  readBundle,
  type Snapshot,
} from '@ripstop/core';
import type { InboundExchange } from './inbound-exchange.ts';
import type { InboundPeer } from './peer.ts';
import { isPinned } from './peer-certificate.ts';

/** The filter chains that a port's connections choose from. */
export interface ListenerChains {
  readonly chains: readonly FilterChain[];
  /** For connections that no chain matches. */
  readonly defaultChain: FilterChain | undefined;
}

/** Finds a port's chains in a snapshot; undefined = the listener is gone. */
export type FindChains = (snapshot: Snapshot) => ListenerChains | undefined;

/** A chain that this driver can serve. */
export type HttpChain = FilterChain & { readonly http: HttpConnectionManager };

/** The chain of a connection, or why there is none. */
export function chooseHttpChain(listener: ListenerChains | undefined, facts: ConnectionFacts): HttpChain | string {
  const chain = listener === undefined ? undefined : (chooseFilterChain(listener.chains, facts) ?? listener.defaultChain);
  if (chain === undefined) return 'filter_chain_not_found';
  if (chain.http === undefined) return `filter chain ${chain.name} is TCP, which an HTTP server cannot serve`;
  return chain as HttpChain;
}

/** A connection that passed the gate. Its chain follows the configuration: a push that takes the chain away ends the connection. */
export class InboundConnection {
  readonly socket: Socket;
  readonly facts: ConnectionFacts;
  readonly peer: InboundPeer;
  /** Requests that are being answered, upgraded ones included. */
  active = 0;
  /** The next response says `connection: close`. */
  closing = false;
  /** Nothing more is read from it: its last response is on its way, or was. */
  ended = false;
  /** Its chain is gone, and its time is counted. */
  expelled = false;
  /** HTTP/2: tells the caller to open no further stream (GOAWAY), and closes when the last one has ended. */
  goAway: (() => void) | undefined = undefined;
  /** The request that came last. */
  latest: InboundExchange | undefined = undefined;
  private whenIdle: (() => void) | undefined = undefined;
  /** Pipelined: their responses wait behind earlier ones. One listener for all of them, however many there are. */
  private waiting: Set<InboundExchange> | undefined = undefined;
  private readonly find: FindChains;
  private chain: HttpChain | undefined;
  private snapshot: Snapshot;

  constructor(socket: Socket, facts: ConnectionFacts, peer: InboundPeer, chain: HttpChain, snapshot: Snapshot, find: FindChains) {
    this.socket = socket;
    this.facts = facts;
    this.peer = peer;
    this.chain = chain;
    this.snapshot = snapshot;
    this.find = find;
  }

  /** The connection manager of the snapshot; undefined = this connection would not be accepted any more. */
  manager(snapshot: Snapshot): HttpConnectionManager | undefined {
    if (snapshot !== this.snapshot) this.bind(snapshot);
    return this.chain?.http;
  }

  /** The caller was verified by the roots of the mesh, which change with the workload's identity. */
  get ofMesh(): boolean {
    return this.chain?.tls?.validationName === 'ROOTCA';
  }

  /** No further request after the ones that run. */
  retire(): void {
    this.closing = true;
    if (this.goAway !== undefined) this.goAway();
    else if (this.active === 0) this.socket.destroySoon();
  }

  /** The exchange ends with the socket, unless it has ended before. */
  awaitTurn(exchange: InboundExchange): void {
    if (this.waiting === undefined) {
      const waiting = new Set<InboundExchange>();
      this.waiting = waiting;
      this.socket.once('close', () => {
        for (const one of [...waiting]) one.closeUnsent();
      });
    }
    this.waiting.add(exchange);
  }

  /** One request less. */
  release(exchange?: InboundExchange): void {
    if (exchange !== undefined) this.waiting?.delete(exchange);
    this.active--;
    if (this.active > 0) return;
    const run = this.whenIdle;
    this.whenIdle = undefined;
    if (run !== undefined) run();
    else if (this.closing) this.retire();
  }

  /** Runs `last` when every request was answered: nothing overtakes a response. No request is taken any more. */
  endWith(last: () => void): void {
    if (this.ended) return;
    this.ended = true;
    if (this.active === 0) last();
    else this.whenIdle = last;
  }

  private bind(snapshot: Snapshot): void {
    const next = chooseHttpChain(this.find(snapshot), this.facts);
    this.snapshot = snapshot;
    this.chain = typeof next === 'string' || !this.fits(next) ? undefined : next;
  }

  /** As if it were accepted now: same transport, and a certificate that the chain still takes. */
  private fits({ tls }: HttpChain): boolean {
    const { mtls, uriSans, dnsSans } = this.peer;
    if ((tls !== undefined) !== this.facts.tls) return false;
    if (tls === undefined) return true;
    if (!mtls) return !tls.requireClientCertificate;
    return tls.acceptsSans(uriSans, dnsSans) && this.certificateFits(tls);
  }

  /** Bundles and pins that came with the configuration change with it; those of the mesh are looked at by the gate. */
  private certificateFits({ pins, secrets, validationName }: DownstreamTls): boolean {
    const before = this.chain?.tls;
    const trust = secrets?.trustBundlePem ?? '';
    const sameTrust = validationName === before?.validationName && (trust === '' || trust === before.secrets?.trustBundlePem);
    if (sameTrust && pins === undefined) return true;
    const certificate = (this.socket as TLSSocket).getPeerX509Certificate();
    if (certificate === undefined || (pins !== undefined && !isPinned(certificate, pins))) return false;
    // Another kind of bundle: the caller comes again and is verified by it.
    return sameTrust || (trust !== '' && endsIn(certificate, readBundle(trust)));
  }
}
