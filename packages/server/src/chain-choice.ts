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
  type TcpProxy,
} from '@ripstop/core';
import type { InboundPeer } from './peer.ts';
import { isPinned } from './peer-certificate.ts';

/** The filter chains that a port's connections choose from. */
export interface ListenerChains {
  readonly chains: readonly FilterChain[];
  /** For connections that no chain matches. */
  readonly defaultChain: FilterChain | undefined;
  /** Connections begin with a header of the PROXY protocol. */
  readonly readsProxyProtocol?: boolean;
}

/** Finds a port's chains in a snapshot; undefined = the listener is gone. */
export type FindChains = (snapshot: Snapshot) => ListenerChains | undefined;

/** A chain whose connections carry requests. */
export type HttpChain = FilterChain & { readonly http: HttpConnectionManager };
/** A chain whose connections carry bytes. */
export type TcpChain = FilterChain & { readonly tcp: TcpProxy };

/** Envoy's details of a connection that no chain takes. */
export const NO_CHAIN = 'filter_chain_not_found';

/** The chain of a connection, or why there is none. `carriesBytes`: somebody here does. */
export function chooseChain(
  listener: ListenerChains | undefined,
  facts: ConnectionFacts,
  carriesBytes: boolean,
): HttpChain | TcpChain | string {
  const chain = listener === undefined ? undefined : (chooseFilterChain(listener.chains, facts) ?? listener.defaultChain);
  if (chain === undefined) return NO_CHAIN;
  if (chain.refused !== undefined) return `filter chain ${chain.name}: ${chain.refused}`;
  if (chain.http !== undefined) return chain as HttpChain;
  if (chain.tcp !== undefined && carriesBytes) return chain as TcpChain;
  return `filter chain ${chain.name} is TCP, which an HTTP server cannot serve`;
}

/** The chain of a connection that carries requests. */
export function chooseHttpChain(listener: ListenerChains | undefined, facts: ConnectionFacts): HttpChain | undefined {
  const chain = chooseChain(listener, facts, false);
  return typeof chain === 'string' ? undefined : (chain as HttpChain);
}

export function isHttp(chain: HttpChain | TcpChain): chain is HttpChain {
  return chain.http !== undefined;
}

/**
 * Whether the first bytes of a connection decide anything. Where they do not, nobody waits for them: in some protocols it is the server
 * that speaks first.
 */
export function looksAtBytes({ chains, defaultChain }: ListenerChains): boolean {
  const all = defaultChain === undefined ? chains : [...chains, defaultChain];
  return all.some(({ http, tls, match }) => {
    const { serverNames, transportProtocol, applicationProtocols } = match;
    return http !== undefined || tls !== undefined || serverNames.length + applicationProtocols.length > 0 || transportProtocol !== '';
  });
}

/** A connection that was let in by a chain, and how. */
export interface LetIn {
  readonly socket: Socket;
  /** TLS ends here. */
  readonly terminated: boolean;
  readonly peer: InboundPeer;
}

/**
 * Whether a connection would be let in by a chain now: same transport, and a certificate that the chain still takes. `before`: of the
 * chain that let it in last.
 */
export function fits({ socket, terminated, peer }: LetIn, before: DownstreamTls | undefined, { tls }: FilterChain): boolean {
  const { mtls, uriSans, dnsSans } = peer;
  if ((tls !== undefined) !== terminated) return false;
  if (tls === undefined) return true;
  if (!mtls) return !tls.requireClientCertificate;
  return tls.acceptsSans(uriSans, dnsSans) && certificateFits(socket as TLSSocket, before, tls);
}

/** Bundles and pins that came with the configuration change with it; those of the mesh are looked at by the gate. */
function certificateFits(socket: TLSSocket, before: DownstreamTls | undefined, { pins, secrets, validationName }: DownstreamTls): boolean {
  const trust = secrets?.trustBundlePem ?? '';
  const sameTrust = validationName === before?.validationName && (trust === '' || trust === before.secrets?.trustBundlePem);
  if (sameTrust && pins === undefined) return true;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined || (pins !== undefined && !isPinned(certificate, pins))) return false;
  // Another kind of bundle: the caller comes again and is verified by it.
  return sameTrust || (trust !== '' && endsIn(certificate, readBundle(trust)));
}
