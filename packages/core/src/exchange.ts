import type { Cluster, Endpoint } from './cluster/cluster.ts';
import type { MatchCriteria } from './cluster/lb-metadata.ts';
import type { DecisionRecord } from './decision-record.ts';
import type { Filter } from './filter.ts';
import type { ContentCoding, OfferedCoding } from './filters/compressor.ts';
import type { PathBinding } from './path-binding.ts';
import type { RequestBody } from './request-body.ts';
import type { ResponseFlags } from './response-flags.ts';
import type { HeaderMutations, HttpConnectionManager, Route, VirtualHost } from './route/route.ts';
import type { Snapshot } from './snapshot.ts';

/** Which side of the app: `inbound` = a request that the app serves, `outbound` = one that it makes (a gateway forwards: outbound). */
export type Direction = 'inbound' | 'outbound';

/** `tcp`: a connection whose bytes nobody reads; its head is empty. */
export type ExchangeProtocol = 'http1' | 'http2' | 'grpc' | 'tcp';

/** A view of a request's head. Drivers implement it over their own header form; nothing is copied. Names are lower-case. */
export interface RequestHead {
  readonly scheme: 'http' | 'https';
  /** Of the connection, which the scheme may not agree with; absent: it does. */
  readonly connectionScheme?: 'http' | 'https';
  authority: string;
  /**
   * Authority of the address that the app connects to, whatever its `host` header or a route's rewrite say: clusters of Envoy's
   * ORIGINAL_DST dial it. Absent: the authority. '' = no app of the process connects for it: what a gateway forwards, a mirrored copy, a
   * call of the mesh's own.
   */
  readonly originalDestination?: string;
  method: string;
  /** Path with query, as it will be sent. */
  path: string;
  /** The one value, or several joined by "," as Envoy joins them; undefined when absent. */
  header(name: string): string | undefined;
  /** Each header line by itself, in order. */
  headerLines(name: string): readonly string[];
  setHeader(name: string, value: string): void;
  appendHeader(name: string, value: string): void;
  removeHeader(name: string): void;
  /** The names of mesh headers (`x-envoy-*`, `x-istio-attributes`, `x-ripstop-explain`), as the head came, so that each need not be looked for; absent = look. */
  readonly meshHeaders?: readonly string[];
  /** Every header line but host, as name, value, name, value …; heads that are forwarded by another driver have it (gateway). */
  pairs?(): string[];
}

/** A view of a response's head. */
export interface ResponseHead {
  status: number;
  header(name: string): string | undefined;
  /** The first of several lines of one name. */
  firstLine(name: string): string | undefined;
  setHeader(name: string, value: string): void;
  appendHeader(name: string, value: string): void;
  removeHeader(name: string): void;
}

/** The other side of a connection, read once per connection. Outbound exchanges carry the app itself. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  /** Who stands in front of the caller and tells its address (PROXY protocol); absent = nobody. */
  readonly direct?: { readonly address: string; readonly port: number };
  /** True when the connection is mutually authenticated TLS. */
  readonly mtls: boolean;
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** RFC 2253. */
  readonly subject: string;
  /** Lower-case hex of the SHA-256 of the DER certificate; empty without one. */
  readonly certificateHash: string;
  /** Of the caller. */
  readonly certificatePem?: string;
  /** What the caller has sent, leaf first; read when it is asked for. Absent or undefined: the driver does not know it. */
  readonly certificateChainPem?: () => string | undefined;
  /** URI SAN of the certificate that this side has shown, when it is not the workload's own; '' = it has none. */
  readonly shownUriSan?: string;
  /** Of the same certificate: its URI SAN, else its DNS SAN, else its subject. */
  readonly shownName?: string;
  readonly sni: string;
  readonly alpn: string;
}

export const NO_PEER: Peer = Object.freeze({
  address: '',
  port: 0,
  localAddress: '',
  localPort: 0,
  mtls: false,
  uriSans: [],
  dnsSans: [],
  subject: '',
  certificateHash: '',
  sni: '',
  alpn: '',
});

/** An endpoint that a filter wants for the first attempt (session affinity), before the balancer is asked. */
export interface OverrideHost {
  /** `ip:port`, as `Endpoint.key`. */
  readonly key: string;
  /** 503 UH when it cannot be had; else the balancer chooses. */
  readonly strict: boolean;
}

/** What an exchange starts with. */
export interface ExchangeInit {
  readonly direction: Direction;
  readonly protocol: ExchangeProtocol;
  readonly request: RequestHead;
  readonly snapshot: Snapshot;
  /** The HTTP connection manager that handles it: of the filter chain (inbound, gateway) or of the outbound port. */
  readonly manager: HttpConnectionManager;
  readonly peer: Peer;
  /** Outbound: the destination port. Inbound: the workload port. */
  readonly port: number;
  /** `Clock.now()`. */
  readonly startedAt: number;
  readonly parent?: Exchange | undefined;
  /** Inbound: how the app's router reads paths; absent = as they are. */
  readonly binding?: PathBinding | undefined;
}

