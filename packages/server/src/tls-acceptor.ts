import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { DownstreamTls, IdentitySource, Svid } from '@ripstop/core';
import { type PeerNames, readPeerNames, refusalOf } from './peer-certificate.ts';

/** What of a chain's ALPN list this driver serves. */
const SERVED_PROTOCOLS: readonly string[] = ['http/1.1'];
/** Envoy's cipher names are those of TLS 1.2; without these Node would switch TLS 1.3 off. */
const TLS13_CIPHERS = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'];
const HANDSHAKE_TIMEOUT_MS = 15_000;

/** What comes out of a handshake. `refused` is called at most once, the socket is gone then. */
export interface HandshakeListener {
  /** `names` is undefined when the chain asks for no certificate and the caller showed none. */
  secured(socket: TLSSocket, names: PeerNames | undefined, alpn: string): void;
  refused(why: string): void;
}

interface Handshake extends HandshakeListener {
  readonly tls: DownstreamTls;
  readonly alpn: string;
}

/** One per chain and chosen protocol: Node's ALPN list belongs to a server. It never listens, connections are handed to it. */
interface KeptServer {
  readonly svid: Svid;
  readonly server: Server;
}

/** Does the server's part of TLS handshakes with the workload's current certificate. */
export class TlsAcceptor {
  private readonly identity: IdentitySource | undefined;
  private readonly servers = new WeakMap<DownstreamTls, Map<string, KeptServer>>();
  /** Node does not say which raw socket a secured one stands on; their addresses are the same. */
  private readonly running = new Map<string, Handshake>();

  constructor(identity: IdentitySource | undefined) {
    this.identity = identity;
  }

  accept(raw: Socket, tls: DownstreamTls, offered: readonly string[], listener: HandshakeListener): void {
    // Node alerts when nothing offered is served, Envoy goes on without ALPN: so the choice is made here, from the ClientHello.
    const alpn = tls.alpn.find((name) => SERVED_PROTOCOLS.includes(name) && offered.includes(name)) ?? '';
    const server = this.serverOf(tls, alpn);
    if (typeof server === 'string') {
      raw.resetAndDestroy();
      listener.refused(server);
      return;
    }
    const key = keyOf(raw);
    this.running.set(key, { tls, alpn, secured: (...secure) => listener.secured(...secure), refused: (why) => listener.refused(why) });
    raw.once('close', () => this.take(key)?.refused('TLS_error: closed during the handshake'));
    server.emit('connection', raw);
  }

  private serverOf(tls: DownstreamTls, alpn: string): Server | string {
    if (tls.certificateName !== 'default') return `certificate ${tls.certificateName} is not supported; only the workload's own is`;
    if (tls.validationName !== 'ROOTCA' && tls.validationName !== '') return `trust bundle ${tls.validationName} is not supported`;
    const svid = this.identity?.current();
    if (svid === undefined) return 'this workload has no certificate: the CA has not issued one, or it has expired';
    let byAlpn = this.servers.get(tls);
    if (byAlpn === undefined) {
      byAlpn = new Map();
      this.servers.set(tls, byAlpn);
    }
    let kept = byAlpn.get(alpn);
    if (kept?.svid !== svid) {
      kept = { svid, server: this.createServer(tls, alpn, svid) };
      byAlpn.set(alpn, kept);
    }
    return kept.server;
  }

  private createServer(tls: DownstreamTls, alpn: string, svid: Svid): Server {
    const server = createServer({
      cert: svid.certificateChainPem,
      key: svid.privateKeyPem,
      ca: svid.trustBundlePem,
      requestCert: tls.validationName !== '',
      rejectUnauthorized: tls.requireClientCertificate,
      minVersion: tls.minVersion,
      maxVersion: 'TLSv1.3',
      ...(alpn === '' ? {} : { ALPNProtocols: [alpn] }),
      ...(tls.ciphers.length === 0 ? {} : { ciphers: [...TLS13_CIPHERS, ...tls.ciphers].join(':') }),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      // A resumed session would carry an identity that was verified against an older trust bundle.
      secureOptions: constants.SSL_OP_NO_TICKET,
    });
    server.on('secureConnection', (socket) => this.onSecured(socket));
    server.on('tlsClientError', (error, socket) => {
      this.take(keyOf(socket))?.refused(`TLS_error: ${error.message}`);
      socket.destroy();
    });
    return server;
  }

  private onSecured(socket: TLSSocket): void {
    const handshake = this.take(keyOf(socket));
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    const verdict = judge(socket, handshake.tls);
    if (typeof verdict === 'string') {
      socket.destroy();
      handshake.refused(verdict);
    } else handshake.secured(socket, verdict.names, handshake.alpn);
  }

  private take(key: string): Handshake | undefined {
    const handshake = this.running.get(key);
    this.running.delete(key);
    return handshake;
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}

/** The caller's verified names, or why it is refused. */
function judge(socket: TLSSocket, tls: DownstreamTls): { readonly names: PeerNames | undefined } | string {
  const certificate = tls.validationName === '' ? undefined : socket.getPeerX509Certificate();
  if (certificate === undefined) return tls.requireClientCertificate ? 'the caller showed no certificate' : { names: undefined };
  if (!socket.authorized) return `CERTIFICATE_VERIFY_FAILED: ${socket.authorizationError}`;
  const names = readPeerNames(certificate);
  const refusal = refusalOf(certificate, names);
  if (refusal !== undefined) return `CERTIFICATE_VERIFY_FAILED: ${refusal}`;
  if (!tls.acceptsSans(names.uriSans, names.dnsSans))
    return `CERTIFICATE_VERIFY_FAILED: SAN matcher, certificate SANs are [${[...names.uriSans, ...names.dnsSans].join(',')}]`;
  return { names };
}
