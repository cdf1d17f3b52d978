import type { Exchange } from '../exchange.ts';
import type { LocalReply } from '../local-reply.ts';
import type { AttemptOutcome } from '../outcome.ts';
import type { SourceRef } from '../source-ref.ts';
import type { TlsKeyPair } from '../tls-key-pair.ts';

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** EDS health. UNKNOWN counts as healthy. */
export type HealthStatus = 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY' | 'DRAINING' | 'TIMEOUT' | 'DEGRADED';

/** How bytes reach an endpoint. */
export type TransportSocket = RawTransport | TlsTransport;

export interface RawTransport {
  readonly kind: 'raw';
  /** See {@link TlsTransport}. */
  readonly proxyProtocol?: 1 | 2;
}

/** Upstream TLS. `identity` = our own SVID and the mesh's trust bundle; otherwise files or system roots. */
export interface TlsTransport {
  readonly kind: 'tls';
  /** Changes when anything in here does: part of the pool key. */
  readonly key: string;
  readonly sni: string;
  /** ALPN as the cluster says; drivers replace it by Istio's list for their protocol unless `alpnOverride` is false. */
  readonly alpn: readonly string[];
  readonly alpnOverride: boolean;
  readonly clientCertificate:
    | { readonly kind: 'identity' }
    | { readonly kind: 'files'; readonly certificate: string; readonly key: string }
    /** Of a secret that the control plane serves. */
    | { readonly kind: 'secret'; readonly pair: TlsKeyPair }
    | undefined;
  readonly trust:
    | { readonly kind: 'identity' }
    | { readonly kind: 'system' }
    /** Files; `crl` holds lists of revoked certificates, one for each CA of the chain. */
    | { readonly kind: 'files'; readonly ca: string; readonly crl?: string }
    /** CA certificates, and lists of revoked ones; PEM. */
    | { readonly kind: 'inline'; readonly ca: string; readonly crl?: string }
    /** Nobody can be trusted, or the own certificate is missing: every connection fails. */
    | { readonly kind: 'none'; readonly reason: string }
    /** Any certificate will do. */
    | undefined;
  /** True when one of the certificate's URI or DNS SANs is acceptable. Empty list in the config = always true. */
  acceptsSans(uriSans: readonly string[], dnsSans: readonly string[]): boolean;
  /** For messages: the SANs that are expected. */
  readonly expectedSans: readonly string[];
  /** Without an SNI of its own, the request's host is sent. */
  readonly autoSni: boolean;
  /** The certificate must be the request's host's (Envoy: auto_san_validation). */
  readonly autoSanValidation?: boolean;
  /** Connections begin with a header of the PROXY protocol, of this version. */
  readonly proxyProtocol?: 1 | 2;
}

/** Whether connections over the one will do for the other. */
export function sameTransport(one: TransportSocket, other: TransportSocket): boolean {
  if (one === other) return true;
  const alike = one.kind === 'tls' ? other.kind === 'tls' && one.key === other.key : other.kind === 'raw';
  return alike && one.proxyProtocol === other.proxyProtocol;
}

/** What istiod says about the workload behind an endpoint (`workload;namespace;canonical service;revision;cluster`). */
export interface WorkloadLabels {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
}

/** One host of a cluster. The object lives as long as the host is known, across pushes; drivers key their pools by it. */
export interface Endpoint {
  /** `ip:port`. */
  readonly key: string;
  readonly address: string;
  /** Further addresses of the same host, at the same port, tried in turn (happy eyeballs). */
  readonly otherAddresses?: readonly string[] | undefined;
  readonly port: number;
  /** EDS hostname, or the DNS name for DNS clusters; empty = none. */
  readonly hostname: string;
  readonly locality: Locality;
  readonly priority: number;
  readonly weight: number;
  readonly health: HealthStatus;
  readonly transport: TransportSocket;
  readonly workload: WorkloadLabels | undefined;
  /** Requests in flight; kept by `acquire` and `release`. */
  readonly activeRequests: number;
  /** False once EDS dropped it: drivers close its pools when idle. */
  readonly present: boolean;
  readonly ejected: boolean;
  /** Active health checks say that it is out. */
  readonly checkFailed?: boolean;
  /** Where it is checked, when not at its own port (0) or by its own name (''). */
  readonly checkPort?: number;
  readonly checkHostname?: string;
}