const NO_FILTERS: readonly Filter[] = [];

/** One request and its response, with everything that was decided about it. One object per request, no closures. */
export class Exchange {
  readonly direction: Direction;
  readonly protocol: ExchangeProtocol;
  readonly request: RequestHead;
  /** Pinned at birth: a push in between changes nothing for this request. One that waits for its host is born when the host is here. */
  snapshot: Snapshot;
  readonly manager: HttpConnectionManager;
  readonly peer: Peer;
  readonly port: number;
  readonly startedAt: number;
  /** Inbound exchange whose handler makes this outbound call. */
  readonly parent: Exchange | undefined;
  /** See {@link ExchangeInit}. */
  readonly binding: PathBinding | undefined;

  virtualHost: VirtualHost | undefined = undefined;
  route: Route | undefined = undefined;
  cluster: Cluster | undefined = undefined;
  /** Drawn before its time, for a filter that asks where the request goes. */
  clusterName: string | undefined = undefined;
  /** Header operations of the weighted cluster that was drawn; they act before the route's. */
  clusterHeaders: HeaderMutations | undefined = undefined;
  endpoint: Endpoint | undefined = undefined;
  overrideHost: OverrideHost | undefined = undefined;
  /** 1 for the first attempt; 0 while none was made. */
  attempt = 0;
  /** `Clock.now()` at which the whole exchange times out; Infinity for never. */
  deadline: number = Number.POSITIVE_INFINITY;
  /** What the caller's `grpc-timeout` said, in milliseconds; kept by the rule of its route (see GrpcTimeoutRule). */
  grpcTimeoutMs: number | undefined = undefined;
  /** Of a request that the CORS filter saw; one that was answered before it has none. */
  corsOrigin: string | undefined = undefined;
  flags: ResponseFlags = 0;
  /** Envoy's %RESPONSE_CODE_DETAILS%; empty = `via_upstream` once there was a response. */
  details = '';
  /** Envoy's %UPSTREAM_TRANSPORT_FAILURE_REASON%. */
  transportFailure = '';
  /** Envoy's %CONNECTION_TERMINATION_DETAILS%; '' = none. */
  terminationDetails = '';
  /** What was, or is being, answered, local replies included. */
  response: ResponseHead | undefined = undefined;
  /** `Clock.now()` when the request's last byte was there (inbound) or written (outbound); -1 = not yet, or without a body. Kept when `manager.keepsTimes`. */
  requestEndedAt = -1;
  /** `Clock.now()` of the head of a response that is not our own; -1 = none. Kept when `manager.keepsTimes`. */
  respondedAt = -1;
  /** Own address of the connection to the endpoint; '' = none. Kept when `manager.keepsTimes`. */
  upstreamLocalAddress = '';
  /** XXH64 of the route's hash policies as an unsigned 64-bit value; undefined = none applies. */
  hash: bigint | undefined = undefined;
  /** What the route wants of its host (metadata_match). */
  criteria: MatchCriteria | undefined = undefined;
  /** The path without query that routes and policies are matched against. */
  matchPath = '';
  /** Path before any rewrite. */
  originalPath = '';
  /** Dynamic metadata by filter name (JWT payload, shadow verdicts). */
  metadata: Map<string, Readonly<Record<string, unknown>>> | undefined = undefined;
  /** Filters that look into bodies find it here; undefined = there is none. */
  body: RequestBody | undefined = undefined;
  /** Those that run for this request; they stay the same when the route is chosen again. */
  filters: readonly Filter[] = NO_FILTERS;
  /** A filter has changed what routes look at: the route is chosen again behind the filters. */
  clearRoute = false;
  /** The driver can encode response bodies. */
  encodesResponses = false;
  /** Compressors that the request has passed, and what the caller accepts; see createCompressor. */
  offeredCodings: readonly OfferedCoding[] | undefined = undefined;
  acceptEncoding: string | undefined = undefined;
  /** How the response's body leaves; its head says so. */
  responseCoding: ContentCoding | undefined = undefined;
  /** Owned by the telemetry sink. */
  telemetry: unknown = undefined;
  decision: DecisionRecord | undefined = undefined;
  /** See `randomValue`; -1 = not drawn yet. */
  randomValue = -1;

  constructor(init: ExchangeInit) {
    this.direction = init.direction;
    this.protocol = init.protocol;
    this.request = init.request;
    this.snapshot = init.snapshot;
    this.manager = init.manager;
    this.peer = init.peer;
    this.port = init.port;
    this.startedAt = init.startedAt;
    this.parent = init.parent;
    this.binding = init.binding;
  }
}
