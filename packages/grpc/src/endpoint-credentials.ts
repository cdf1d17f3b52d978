import { isIP, type Socket } from 'node:net';
import { type PeerCertificate, connect as tlsConnect } from 'node:tls';
import grpc from '@grpc/grpc-js';
import { serverNameMismatch, type TlsTransport, type TransportSocket, type UpstreamTls } from '@ripstop/core';
import { letGoOfStreams } from './finished-streams.ts';
import { parseSubjectAltNames } from './subject-alt-names.ts';
import { TransportError } from './transport-error.ts';

type SecureConnector = grpc.experimental.SecureConnector;
type SecureConnectResult = grpc.experimental.SecureConnectResult;

/** Istio's list for HTTP/2 (filter `istio.alpn`), which replaces the cluster's: peers choose their mesh chain by it. */
const ISTIO_ALPN: string[] = ['istio-h2', 'istio', 'h2'];

/**
 * Credentials of one endpoint's connections: plaintext, or TLS with the identity's certificate as it is when the connection is made.
 * grpc-js's own offer a fixed ALPN list and take the dialled address for the server's name.
 */
export class EndpointCredentials extends grpc.ChannelCredentials {
  readonly #transport: TransportSocket;
  readonly #tls: UpstreamTls;
  readonly #authorityHost: string;

  constructor(transport: TransportSocket, tls: UpstreamTls, authorityHost: string) {
    super();
    this.#transport = transport;
    this.#tls = tls;
    this.#authorityHost = authorityHost;
  }

  override _isSecure(): boolean {
    return this.#transport.kind === 'tls';
  }

  /** Never shared: grpc-js pools connections by this, and two meshes must not meet. */
  override _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    _target: grpc.experimental.GrpcUri,
    _options: grpc.ChannelOptions,
    callCredentials?: grpc.CallCredentials,
  ): SecureConnector {
    const credentials = callCredentials ?? grpc.CallCredentials.createEmpty();
    return {
      connect: (socket) => this.#connect(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => credentials,
      destroy: () => {},
    };
  }

  async #connect(socket: Socket): Promise<SecureConnectResult> {
    const transport = this.#transport;
    const connected = transport.kind === 'raw' ? { socket, secure: false } : await this.#secure(socket, transport);
    letGoOfStreams(connected.socket);
    return connected;
  }

  #secure(socket: Socket, transport: TlsTransport): Promise<SecureConnectResult> {
    return new Promise((resolve, reject) => {
      const secure = tlsConnect({
        socket,
        servername: serverName(transport, this.#authorityHost),
        ALPNProtocols: alpnOf(transport),
        secureContext: this.#tls.contextOf(transport),
        // Undefined trust = nothing is verified, as Envoy without trusted_ca.
        rejectUnauthorized: transport.trust !== undefined,
        checkServerIdentity: (_hostname, certificate) => checkSans(transport, this.#authorityHost, certificate),
      });
      const fail = (why: string, cause?: unknown): void => {
        secure.destroy();
        reject(new TransportError(`TLS_error:|${why.replaceAll(' ', '_')}:TLS_error_end`, cause));
      };
      const onClose = (): void => fail('connection closed by the peer during the handshake');
      secure.once('close', onClose);
      // Stays: an error event without a listener would end the process.
      secure.on('error', (error) => fail(error.message, error));
      secure.once('secureConnect', () => {
        secure.off('close', onClose);
        if (secure.alpnProtocol === 'http/1.1' || secure.alpnProtocol === 'istio-http/1.1') fail('the endpoint speaks only HTTP/1.1');
        else resolve({ socket: secure, secure: true });
      });
    });
  }
}

/** The name to send: never an IP (Node 26 throws), never the dialled address by accident. */
function serverName(transport: TlsTransport, authorityHost: string): string {
  const name = transport.sni === '' && transport.autoSni ? authorityHost : transport.sni;
  return isIP(name) === 0 ? name : '';
}

function alpnOf(transport: TlsTransport): string[] {
  return transport.alpnOverride ? ISTIO_ALPN : ['h2'];
}

function checkSans(transport: TlsTransport, authorityHost: string, certificate: PeerCertificate): Error | undefined {
  if (transport.autoSanValidation && transport.sni === '') {
    const mismatch = serverNameMismatch(authorityHost, certificate);
    if (mismatch !== undefined) return mismatch;
  }
  const { uris, dns } = parseSubjectAltNames(certificate.subjectaltname);
  if (transport.acceptsSans(uris, dns)) return undefined;
  return new Error(`CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_SAN_matcher,_certificate_SANs_are_[${[...uris, ...dns].join(',')}]`);
}