/** A counter with a limit, shared by every request of a cluster. */
export interface ResourceCounter {
  readonly limit: number;
  readonly used: number;
  /** False when the limit is reached; then nothing was taken. */
  tryTake(): boolean;
  give(): void;
}

/** Circuit-breaker state of a cluster, for one routing priority. */
export interface Resources {
  readonly connections: ResourceCounter;
  readonly pending: ResourceCounter;
  readonly requests: ResourceCounter;
  readonly retries: ResourceCounter;
}

/** How connections of a cluster are made and kept. Times in milliseconds, 0 = no limit. */
export interface ConnectionOptions {
  readonly connectTimeoutMs: number;
  /** `http1` or `http2` (explicit), `auto` (the TLS handshake decides; plaintext: HTTP/1.1), or `downstream` (as the caller). */
  readonly protocol: 'http1' | 'http2' | 'auto' | 'downstream';
  readonly maxRequestsPerConnection: number;
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  readonly keepAliveTimeMs: number;
  readonly maxConcurrentStreams: number;
  /** Of each attempt, from its connection on. */
  readonly maxStreamDurationMs?: number | undefined;
}

/** A service that a cluster stands for (istio filter metadata). */
export interface ServiceRef {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/** A taken place on an endpoint. Release it exactly once, at the end of the attempt's stream. */
export interface Lease {
  readonly endpoint: Endpoint;
  /** The endpoint's own, which of an aggregate is one of several. */
  readonly cluster: Cluster;
  /** The breakers of the request's routing priority. */
  readonly resources: Resources;
  /** Response headers have come: outlier detection counts them now, as Envoy does. `grpcStatus` only when it stands in the headers. */
  answered(status: number, grpcStatus: number | undefined): void;
  /** Its cluster weighs hosts by their load reports: `reportLoad` wants headers and trailers. */
  readonly wantsLoad: boolean;
  reportLoad(header: (name: string) => string | undefined): void;
  /** The per-try timeout has passed, and the attempt goes on (hedging): it counts as failed. */
  late(): void;
  release(outcome: AttemptOutcome): void;
}

/** What a retry wants of host selection. */
export interface AcquireOptions {
  /** Endpoints tried before; avoided when the policy has previous_hosts. */
  readonly avoid?: readonly Endpoint[] | undefined;
  readonly maxSelectionAttempts?: number | undefined;
  /** Every endpoint tried so far, for previous_priorities; with `previousPrioritiesFrequency` 0 or absent it changes nothing. */
  readonly tried?: readonly Endpoint[] | undefined;
  readonly previousPrioritiesFrequency?: number | undefined;
}

export type ClusterKind =
  | 'eds'
  | 'static'
  | 'strict_dns'
  | 'logical_dns'
  | 'original_dst'
  | 'dynamic_forward_proxy'
  | 'aggregate'
  | 'blackhole';

/** Configuration of a cluster joined with its run-time state. */
export interface Cluster {
  readonly name: string;
  readonly kind: ClusterKind;
  readonly services: readonly ServiceRef[];
  readonly subset: string;
  readonly external: boolean;
  readonly connection: ConnectionOptions;
  readonly resources: Resources;
  /** For requests of routes with priority HIGH. */
  readonly highPriority: Resources;
  readonly source: SourceRef | undefined;
  readonly endpoints: readonly Endpoint[];
  /** Takes max_requests, picks an endpoint (priority, locality, balancer, ejections). UO, UH as a LocalReply. */
  acquire(x: Exchange, options?: AcquireOptions): Lease | LocalReply;
}

/** The breakers that count for a request: by its route's priority. */
export function resourcesOf(cluster: Cluster, x: Exchange): Resources {
  const action = x.route?.action;
  return action?.kind === 'forward' && action.highPriority === true ? cluster.highPriority : cluster.resources;
}

/** Tells a lease from a refusal. */
export function isLease(result: Lease | LocalReply): result is Lease {
  return 'release' in result;
}
