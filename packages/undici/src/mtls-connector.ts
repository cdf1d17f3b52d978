import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type PeerCertificate, type TLSSocket, connect as tlsConnect } from 'node:tls';
import {
  type Cancel,
  type Clock,
  type ConnectionOptions,
  isSocketPath,
  serverNameMismatch,
  type Timer,
  type TlsTransport,
  type TransportSocket,
  type UpstreamTls,
} from '@ripstop/core';
import { dialInTurn } from './happy-eyeballs.ts';
import { type CarriedEnds, proxyHeader } from './proxy-header.ts';
import { ConnectError } from './reset-reason.ts';

/** Istio's lists (filter `istio.alpn`), which replace the cluster's: a Node peer and a sidecar choose their mesh chain by them. */
const ISTIO_ALPN_HTTP1 = ['istio-http/1.1', 'istio', 'http/1.1'];
const ISTIO_ALPN_HTTP2 = ['istio-h2', 'istio', 'h2'];

/** An option of node:tls that its types leave out. */
const HALF_OPEN: object = { allowHalfOpen: true };

/** What is spoken on a connection; `auto`: as the TLS handshake says. `bytes`: whatever its ends agree on; each ends its direction by itself. */
export type UpstreamProtocol = 'http1' | 'http2' | 'auto' | 'bytes';

/** One connection to make. */
export interface ConnectTarget {
  readonly address: string;
  /** Further addresses of the same host, at the same port. */
  readonly otherAddresses?: readonly string[] | undefined;
  readonly port: number;
  readonly transport: TransportSocket;
  readonly connection: ConnectionOptions;
  readonly protocol: UpstreamProtocol;
  /** SNI of transports with autoSni: the request's host. */
  readonly authorityHost: string;
  /** The connection that is carried on, for transports that tell of it (PROXY protocol). */
  readonly carried?: CarriedEnds | undefined;
}

/**
 * Opens a plain byte stream to an address, as `net.connect` does; the socket tells by `connect` or `error` how it went. Unix sockets are
 * not asked of it.
 */
export type OpenSocket = (address: { readonly host: string; readonly port: number }) => Socket;

/** Called exactly once. */
export type Connected = (error: ConnectError | undefined, socket: Socket | undefined, http2: boolean) => void;

/**
 * Opens sockets to endpoints: plaintext, or TLS with the identity's certificate. undici's own connector won't do: it offers a
 * fixed ALPN list, and it resumes TLS sessions by server name, after which the peer sees the *old* identity and no SAN is checked.
 */
export class MtlsConnector {
  readonly #tls: UpstreamTls;
  readonly #clock: Clock;
  readonly #open: OpenSocket | undefined;

  /** `open`: where sockets come from; default node:net. */
  constructor(tls: UpstreamTls, clock: Clock, open?: OpenSocket) {
    this.#tls = tls;
    this.#clock = clock;
    this.#open = open;
  }

  connect(target: ConnectTarget, done: Connected): void {
    const { address, otherAddresses = [] } = target;
    if (otherAddresses.length === 0) this.#dial(target, done);
    else dialInTurn([address, ...otherAddresses], this.#clock, (other, then) => this.#dial({ ...target, address: other }, then), done);
  }

  /** Answers how to give it up. */
  #dial(target: ConnectTarget, done: Connected): Cancel {
    const { transport, connection } = target;
    let socket: Socket;
    try {
      socket = transport.kind === 'raw' ? this.#plain(target) : this.#secure(target, transport);
    } catch (error) {
      const failure = error instanceof ConnectError ? error : new ConnectError('connect-failure', reasonText(error), error);
      queueMicrotask(() => done(failure, undefined, false));
      return () => {};
    }
    let timer: Timer | undefined;
    let finished = false;
    const finish = (failure: ConnectError | undefined): void => {
      if (finished) return;
      finished = true;
      timer?.cancel();
      if (failure !== undefined) socket.destroy();
      done(failure, failure === undefined ? socket : undefined, failure === undefined && isHttp2(socket, target));
    };
    socket.setNoDelay(true);
    socket.setKeepAlive(true, connection.keepAliveTimeMs > 0 ? connection.keepAliveTimeMs : 60_000);
    let tcpStands = false;
    socket.once('connect', () => {
      tcpStands = true;
    });
    socket.once(transport.kind === 'raw' ? 'connect' : 'secureConnect', () => finish(undefined));
    // Stays after success: an error event without a listener would end the process; undici adds its own listeners.
    socket.on('error', (error) => finish(connectErrorOf(error, transport, tcpStands)));
    socket.once('close', () => finish(new ConnectError(tcpStands ? 'tls-failure' : 'connect-failure', 'remote_connection_failure')));
    if (connection.connectTimeoutMs > 0) {
      timer = this.#clock.setTimer(() => finish(new ConnectError('connect-timeout', '')), connection.connectTimeoutMs);
    }
    return () => {
      finished = true;
      timer?.cancel();
      socket.destroy();
    };
  }

