import { AsyncLocalStorage } from 'node:async_hooks';
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import type { Clock, DownstreamTls, IdentitySource, TlsKeyPair } from '@ripstop/core';
import { chooseKeyPairs } from './key-pair-choice.ts';
import { isPinned, type PeerNames, readPeerNames, refusalOf } from './peer-certificate.ts';
import { type TlsMaterial, TlsMaterials } from './tls-material.ts';

/** Envoy's cipher names are those of TLS 1.2; without these Node would switch TLS 1.3 off. */
const TLS13_CIPHERS = ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256'];
export const HANDSHAKE_TIMEOUT_MS = 15_000;

/** What comes out of a handshake. `refused` is called at most once, the socket is gone then. */
export interface HandshakeListener {
  /** `names` is undefined when the chain asks for no certificate and the caller showed none. */
  secured(socket: TLSSocket, names: PeerNames | undefined, alpn: string, material: TlsMaterial): void;
  refused(why: string): void;
}

interface Handshake {
  readonly tls: DownstreamTls;
  readonly alpn: string;
  readonly material: TlsMaterial;
  readonly listener: HandshakeListener;
  /** Runs in the context in which the connection came. */
  readonly outside: ReturnType<typeof AsyncLocalStorage.snapshot>;
}

/** What a connection's events keep for as long as it is open: nothing, when its handshake has ended. */
interface Entered {
  handshake: Handshake | undefined;
}

/** One per chain and chosen protocol: Node's ALPN list belongs to a server. It never listens, connections are handed to it. */
interface KeptServer {
  readonly material: TlsMaterial;
  readonly server: Server;
}

/** Does the server's part of TLS handshakes, each with the certificate that is current when it begins. */
export class TlsAcceptor {
  private readonly materials: TlsMaterials;
  private readonly servers = new WeakMap<DownstreamTls, Map<string, KeptServer>>();
  /** Node does not say which raw socket a secured one stands on, and those of a Unix socket have no addresses: it runs in its context. */
  private readonly entered = new AsyncLocalStorage<Entered>();

  constructor(identity: IdentitySource | undefined, clock: Clock, log: (line: string) => void = () => {}) {
    this.materials = new TlsMaterials(identity, clock, log);
  }

  /** `offered`: ALPN of the ClientHello. `served`: what of the chain's list is spoken here. */
  accept(raw: Socket, tls: DownstreamTls, offered: readonly string[], served: readonly string[], listener: HandshakeListener): void {
    // Node alerts when nothing offered is served, Envoy goes on without ALPN: so the choice is made here, from the ClientHello.
    const alpn = tls.alpn.find((name) => served.includes(name) && offered.includes(name)) ?? '';
    const kept = this.serverOf(tls, alpn);
    if (typeof kept === 'string') {
      raw.resetAndDestroy();
      listener.refused(kept);
      return;
    }
    const { material, server } = kept;
    const entered: Entered = { handshake: { tls, alpn, material, listener, outside: AsyncLocalStorage.snapshot() } };
    raw.once('close', () => take(entered)?.listener.refused('TLS_error: closed during the handshake'));
    this.entered.run(entered, () => server.emit('connection', raw));
  }

  private serverOf(tls: DownstreamTls, alpn: string): KeptServer | string {
    const material = this.materials.of(tls);
    if (typeof material === 'string') return material;
    let byAlpn = this.servers.get(tls);
    if (byAlpn === undefined) {
      byAlpn = new Map();
      this.servers.set(tls, byAlpn);
    }
    let kept = byAlpn.get(alpn);
    if (kept?.material !== material) {
      try {
        kept = { material, server: this.createServer(tls, alpn, material) };
      } catch (error) {
        // OpenSSL names the fault; its messages hold no key material.
        return `TLS of certificate ${tls.certificateName} cannot be set up: ${error instanceof Error ? error.message : error}`;
      }
      byAlpn.set(alpn, kept);
    }
    return kept;
  }

  private createServer(tls: DownstreamTls, alpn: string, material: TlsMaterial): Server {
    const context: SecureContextOptions = {
      ca: material.trustBundlePem,
      ...(material.revokedPem === '' ? {} : { crl: material.revokedPem }),
      minVersion: tls.minVersion,
      maxVersion: tls.maxVersion ?? 'TLSv1.3',
      ...(tls.ciphers.length === 0 ? {} : { ciphers: [...TLS13_CIPHERS, ...tls.ciphers].join(':') }),
      // A resumed session would carry an identity that was verified against an older trust bundle.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
    const { otherwise, byName } = chooseKeyPairs(material.keyPairs);
    const server = createServer({
      ...context,
      ...shown(otherwise),
      requestCert: tls.validationName !== '',
      // Node would end the connection without a word; `judge` decides, and tells why.
      rejectUnauthorized: false,
      ...(alpn === '' ? {} : { ALPNProtocols: [alpn] }),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    for (const [name, keyPairs] of byName) server.addContext(name, { ...context, ...shown(keyPairs) });
    server.on('secureConnection', (socket) => this.onSecured(socket));
    server.on('tlsClientError', (error, socket) => {
      take(this.entered.getStore())?.listener.refused(`TLS_error: ${error.message}`);
      socket.destroy();
    });
    return server;
  }

  private onSecured(socket: TLSSocket): void {
    const handshake = take(this.entered.getStore());
    if (handshake === undefined) {
      socket.destroy();
      return;
    }
    const verdict = judge(socket, handshake.tls, handshake.material);
    if (typeof verdict === 'string') {
      socket.destroy();
      handshake.listener.refused(verdict);
    } else {
      const { listener, alpn, material, outside } = handshake;
      // Entering a context copies what is in the one before: within the handshake's every request would pay for it.
      outside(() => listener.secured(socket, verdict.names, alpn, material));
    }
  }
}

/** Once: its listener hears of one end. */
function take(entered: Entered | undefined): Handshake | undefined {
  const handshake = entered?.handshake;
  if (entered !== undefined) entered.handshake = undefined;
  return handshake;
}

function shown(keyPairs: readonly TlsKeyPair[]): SecureContextOptions {
  return {
    cert: keyPairs.map(({ certificateChainPem }) => certificateChainPem),
    key: keyPairs.map(({ privateKeyPem }) => privateKeyPem),
  };
}

/** The caller's verified names, or why it is refused. */
function judge(socket: TLSSocket, tls: DownstreamTls, { trustBundlePem }: TlsMaterial): { readonly names: PeerNames | undefined } | string {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return tls.requireClientCertificate ? 'the caller showed no certificate' : { names: undefined };
  if (!socket.authorized) return `CERTIFICATE_VERIFY_FAILED: ${socket.authorizationError}`;
  const names = readPeerNames(certificate, trustBundlePem);
  // Rules of SPIFFE are for identities of the mesh; a bundle of somebody else may issue what it likes.
  const refusal = tls.validationName === 'ROOTCA' ? refusalOf(certificate, names) : undefined;
  if (refusal !== undefined) return `CERTIFICATE_VERIFY_FAILED: ${refusal}`;
  if (!tls.acceptsSans(names.uriSans, names.dnsSans))
    return `CERTIFICATE_VERIFY_FAILED: SAN matcher, certificate SANs are [${[...names.uriSans, ...names.dnsSans].join(',')}]`;
  if (tls.pins !== undefined && !isPinned(certificate, tls.pins))
    return `CERTIFICATE_VERIFY_FAILED: no pinned hash, certificate hash is ${names.hash}`;
  return { names };
}
