import type { MatchCriteria } from '../cluster/lb-metadata.ts';
import type { ConnectionLimits } from '../connection-life.ts';
import type { Exchange, RequestHead, ResponseHead } from '../exchange.ts';
import type { Filter } from '../filter.ts';
import type { Http2Limits } from '../http2-limits.ts';
import type { LocalReply } from '../local-reply.ts';
import type { Outcome } from '../outcome.ts';
import type { ReplyRewrite } from '../reply-rewrite.ts';
import type { RetryPolicy } from '../retry/retry-policy.ts';
import type { SourceRef } from '../source-ref.ts';
import type { GrpcTimeoutRule } from './grpc-timeout.ts';
import type { HostRequests, LastUse } from './on-demand.ts';
import type { RouteIndex } from './route-index.ts';

/** Header operations of route, virtual host and route table in Envoy's order, compiled into one call. */
export interface HeaderMutations {
  onRequest(x: Exchange, head: RequestHead): void;
  onResponse(x: Exchange, head: ResponseHead): void;
}

/** Where a request is also sent, fire and forget. */
export interface MirrorPolicy {
  readonly cluster: string;
  /** Decides with the request's own draw. */
  applies(x: Exchange): boolean;
  readonly appendShadowSuffix: boolean;
}

/** Sends the request on to a cluster. Durations in milliseconds, 0 = off. */
export interface ForwardAction {
  readonly kind: 'forward';
  /** The cluster's name by Envoy's rules (single, header, weighted draw); undefined when the header is missing. */
  chooseCluster(x: Exchange): string | undefined;
  /** All names that `chooseCluster` may answer, for warming and for the explain page. */
  readonly clusterNames: readonly string[];
  /** Of weighted clusters. */
  readonly weights?: readonly { readonly cluster: string; readonly weight: number }[] | undefined;
  /** Path and host rewrites; keeps x-envoy-original-path. Run once per request, before the first attempt. */
  rewrite(x: Exchange): void;
  readonly timeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  /** Of gRPC calls; see GrpcTimeoutRule. */
  readonly grpcTimeout?: GrpcTimeoutRule | undefined;
  readonly retry: RetryPolicy | undefined;
  /** A try that takes too long goes on beside the next one (hedge_policy). */
  readonly hedgeOnPerTryTimeout?: boolean | undefined;
  /** Circuit breakers and connections of priority HIGH. */
  readonly highPriority?: boolean | undefined;
  /** Sets `x.hash`; undefined without hash policies. */
  readonly hash: ((x: Exchange) => void) | undefined;
  /** metadata_match `envoy.lb`, for clusters with subsets; a weighted cluster's own is merged in when it is chosen. */
  readonly criteria?: MatchCriteria | undefined;
  readonly mirrors: readonly MirrorPolicy[];
  /** 503 unless the route says otherwise. */
  readonly clusterNotFoundStatus: number;
  /** The endpoint's hostname becomes the authority of each attempt. */
  readonly autoHostRewrite: boolean;
  /** What auto_host_rewrite replaces is appended to x-forwarded-host. */
  readonly appendXForwardedHost?: boolean | undefined;
  /** Bytes of request body kept for retries and mirrors. */
  readonly bufferLimitBytes: number;
}

/** One condition of a route's match, for whoever asks why a route was taken or passed over. */
export interface RouteCondition {
  /** In the words of the configuration: `header end-user is "jason"`. */
  readonly text: string;
  holds(x: Exchange): boolean;
  /** What the request has there instead. */
  found(x: Exchange): string;
}

/** Answers without a cluster: redirects and direct responses, both as a LocalReply built from the request. */
export interface ReplyAction {
  readonly kind: 'reply';
  reply(x: Exchange): LocalReply;
}

/** The app behind the listener serves it (inbound). */
export interface InboundAction {
  readonly kind: 'inbound';
  /** `inbound|<port>||`. */
  readonly clusterName: string;
  readonly timeoutMs: number;
  readonly maxStreamDurationMs: number;
  /** Of gRPC calls; see GrpcTimeoutRule. */
  readonly grpcTimeout?: GrpcTimeoutRule | undefined;
}

export interface Route {
  readonly name: string;
  matches(x: Exchange): boolean;
  /** What `matches` asks, one by one; made when a decision record wants it. */
  conditions?(): readonly RouteCondition[];
  /** Every path that matches begins with it; absent when nothing is known. See RouteIndex. */
  readonly literal?: string | undefined;
  readonly action: ForwardAction | ReplyAction | InboundAction;
  /** The connection manager's filters in order with this route's overrides applied; filters with nothing to do are left out. */
  readonly filters: readonly Filter[];
  readonly headers: HeaderMutations | undefined;
  /** `decorator.operation`: the span's name. */
  readonly operation: string;
  readonly source: SourceRef | undefined;
}

export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  /** Narrows `routes` by path; absent where there are few. */
  readonly index?: RouteIndex | undefined;
  /** Of a host that was asked for: see HostRequests. */
  readonly lastUse?: LastUse | undefined;
  readonly includeAttemptCount: boolean;
  /** The caller is told too. */
  readonly includeAttemptCountInResponse?: boolean | undefined;
  /** A 301 to https for plaintext requests. */
  readonly requireTls: boolean;
}

