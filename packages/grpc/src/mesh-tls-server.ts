import { AsyncLocalStorage } from 'node:async_hooks';
import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type Cancel, type ConnectionFacts, type DownstreamTls, NO_PEER, type Svid } from '@ripstop/core';
import type { GrpcParts } from './grpc-parts.ts';
import { chooseHttpChain } from './inbound-connection.ts';
import { namesOfCertificate, refusalOf } from './inbound-peer.ts';

const HANDSHAKE_TIMEOUT_MS = 15_000;
/** What of a chain's ALPN list HTTP/2 can be spoken under. */
const HTTP2_PROTOCOLS: readonly string[] = ['istio-h2', 'h2', 'istio'];

type Names = ReturnType<typeof namesOfCertificate>;

/** A connection whose handshake has ended. `names` is undefined when the chain asks for no certificate. */
export interface SecuredConnection {
  /** The socket underneath. */
  readonly raw: Socket;
  readonly socket: TLSSocket;
  readonly facts: ConnectionFacts;
  readonly names: Names | undefined;
  /** PEM of the roots that the caller was verified by. */
  readonly verifiedBy: string;
}

/** A handshake that runs; Node tells what the caller offers only while it does. */
interface Handshake {
  readonly raw: Socket;
  readonly verifiedBy: string;
  /** Runs in the context in which the connection came: calls copy all that is in theirs when they enter one of their own. */
  readonly outside: ReturnType<typeof AsyncLocalStorage.snapshot>;
  offered: readonly string[];
}

/**
 * The server's part of TLS handshakes on one workload port, with the workload's current certificate. It never listens: connections that
 * begin with a ClientHello are handed to it. The filter chain is chosen from what the caller offers, and judges the caller afterwards.
 */
export class MeshTlsServer {
  readonly #parts: GrpcParts;
  readonly #port: number;
  readonly #onSecured: (secured: SecuredConnection) => void;
  readonly #handshakes = new AsyncLocalStorage<Handshake>();
  readonly #stopWatching: Cancel | undefined;
  #server: Server | undefined;

  constructor(parts: GrpcParts, port: number, onSecured: (secured: SecuredConnection) => void) {
    this.#parts = parts;
    this.#port = port;
    this.#onSecured = onSecured;
    // A new server per certificate: nothing of the old one (session cache, trust) lives on in it.
    this.#stopWatching = parts.identity?.onRotate(() => {
      this.#server = undefined;
    });
  }

  accept(raw: Socket): void {
    const svid = this.#parts.identity?.current();
    if (svid === undefined) {
      this.#refuse(raw, 'this workload has no certificate: the CA has not issued one');
      return;
    }
    this.#server ??= this.#createServer(svid);
    const server = this.#server;
    const handshake = { raw, verifiedBy: svid.trustBundlePem, outside: AsyncLocalStorage.snapshot(), offered: [] };
    this.#handshakes.run(handshake, () => server.emit('connection', raw));
  }

  close(): void {
    this.#stopWatching?.();
    this.#server = undefined;
  }

  #createServer(svid: Svid): Server {
    const server = createServer({
      cert: svid.certificateChainPem,
      key: svid.privateKeyPem,
      ca: svid.trustBundlePem,
      requestCert: true,
      // Judged below, by the chain: some ask for no certificate.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      // A resumed session would carry an identity that was verified against an older trust bundle.
      secureOptions: constants.SSL_OP_NO_TICKET,
      ALPNCallback: ({ servername, protocols }) => this.#chooseProtocol(servername, protocols),
    });
    server.on('secureConnection', (socket) => this.#judge(socket));
    server.on('tlsClientError', (error, socket) => this.#refuse(socket, `TLS_error: ${error.message}`));
    return server;
  }

  /** Undefined ends the handshake: no chain takes such a caller. Node's types do not say it, but without SNI the name is false. */
  #chooseProtocol(servername: string | false | undefined, protocols: readonly string[]): string | undefined {
    const handshake = this.#handshakes.getStore();
    if (handshake !== undefined) handshake.offered = protocols;
    const chain = chooseHttpChain(this.#parts.snapshots.current, this.#facts(servername || '', protocols));
    if (typeof chain === 'string') return undefined;
    const served = chain.tls!.alpn.filter((name) => HTTP2_PROTOCOLS.includes(name));
    return (served.length === 0 ? HTTP2_PROTOCOLS : served).find((name) => protocols.includes(name));
  }

  #judge(socket: TLSSocket): void {
    const { servername } = socket as TLSSocket & { servername?: string | false };
    const handshake = this.#handshakes.getStore();
    if (handshake === undefined) {
      this.#refuse(socket, 'the handshake was lost');
      return;
    }
    const facts = this.#facts(servername || '', handshake.offered);
    const chain = chooseHttpChain(this.#parts.snapshots.current, facts);
    if (typeof chain === 'string') {
      this.#refuse(socket, chain);
      return;
    }
    const verdict = judgeCaller(socket, chain.tls!);
    if (typeof verdict === 'string') {
      this.#refuse(socket, verdict);
      return;
    }
    const { raw, verifiedBy, outside } = handshake;
    outside(() => this.#onSecured({ raw, socket, facts, names: verdict.names, verifiedBy }));
  }

  #facts(servername: string, alpn: readonly string[]): ConnectionFacts {
    return { port: this.#port, tls: true, sni: servername.toLowerCase(), alpn };
  }

  #refuse(socket: Socket, why: string): void {
    this.#parts.log?.(`gRPC port ${this.#port}: connection from ${socket.remoteAddress ?? NO_PEER.address} refused: ${why}`);
    socket.destroy();
  }
}

/** The caller's verified names, or why it is refused. */
function judgeCaller(socket: TLSSocket, tls: DownstreamTls): { readonly names: Names | undefined } | string {
  if (tls.certificateName !== 'default') return `certificate ${tls.certificateName} is not supported; only the workload's own is`;
  if (tls.validationName !== 'ROOTCA' && tls.validationName !== '') return `trust bundle ${tls.validationName} is not supported`;
  if (tls.minVersion === 'TLSv1.3' && socket.getProtocol() !== 'TLSv1.3') return 'TLS 1.3 is demanded';
  if (tls.ciphers.length > 0 && socket.getProtocol() === 'TLSv1.2' && !tls.ciphers.includes(socket.getCipher().name))
    return `cipher ${socket.getCipher().name} is not among the allowed`;
  const certificate = tls.validationName === '' ? undefined : socket.getPeerX509Certificate();
  if (certificate === undefined) return tls.requireClientCertificate ? 'the caller showed no certificate' : { names: undefined };
  if (!socket.authorized) return `CERTIFICATE_VERIFY_FAILED: ${socket.authorizationError}`;
  const names = namesOfCertificate(certificate);
  const refusal = refusalOf(certificate, names);
  if (refusal !== undefined) return `CERTIFICATE_VERIFY_FAILED: ${refusal}`;
  if (!tls.acceptsSans(names.uriSans, names.dnsSans))
    return `CERTIFICATE_VERIFY_FAILED: SAN matcher, certificate SANs are [${[...names.uriSans, ...names.dnsSans].join(',')}]`;
  return { names };
}
