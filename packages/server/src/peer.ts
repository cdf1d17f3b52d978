import type { Socket } from 'node:net';
import type { Peer } from '@ripstop/core';
import type { PeerNames } from './peer-certificate.ts';
import type { ProxiedAddresses } from './proxy-header.ts';
import type { TlsMaterial } from './tls-material.ts';

/** The other side of an inbound connection, for filters and for the app's handlers. */
export interface InboundPeer extends Peer {
  /** `spiffe://…` of the verified client certificate; undefined over plaintext. */
  readonly spiffeId: string | undefined;
  /** Istio's form of it: `cluster.local/ns/default/sa/productpage`. */
  readonly principal: string | undefined;
}

/** By socket, or by HTTP/2 session: node:http2 shows a session's socket only behind a proxy object. */
const peers = new WeakMap<object, InboundPeer>();

/** What a peer is found by: a request of node:http, one of node:http2's compatibility API, or `{ stream }` of an HTTP/2 stream. */
export interface PeerQuery {
  readonly socket?: object | null | undefined;
  readonly stream?: { readonly session?: object | null | undefined } | undefined;
}

/** Who sent a request; undefined for one that did not come through a mesh listener (tests, `inject`). */
export function peerOf(request: PeerQuery): InboundPeer | undefined {
  const session = request.stream?.session;
  if (session !== undefined && session !== null) return peers.get(session);
  return request.socket === undefined || request.socket === null ? undefined : peers.get(request.socket);
}

/** Tells {@link peerOf} whose requests will come over this socket or session. */
export function introduce(connection: object, peer: InboundPeer): void {
  peers.set(connection, peer);
}

/** What it was shown: see {@link Peer}; absent = the workload's own certificate, or none. */
interface PeerExtras extends Partial<Pick<TlsMaterial, 'shownUriSan' | 'shownName'>> {
  /** In the place of the socket's own ends. */
  readonly proxied?: ProxiedAddresses | undefined;
  /** Of the Unix socket that it came over, which has no addresses. */
  readonly socketPath?: string | undefined;
}

const NO_EXTRAS: PeerExtras = {};

/** Over plaintext `names` is undefined. */
export function createPeer(
  socket: Socket,
  names: PeerNames | undefined,
  sni: string,
  alpn: string,
  { proxied, socketPath, ...shown }: PeerExtras = NO_EXTRAS,
): InboundPeer {
  const uri = names?.uriSans[0];
  const direct = { address: socketPath ?? plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
  const spiffeId = uri?.startsWith('spiffe://') === true ? uri : undefined;
  return {
    address: proxied?.address ?? direct.address,
    port: proxied?.port ?? direct.port,
    localAddress: proxied?.localAddress ?? socketPath ?? plainAddress(socket.localAddress),
    localPort: proxied?.localPort ?? socket.localPort ?? 0,
    ...(proxied === undefined ? {} : { direct }),
    mtls: names !== undefined,
    uriSans: names?.uriSans ?? [],
    dnsSans: names?.dnsSans ?? [],
    subject: names?.subject ?? '',
    certificateHash: names?.hash ?? '',
    ...(names === undefined ? {} : { certificatePem: names.pem, certificateChainPem: names.chainPem }),
    ...(shown.shownUriSan === undefined ? {} : { shownUriSan: shown.shownUriSan }),
    ...(shown.shownName === undefined ? {} : { shownName: shown.shownName }),
    sni,
    alpn,
    spiffeId,
    principal: spiffeId?.slice('spiffe://'.length),
  };
}

/** A dual-stack socket's IPv4 caller as IPv4. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
