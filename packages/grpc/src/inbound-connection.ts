import {
  type ConnectionFacts,
  chooseFilterChain,
  type FilterChain,
  type HttpConnectionManager,
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
export class InboundConnection {
  readonly facts: ConnectionFacts;
  readonly peer: Peer;
  /** PEM of the roots that its caller was verified by; '' = it has shown no certificate. */
  readonly verifiedBy: string;
  /** Its root was taken out of the trust bundle. */
  distrusted = false;
  /** Its caller has abused a connection a moment ago. */
  suspect = false;
  #snapshot: Snapshot | undefined;
  #chain: HttpChain | undefined;

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
    this.#chain = typeof chain === 'string' || !this.#fits(chain) ? undefined : chain;
    return this.#chain;
  }

  #fits({ tls }: HttpChain): boolean {
    if (tls === undefined) return true;
    const { mtls, uriSans, dnsSans } = this.peer;
    return mtls ? tls.acceptsSans(uriSans, dnsSans) : !tls.requireClientCertificate;
  }
}
