import type { Cluster } from './cluster/cluster.ts';
import type { HttpConnectionManager } from './route/route.ts';

/** TLS of a listener's filter chain. The server driver supplies key and trust from the identity source, or `secret` names them. */
export interface DownstreamTls {
  readonly requireClientCertificate: boolean;
  readonly alpn: readonly string[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly ciphers: readonly string[];
  /** True when the peer's SANs are acceptable (Istio: prefix spiffe://<trust domain>/). */
  acceptsSans(uriSans: readonly string[], dnsSans: readonly string[]): boolean;
  /** SDS certificate name: `default` = the workload's identity, `kubernetes://name` = a secret. */
  readonly certificateName: string;
  readonly validationName: string;
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
  /** Undefined = a TCP chain, which an HTTP server cannot serve. */
  readonly http: HttpConnectionManager | undefined;
  /** Connection-level authorization (network RBAC), for TCP chains. */
  readonly tcpCluster: string | undefined;
}

/** A gateway's listener (router nodes). */
export interface GatewayListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly filterChains: readonly FilterChain[];
  /** Ports need no TLS peek. */
  readonly defaultFilterChain: FilterChain | undefined;
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
