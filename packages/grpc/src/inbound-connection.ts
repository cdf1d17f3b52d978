import type { Socket } from 'node:net';
import {
  CHAIN_GONE_MS,
  type Clock,
  CONNECTION_LIMITS,
  type ConnectionFacts,
  ConnectionLife,
  chooseFilterChain,
  type FilterChain,
  type HttpConnectionManager,
  type LimitedConnection,
  type Peer,
  type Snapshot,
} from '@ripstop/core';

/** A chain that a gRPC server can serve. */
export type HttpChain = FilterChain & { readonly http: HttpConnectionManager };

/** The chain of a connection, or why there is none. */
export function chooseHttpChain(snapshot: Snapshot | undefined, facts: ConnectionFacts): HttpChain | string {
  if (snapshot === undefined) return 'the mesh has no configuration yet';
  const chain = chooseFilterChain(snapshot.inbound, facts);
  if (chain === undefined) return 'filter_chain_not_found';
  if (chain.http === undefined) return `filter chain ${chain.name} is TCP, which a gRPC server cannot serve`;
  if ((chain.tls !== undefined) !== facts.tls) return `filter chain ${chain.name} ${facts.tls ? 'is plaintext' : 'demands TLS'}`;
  return chain as HttpChain;
}

/** An accepted connection. Its chain follows the configuration: a policy that is pushed holds for the next call, not the next connection. */
export class InboundConnection implements LimitedConnection {
  readonly facts: ConnectionFacts;
  readonly peer: Peer;
  /** PEM of the roots that its caller was verified by; '' = it has shown no certificate. */
  readonly verifiedBy: string;
  /** Its root was taken out of the trust bundle. */
  distrusted = false;
  /** Its caller has abused a connection a moment ago. */
  suspect = false;
  /** Of the filters in front of its connection manager that have let it in. */
  admittedBy: string | undefined = undefined;
  /** Calls that run, and calls that their callers are still told the end of. */
  active = 0;
  /** Tells the caller to open no further stream (GOAWAY), and closes when the last one has ended; there from its first stream on. */
  goAway: (() => void) | undefined = undefined;
  readonly bytesRead: undefined = undefined;
  #socket: Socket | undefined;
  #life: ConnectionLife | undefined;
  #snapshot: Snapshot | undefined;
  #chain: HttpChain | undefined;
  #expelled = false;

  constructor(facts: ConnectionFacts, peer: Peer, verifiedBy = '') {
    this.facts = facts;
    this.peer = peer;
    this.verifiedBy = verifiedBy;
  }

  /** Undefined = this connection would not be accepted any more. */
  chain(snapshot: Snapshot): HttpChain | undefined {
    if (this.distrusted) return undefined;
    if (snapshot === this.#snapshot) return this.#chain;
    const chain = chooseHttpChain(snapshot, this.facts);
    this.#snapshot = snapshot;
    this.#chain = typeof chain === 'string' || !this.#fits(chain) || chain.admission?.key !== this.admittedBy ? undefined : chain;
    return this.#chain;
  }

  /** From now on the limits of its chain are kept. `socket`: what it is spoken on. */
  live(socket: Socket, snapshot: Snapshot | undefined, clock: Clock): void {
    const limits = snapshot === undefined ? undefined : this.chain(snapshot)?.http.connectionLimits;
    const life = new ConnectionLife(limits ?? CONNECTION_LIMITS, clock, this);
    this.#socket = socket;
    this.#life = life;
    socket.once('close', () => life.close());
  }

  begin(): void {
    this.active++;
    this.#life?.onRequest();
  }

  release(): void {
    this.active--;
    if (this.active === 0) this.#life?.onIdle();
  }

  drain(): void {
    this.goAway?.();
  }

  retire(): void {
    if (this.goAway !== undefined) this.goAway();
    else this.#socket?.destroySoon();
  }

  /** Its chain is gone: no further call, and those that run get so much time, no more. */
  expel(clock: Clock): void {
    this.retire();
    const socket = this.#socket;
    if (this.#expelled || socket === undefined || socket.destroyed) return;
    this.#expelled = true;
    const timer = clock.setTimer(() => socket.destroy(), CHAIN_GONE_MS);
    socket.once('close', () => timer.cancel());
  }

  #fits({ tls }: HttpChain): boolean {
    if (tls === undefined) return true;
    const { mtls, uriSans, dnsSans } = this.peer;
    return mtls ? tls.acceptsSans(uriSans, dnsSans) : !tls.requireClientCertificate;
  }
}