/** Virtual hosts by Envoy's domain search order. */
export interface RouteTable {
  /** RouteConfiguration name. */
  readonly name: string;
  /** Of a table whose hosts come and go between two snapshots: changes with them. */
  readonly version?: number | undefined;
  /** Hosts that it does not have are asked for. */
  readonly onDemand?: HostRequests | undefined;
  readonly virtualHosts: readonly VirtualHost[];
  /** The virtual host of an authority (`host` or `host:port`), by exact, suffix, prefix and `*`. */
  virtualHost(authority: string): VirtualHost | undefined;
}

/** A condition on a finished exchange. */
export type ExchangeFilter = (x: Exchange, outcome: Outcome) => boolean;

/** Envoy's json_format: strings are formats, everything else stands for itself. */
export type JsonFormat = string | number | boolean | null | readonly JsonFormat[] | { readonly [name: string]: JsonFormat };

/** How access is logged, from the listener's configuration. */
export interface AccessLogConfig {
  /** `/dev/stdout` or a file. */
  readonly path: string;
  readonly format: { readonly kind: 'text'; readonly text: string } | { readonly kind: 'json'; readonly fields: JsonFormat };
  /** Nothing instead of `-`; in JSON, no field instead of null. */
  readonly omitEmpty: boolean;
  /** Undefined = every exchange. */
  readonly filter: ExchangeFilter | undefined;
}

/** Where the value of a span's tag comes from. '' as value = the tag is left out. */
export type TagSource =
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'environment'; readonly name: string; readonly defaultValue: string }
  | { readonly kind: 'header'; readonly name: string; readonly defaultValue: string }
  | { readonly kind: 'metadata'; readonly filter: string; readonly path: readonly string[]; readonly defaultValue: string };

export interface TracingConfig {
  /** Percent, 0 to 100. */
  readonly randomSampling: number;
  readonly overallSampling: number;
  readonly clientSampling: number;
  readonly tags: ReadonlyMap<string, TagSource>;
  readonly maxPathTagLength: number;
}

/** What one standard metric is counted like, otherwise than by default. */
export interface MetricOverride {
  /** Without the prefix `istio_`; '' = every metric. */
  readonly metric: string;
  readonly drop: boolean;
  readonly removed: readonly string[];
  /** Tags that are added or take another value. */
  readonly tags: ReadonlyMap<string, (x: Exchange, outcome: Outcome) => string>;
}

export type ForwardClientCert = 'SANITIZE' | 'FORWARD_ONLY' | 'APPEND_FORWARD' | 'SANITIZE_SET' | 'ALWAYS_FORWARD_ONLY';

/** Envoy's HTTP connection manager as far as an in-process mesh has one. */
export interface HttpConnectionManager {
  readonly name: string;
  readonly routes: RouteTable;
  /** Filters for requests that no route takes, so that authorization still speaks first. */
  readonly defaultFilters: readonly Filter[];
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: 'KEEP_UNCHANGED' | 'REJECT_REQUEST' | 'UNESCAPE_AND_REDIRECT' | 'UNESCAPE_AND_FORWARD';
  /** The port is taken off the host before anything looks at it: any, or only the listener's. */
  readonly stripPort?: 'any' | 'matching' | undefined;
  readonly stripTrailingHostDot?: boolean | undefined;
  readonly useRemoteAddress: boolean;
  readonly xffTrustedHops: number;
  readonly forwardClientCert: ForwardClientCert;
  readonly clientCertDetails: {
    readonly subject: boolean;
    readonly cert: boolean;
    readonly chain: boolean;
    readonly dns: boolean;
    readonly uri: boolean;
  };
  /** '' = replies carry none. */
  readonly serverName: string;
  /** A request without x-request-id gets one. Default: yes. */
  readonly generatesRequestId?: boolean | undefined;
  readonly streamIdleTimeoutMs: number;
  /** From a request's first byte to its last one; absent or 0 = no limit. */
  readonly requestTimeoutMs?: number | undefined;
  /** From a request's first byte to the end of its head; absent or 0 = no limit. */
  readonly requestHeadersTimeoutMs?: number | undefined;
  /** Absent: Envoy's defaults. */
  readonly connectionLimits?: ConnectionLimits | undefined;
  /** Absent: Envoy's number of streams, and windows as the server has them. */
  readonly http2Limits?: Http2Limits | undefined;
  /** Lines of a request's head that are taken; absent: 100. */
  readonly maxHeaders?: number | undefined;
  readonly tracing: TracingConfig | undefined;
  readonly accessLogs: readonly AccessLogConfig[];
  /** Documents that say who may call, by `kind namespace/name`; absent when the control plane tells none. */
  readonly sources?: ReadonlyMap<string, SourceRef> | undefined;
  /** In order, later ones win; empty = the standard metrics as they are. */
  readonly metrics: readonly MetricOverride[];
  /** Something looks at the response's head, or at when things happened, after the end: see `Exchange`. */
  readonly keepsTimes: boolean;
  /** Local replies to OPTIONS/upgrade rules etc. of Envoy that need to know. */
  readonly upgrades: readonly string[];
  /** What becomes of headers with `_` in their names; absent: they pass. */
  readonly underscores?: 'REJECT_REQUEST' | 'DROP_HEADER' | undefined;
  /** What replies of the mesh's own become (local_reply_config); absent: they stay. */
  readonly rewriteReply?: ReplyRewrite | undefined;
}
