import type { Direction, Exchange, ResponseHead } from './exchange.ts';
import type { FilterCounters } from './filter-counters.ts';
import type { RouteRateLimits } from './filters/rate-limit-descriptors.ts';
import type { LocalReply } from './local-reply.ts';
import type { Outcome } from './outcome.ts';
import type { Clock, Random } from './ports.ts';
import type { UpstreamCalls } from './upstream-calls.ts';

/** A compiled filter of one route. Two phases and an end, no onion: see architecture decision 5. */
export interface Filter {
  /** Envoy's filter name. */
  readonly name: string;
  /** Undefined = go on, synchronously. */
  onRequest?(x: Exchange): LocalReply | undefined | Promise<LocalReply | undefined>;
  /** In the place of `onRequest` when nothing is to be sent: says in `x.decision` what it would do, without waiting, counting or asking. */
  explain?(x: Exchange): LocalReply | undefined | Promise<LocalReply | undefined>;
  /** Response headers are here, from upstream, the app, or a local reply. */
  onResponse?(x: Exchange, head: ResponseHead): void;
  /** Exactly once, at the end of the stream. */
  onEnd?(x: Exchange, outcome: Outcome): void;
}

/** Where on the configuration a filter is instantiated. */
export interface FilterPlace {
  /** Of the level that the filter's configuration stands at: '' = the connection manager's, else names of table, host and route. */
  readonly scope: string;
  readonly rateLimits: RouteRateLimits;
}

/** What filters may use of the world. */
export interface FilterEnv {
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Run-time state that survives configuration pushes (token buckets, counters), by a key that the filter chooses. It lasts while a filter
   * holds it.
   */
  state<T extends object>(key: string, create: () => T): T;
  readonly direction: Direction;
  /** Where filters count; without, nobody asks. */
  readonly counters?: FilterCounters | undefined;
  /** Of the connection manager: part of the names of what is counted. */
  readonly statPrefix?: string | undefined;
  /** Undefined: for requests without a route. */
  readonly place?: FilterPlace | undefined;
  /** Takes what AUDIT policies have matched. */
  readonly log?: ((line: string) => void) | undefined;
  /** `<app>.<namespace>`. */
  readonly ownCluster?: string | undefined;
  /** Own SPIFFE id. */
  readonly ownSpiffeId?: (() => string) | undefined;
  /** Without, filters that would ask somebody refuse every request. */
  readonly calls?: UpstreamCalls | undefined;
}

/** Turns one filter type's configuration into a filter. A registry of these is a value, passed in. */
export interface FilterFactory<C> {
  readonly typeUrl: string;
  /** Type URL of the per-route override when it differs. */
  readonly overrideTypeUrl?: string;
  readonly directions: readonly Direction[];
  /** Throws when the configuration cannot be honoured; the resource is then refused. */
  decode(body: Uint8Array): C;
  decodeOverride?(body: Uint8Array): C;
  /** Joins the overrides of two levels; without it the most specific one replaces the others whole. */
  mergeOverrides?(general: C, specific: C): C;
  /** Undefined = nothing to do on this route; costs nothing. */
  create(config: C, override: C | undefined, env: FilterEnv): Filter | undefined;
}

/** A filter of the app's own, in a place relative to the standard ones. It sees every request of its directions. */
export interface AppFilter extends Filter {
  /** Default: both. A gateway's requests are outbound. */
  readonly directions?: readonly Direction[];
  /** Envoy's name of the filter that it stands in front of, for example `envoy.filters.http.rbac`. */
  readonly before?: string;
  /** Envoy's name of the filter that it stands behind. With neither, or where that filter is not configured: last, what policies let pass. */
  readonly after?: string;
}