  #plain(target: ConnectTarget): Socket {
    const socket = this.#dialled(target);
    const { proxyProtocol } = target.transport;
    // The first of its listeners: a handshake begins behind the header.
    if (proxyProtocol !== undefined) socket.once('connect', () => socket.write(proxyHeader(proxyProtocol, target.carried, socket)));
    return socket;
  }

  #dialled(target: ConnectTarget): Socket {
    const allowHalfOpen = target.protocol === 'bytes';
    if (isSocketPath(target.address)) return netConnect({ path: pathOf(target.address), allowHalfOpen });
    const address = { host: target.address, port: target.port, allowHalfOpen };
    return this.#open === undefined ? netConnect(address) : this.#open(address);
  }

  #secure(target: ConnectTarget, transport: TlsTransport): TLSSocket {
    return tlsConnect({
      ...(this.#open === undefined && !isSocketPath(target.address) && transport.proxyProtocol === undefined
        ? { host: target.address, port: target.port }
        : { socket: this.#plain(target) }),
      ...(target.protocol === 'bytes' ? HALF_OPEN : {}),
      servername: serverName(transport, target.authorityHost),
      ALPNProtocols: alpnOf(transport, target.protocol),
      secureContext: this.#tls.contextOf(transport),
      // Undefined trust = nothing is verified, as Envoy without trusted_ca.
      rejectUnauthorized: transport.trust !== undefined,
      checkServerIdentity: (_hostname: string, certificate: PeerCertificate) => checkSans(transport, target, certificate),
    });
  }
}

/** As the system calls it: abstract names begin with a NUL byte. */
function pathOf(address: string): string {
  return address.startsWith('@') ? `\0${address.slice(1)}` : address;
}

/** The name to send: never an IP (Node 26 throws), never the dialled address by accident. */
export function serverName(transport: TlsTransport, authorityHost: string): string {
  const name = transport.sni === '' && transport.autoSni ? authorityHost : transport.sni;
  return isIP(name) === 0 ? name : '';
}

function alpnOf(transport: TlsTransport, protocol: UpstreamProtocol): string[] {
  // As the cluster says, but for the name of an exchange that this side does not take part in.
  if (protocol === 'bytes') return transport.alpn.filter((name) => name !== 'istio-peer-exchange');
  if (transport.alpnOverride && protocol !== 'auto') return protocol === 'http2' ? ISTIO_ALPN_HTTP2 : ISTIO_ALPN_HTTP1;
  const own = transport.alpn.filter((name) => !name.startsWith('istio'));
  if (own.length > 0) return own;
  if (protocol === 'auto') return ['h2', 'http/1.1'];
  return protocol === 'http2' ? ['h2'] : ['http/1.1'];
}

/** The cluster says the protocol (Envoy's explicit_http_config); ALPN can only take HTTP/2 back to HTTP/1.1. */
function isHttp2(socket: Socket, target: ConnectTarget): boolean {
  if (target.protocol !== 'http2') return (socket as TLSSocket).alpnProtocol === 'h2';
  const alpn = (socket as TLSSocket).alpnProtocol;
  return alpn !== 'http/1.1' && alpn !== 'istio-http/1.1';
}

function checkSans(transport: TlsTransport, { authorityHost, protocol }: ConnectTarget, certificate: PeerCertificate): Error | undefined {
  // Bytes have no Host that the certificate could be for (Envoy: the same).
  if (transport.autoSanValidation && transport.sni === '' && protocol !== 'bytes') {
    const mismatch = serverNameMismatch(authorityHost, certificate);
    if (mismatch !== undefined) return mismatch;
  }
  const { uris, dns } = subjectAltNames(certificate.subjectaltname);
  if (transport.acceptsSans(uris, dns)) return undefined;
  return new SanMismatch([...uris, ...dns]);
}

/** The chain is good but the peer is somebody else. */
class SanMismatch extends Error {
  readonly code = 'RIPSTOP_SAN_MISMATCH';

  constructor(sans: readonly string[]) {
    super(`CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_SAN_matcher,_certificate_SANs_are_[${sans.join(',')}]`);
  }
}

/** Splits Node's `URI:…, DNS:…`; entries with awkward characters come as JSON strings, whose commas must not split. */
export function subjectAltNames(text: string | undefined): { uris: string[]; dns: string[] } {
  const uris: string[] = [];
  const dns: string[] = [];
  for (const entry of (text ?? '').match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? []) {
    const trimmed = entry.trim();
    const colon = trimmed.indexOf(':');
    const raw = trimmed.slice(colon + 1);
    const value = raw.startsWith('"') ? (JSON.parse(raw) as string) : raw;
    if (trimmed.startsWith('URI:')) uris.push(value);
    else if (trimmed.startsWith('DNS:')) dns.push(value);
  }
  return { uris, dns };
}

function connectErrorOf(error: Error, transport: TransportSocket, tcpStands: boolean): ConnectError {
  if (error instanceof ConnectError) return error;
  const code = (error as { code?: unknown }).code;
  if (transport.kind === 'tls' && tcpStands)
    return new ConnectError('tls-failure', `TLS_error:|${error.message.replaceAll(' ', '_')}:TLS_error_end`, error);
  if (code === 'ETIMEDOUT') return new ConnectError('connect-timeout', '', error);
  return new ConnectError('connect-failure', reasonText(error), error);
}

const SYSTEM_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'delayed_connect_error:_Connection_refused',
  EHOSTUNREACH: 'delayed_connect_error:_No_route_to_host',
  ENETUNREACH: 'immediate_connect_error:_Network_is_unreachable',
  ECONNRESET: 'delayed_connect_error:_Connection_reset_by_peer',
};

function reasonText(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  if (typeof code === 'string') return SYSTEM_TEXTS[code] ?? `delayed_connect_error:_${code}`;
  return error instanceof Error ? error.message : String(error);
}
