import type { Cluster } from './cluster/cluster.ts';
import type { Admission } from './connection-admission.ts';
import type { HttpConnectionManager } from './route/route.ts';
import type { TcpProxy } from './tcp-proxy.ts';
import type { TlsKeyPair } from './tls-key-pair.ts';

/** TLS of a listener's filter chain. The server driver supplies key and trust from the identity source, or `secret` names them. */
export interface DownstreamTls {
  readonly requireClientCertificate: boolean;
  readonly alpn: readonly string[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Default TLSv1.3. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  readonly ciphers: readonly string[];
  /** True when the peer's SANs are acceptable (Istio: prefix spiffe://<trust domain>/). */
  acceptsSans(uriSans: readonly string[], dnsSans: readonly string[]): boolean;
  /** Of a caller's certificate one of these must be true; undefined = no matter. */
  readonly pins?: CertificatePins | undefined;
  /** SDS certificate name: `default` = the workload's identity, `file-cert:<certificate>~<key>` = files, `kubernetes://name` = a secret. */
  readonly certificateName: string;
  /** Beside that one, for example of another key type. */
  readonly otherCertificateNames?: readonly string[];
  /** Who may call: `ROOTCA` = the mesh's roots, `file-root:<file>`, the name of a secret, '' = nobody is asked for a certificate. */
  readonly validationName: string;
  /** What the control plane has sent under these names; undefined when none of them is a secret. */
  readonly secrets?: TlsSecrets | undefined;
}

export interface CertificatePins {
  /** Lower-case hex of the SHA-256 of the DER certificate. */
  readonly certificates: ReadonlySet<string>;
  /** Base64 of the SHA-256 of the public key (SubjectPublicKeyInfo). */
  readonly publicKeys: ReadonlySet<string>;
}

export interface TlsSecrets {
  readonly keyPairs: readonly TlsKeyPair[];
  readonly trustBundlePem: string;
  /** Revocation lists; '' = none. */
  readonly revokedPem: string;
  /** Why no connection can be let in; '' when everything is there. */
  readonly missing: string;
}

/** What a connection must look like to take a chain (Envoy's FilterChainMatch). Empty = any. */
export interface FilterChainMatch {
  readonly destinationPort: number;
  readonly serverNames: readonly string[];
  readonly transportProtocol: '' | 'tls' | 'raw_buffer';
  readonly applicationProtocols: readonly string[];
}

export interface FilterChain {
  readonly name: string;
  readonly match: FilterChainMatch;
  /** Undefined = plaintext. */
  readonly tls: DownstreamTls | undefined;
  /** Undefined = a chain of bytes, which an HTTP server cannot serve. */
  readonly http: HttpConnectionManager | undefined;
  /** Of a chain of requests; absent = every connection is let in. */
  readonly admission?: Admission | undefined;
  /** Of a chain of bytes; undefined when it asks for something that cannot be enforced. */
  readonly tcp: TcpProxy | undefined;
  /** Why nobody is let in by this chain; absent = they are. */
  readonly refused?: string;
}

/** A gateway's listener (router nodes). */
export interface GatewayListener {
  readonly name: string;
  /** Where it listens: an address (`0.0.0.0`: the process says where), or `unix://<path>`. */
  readonly address: string;
  /** 0 on a Unix socket. */
  readonly port: number;
  /** Connections begin with a header of the PROXY protocol. */
  readonly readsProxyProtocol: boolean;
  readonly filterChains: readonly FilterChain[];
  readonly defaultFilterChain: FilterChain | undefined;
  /** Tells of connections that no chain takes; it serves none. */
  readonly unrouted: HttpConnectionManager;
}

/** What a connection attempt of the app to some port means. */
export interface OutboundTables {
  /** The connection manager of a destination port (listener `0.0.0.0_<port>` and per-service ones joined); undefined = none. */
  forPort(port: number): HttpConnectionManager | undefined;
  /** For ports without a listener: PassthroughCluster or BlackHoleCluster, as a manager with the one catch-all route. */
  readonly catchAll: HttpConnectionManager;
  readonly ports: readonly number[];
}

/** Everything that a request needs, immutable, swapped as a whole. Only `clusters` reach run-time state. */
export interface Snapshot {
  readonly version: string;
  /** Increases with each swap. */
  readonly sequence: number;
  readonly outbound: OutboundTables;
  /** Filter chains of virtualInbound, in order; choose with `chooseFilterChain`. */
  readonly inbound: readonly FilterChain[];
  readonly gateways: readonly GatewayListener[];
  readonly clusters: ReadonlyMap<string, Cluster>;
}
