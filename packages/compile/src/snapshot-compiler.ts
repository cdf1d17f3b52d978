import type {
  AppFilter,
  Clock,
  Cluster,
  ClusterSpec,
  ClusterStates,
  ConfigUpdate,
  Direction,
  DownstreamTls,
  FilterChain,
  FilterCounters,
  FilterEnv,
  GatewayListener,
  HttpConnectionManager,
  OutboundTables,
  Random,
  Rejection,
  Snapshot,
  UpstreamCalls,
} from '@ripstop/core';
import {
  Buffer as BufferMessage,
  CLUSTER_TYPE_URL,
  ClusterLoadAssignment,
  Cluster as ClusterMessage,
  Compressor,
  Cors,
  ENDPOINT_TYPE_URL,
  ExtAuthz,
  Gzip,
  HTTPFault,
  HttpFilter,
  HttpHeaderMutation,
  HttpRateLimit,
  HttpRbac,
  LISTENER_TYPE_URL,
  Listener,
  LocalRateLimit,
  packAny,
  ROUTE_TYPE_URL,
  RouteConfiguration,
  SECRET_TYPE_URL,
  StatefulSession,
} from '@ripstop/xds-api';
import { checkAssignment, clusterSecretNames, compileCluster, edsName } from './cluster/cluster.ts';
import type { AnyFilterFactory } from './filters/decoded-filter.ts';
import type { ManagerEnv } from './http-connection-manager.ts';
import { HttpFilters } from './http-filters.ts';
import { compileChains, compileOutboundManager, type DecodedListener, decodeListener } from './listener.ts';
import { joinManagers, passthroughManager } from './outbound-tables.ts';
import { ResourceStore } from './resource-store.ts';
import { compileRouteConfiguration } from './route-configuration.ts';
import { bindSecrets, decodeSecret, type SecretState, type SecretValue, secretNames } from './secret.ts';

export interface SnapshotCompilerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly filters: readonly AnyFilterFactory[];
  /** Of the app, in the order in which they were given. */
  readonly appFilters?: readonly AppFilter[];
  readonly clusterStates: ClusterStates;
  /** Own address, for consistent hashes of the source address. */
  readonly ownAddress?: string;
  /** Own SPIFFE id, which authorizers are told. */
  readonly ownSpiffeId?: () => string;
  /** `<app>.<namespace>`, which rate limit services are told. */
  readonly ownCluster?: string;
  readonly counters?: FilterCounters;
  /** Carries the calls of filters that ask somebody. */
  readonly calls?: UpstreamCalls;
  /** Router nodes serve the listeners that they are sent. */
  readonly router?: boolean;
  readonly log?: (line: string) => void;
}

/** What one listener was compiled to, and from what. */
interface CompiledListener {
  readonly decoded: DecodedListener;
  readonly routes: readonly (RouteConfiguration | undefined)[];
  readonly secrets: readonly SecretState[];
  readonly chains: readonly FilterChain[];
  readonly defaultChain: FilterChain | undefined;
  readonly manager: HttpConnectionManager | undefined;
}

/**
 * xDS in, snapshots out. Each resource is decoded and tried by itself, so that a bad one is refused alone and its last good version
 * stays; `build` joins what is there and compiles again only what changed.
 */
export class SnapshotCompiler {
  private readonly options: SnapshotCompilerOptions;
  private readonly registry: ReadonlyMap<string, AnyFilterFactory>;
  private readonly states = new Map<string, unknown>();
  private readonly listeners: ResourceStore<DecodedListener>;
  private readonly routes: ResourceStore<RouteConfiguration>;
  private readonly clusters: ResourceStore<DecodedCluster>;
  private readonly endpoints: ResourceStore<ClusterLoadAssignment>;
  private readonly secrets: ResourceStore<SecretValue>;
  private readonly stores: readonly ResourceStore<unknown>[];
  private readonly compiled = new Map<string, CompiledListener>();
  private readonly boundTls = new WeakMap<
    DownstreamTls,
    { readonly states: ReadonlyMap<string, SecretState>; readonly bound: DownstreamTls }
  >();
  private readonly specs = new Map<
    string,
    {
      readonly message: ClusterMessage;
      readonly assignment: ClusterLoadAssignment | undefined;
      readonly secrets: readonly SecretState[];
      readonly spec: ClusterSpec;
    }
  >();
  /** One filter of each kind, so that per-route configuration is tried when it arrives, not when it is joined. */
  private readonly trialFilters: HttpFilters;
  /** Clusters that the routes in force may lead to. */
  private adopted = new Map<string, ClusterSpec>();
  private last: Snapshot | undefined;
  private sequence = 0;
  private version = '';

  constructor(options: SnapshotCompilerOptions) {
    this.options = options;
    this.registry = new Map(options.filters.map((factory) => [factory.typeUrl, factory]));
    this.trialFilters = new HttpFilters(TRIAL_FILTERS, this.registry, this.filterEnv('outbound'));
    this.listeners = new ResourceStore(LISTENER_TYPE_URL, (body) => this.decodeListener(body));
    this.routes = new ResourceStore(ROUTE_TYPE_URL, (body) => this.decodeRoutes(body));
    this.clusters = new ResourceStore(CLUSTER_TYPE_URL, decodeCluster);
    this.endpoints = new ResourceStore(ENDPOINT_TYPE_URL, decodeAssignment);
    this.secrets = new ResourceStore(SECRET_TYPE_URL, decodeSecret);
    this.stores = [this.listeners, this.routes, this.clusters, this.endpoints, this.secrets] as readonly ResourceStore<unknown>[];
  }

  /** Takes an update; answers what it refuses, with reasons. */
  apply(update: ConfigUpdate): readonly Rejection[] {
    const store = this.stores.find(({ typeUrl }) => typeUrl === update.typeUrl);
    if (store === undefined) return [];
    this.version = update.version;
    return store.apply(update).rejections;
  }

  /** RDS, EDS and SDS names that listeners and clusters refer to. */
  wanted(): { readonly routes: readonly string[]; readonly endpoints: readonly string[]; readonly secrets: readonly string[] } {
    const listeners = [...this.listeners.values()];
    const routes = listeners.flatMap(([, listener]) => listener.routeNames);
    const clusters = [...this.clusters.values()].map(([, cluster]) => cluster);
    const endpoints = clusters.flatMap(({ message }) => edsName(message) ?? []);
    const secrets = [...listeners.flatMap(([, listener]) => listener.secretNames), ...clusters.flatMap((cluster) => cluster.secretNames)];
    return { routes: sorted(routes), endpoints: sorted(endpoints), secrets: sorted(secrets) };
  }

  /** Secrets that the source has said nothing about yet. A snapshot does without them: the chains that need them stay closed, and connections that do fail. */
  awaitedSecrets(): readonly string[] {
    return this.wanted().secrets.filter((name) => this.secretState(name) === 'waiting');
  }

  /** What has not come yet, for messages; empty when a snapshot can be built. */
  missing(): readonly string[] {
    if (!this.clusters.received) return ['clusters (CDS)'];
    if (!this.listeners.received) return ['listeners (LDS)'];
    const { routes, endpoints } = this.wanted();
    return [
      ...routes.filter((name) => !this.routes.has(name)).map((name) => `routes ${name}`),
      ...endpoints.filter((name) => !this.endpoints.has(name)).map((name) => `endpoints ${name}`),
    ];
  }

  /** The whole as a snapshot; undefined until LDS, CDS and everything that they name is here. */
  build(): Snapshot | undefined {
    if (this.missing().length > 0) return undefined;
    const listeners = [...this.listeners.values()].map(([name, decoded]) => this.compileListener(name, decoded));
    for (const name of this.compiled.keys()) if (!this.listeners.has(name)) this.compiled.delete(name);
    const { clusters, held } = this.warmClusters();
    if (clusters === undefined) return undefined;
    const snapshot = this.join(listeners, clusters);
    // New clusters are checked first: until then requests go where they went, and only the way in changes.
    this.last = held === undefined ? snapshot : { ...snapshot, outbound: held.outbound, gateways: held.gateways };
    return this.last;
  }

  /** New clusters that wait for the first health checks of their hosts. */
  warming(): readonly string[] {
    return this.options.clusterStates.warming();
  }

  /**
   * The clusters to use, and, while new ones are warming, the snapshot whose routes stay in force: with it the clusters that these routes
   * lead to stay. No clusters: there is nothing yet that could serve meanwhile.
   */
  private warmClusters(): { readonly clusters?: ReadonlyMap<string, Cluster>; readonly held?: Snapshot } {
    const { clusterStates } = this.options;
    const specs = new Map([...this.clusterSpecs()].map((spec) => [spec.name, spec]));
    const kept = [...this.adopted.values()].filter(({ name }) => !specs.has(name));
    const all = clusterStates.adopt([...specs.values(), ...kept]);
    const warming = new Set(clusterStates.warming());
    if (warming.size > 0) {
      if (this.last === undefined) return {};
      for (const [name, spec] of specs) this.adopted.set(name, spec);
      return { clusters: new Map([...all].filter(([name]) => !warming.has(name))), held: this.last };
    }
    this.adopted = specs;
    return { clusters: kept.length === 0 ? all : clusterStates.adopt(specs.values()) };
  }

  private join(listeners: readonly CompiledListener[], clusters: ReadonlyMap<string, Cluster>): Snapshot {
    return {
      version: this.version,
      sequence: ++this.sequence,
      outbound: this.outbound(listeners, clusters),
      inbound: listeners.filter(({ decoded }) => decoded.kind === 'inbound').flatMap(({ chains }) => chains),
      gateways: listeners.filter(({ decoded }) => decoded.kind === 'gateway').map(gatewayOf),
      clusters,
    };
  }

  private decodeListener(body: Uint8Array): DecodedListener {
    const decoded = decodeListener(Listener.decode(body), this.options.router ?? false);
    // Compiled once for trial: what cannot be honoured is refused here, alone, not at the swap.
    const trial: ManagerEnv = { ...this.managerEnv(decoded), routes: () => RouteConfiguration.fromPartial({ name: 'trial' }) };
    compileChains(decoded, trial);
    return decoded;
  }

  private decodeRoutes(body: Uint8Array): RouteConfiguration {
    const message = RouteConfiguration.decode(body);
    compileRouteConfiguration(message, { ...this.options, filters: this.trialFilters, direction: 'outbound' });
    return message;
  }

  private compileListener(name: string, decoded: DecodedListener): CompiledListener {
    const routes = decoded.routeNames.map((route) => this.routes.get(route));
    const secrets = decoded.secretNames.map((secret) => this.secretState(secret));
    const before = this.compiled.get(name);
    const sameRoutes = before !== undefined && before.decoded === decoded && routes.every((route, index) => route === before.routes[index]);
    if (sameRoutes && secrets.every((secret, index) => secret === before.secrets[index])) return before;
    // A changed listener waits for new secrets: hosts that are served stay served until what replaces them is here.
    if (before !== undefined && secrets.includes('waiting')) return before;
    try {
      return sameRoutes ? this.rebind(name, { ...before, secrets }) : this.joinListener(name, decoded, routes, secrets);
    } catch (error) {
      // Resources were tried one by one; what fails only together keeps the listener as it was.
      this.options.log?.(`listener ${name}: ${error instanceof Error ? error.message : error}; its last good version stays`);
      if (before === undefined) throw error;
      return before;
    }
  }

  private joinListener(
    name: string,
    decoded: DecodedListener,
    routes: CompiledListener['routes'],
    secrets: readonly SecretState[],
  ): CompiledListener {
    const env = this.managerEnv(decoded);
    const outbound = decoded.kind === 'outbound';
    const { chains, defaultChain } =
      outbound || decoded.kind === 'virtual_outbound' ? { chains: [], defaultChain: undefined } : compileChains(decoded, env);
    return this.rebind(name, {
      decoded,
      routes,
      secrets,
      chains,
      defaultChain,
      manager: outbound ? compileOutboundManager(decoded, env) : undefined,
    });
  }

  /** The chains with the secrets as they are now; connection managers stay as they are. */
  private rebind(name: string, listener: CompiledListener): CompiledListener {
    const { decoded, chains, defaultChain } = listener;
    const compiled: CompiledListener = {
      ...listener,
      chains: chains.map((chain, index) => this.withSecrets(chain, decoded.chains[index]?.tls)),
      defaultChain: defaultChain === undefined ? undefined : this.withSecrets(defaultChain, decoded.defaultChain?.tls),
    };
    this.compiled.set(name, compiled);
    return compiled;
  }

  /** A chain whose own secrets did not change keeps its TLS object, and with it what the driver has made of it. */
  private withSecrets(chain: FilterChain, tls: DownstreamTls | undefined): FilterChain {
    if (tls === undefined) return chain;
    const states = new Map(secretNames(tls).map((secret) => [secret, this.secretState(secret)]));
    const before = this.boundTls.get(tls);
    if (before !== undefined && [...states].every(([secret, state]) => before.states.get(secret) === state))
      return { ...chain, tls: before.bound };
    const bound = bindSecrets(tls, states);
    this.boundTls.set(tls, { states, bound });
    return { ...chain, tls: bound };
  }

  private secretState(name: string): SecretState {
    return this.secrets.get(name) ?? (this.secrets.isAbsent(name) ? 'absent' : 'waiting');
  }

  private *clusterSpecs(): Iterable<ClusterSpec> {
    for (const [name, { message, secretNames: names }] of this.clusters.values()) {
      const eds = edsName(message);
      const assignment = eds === undefined ? undefined : this.endpoints.get(eds);
      const secrets = names.map((secret) => this.secretState(secret));
      let entry = this.specs.get(name);
      const sameSecrets = entry !== undefined && secrets.every((secret, index) => secret === entry!.secrets[index]);
      if (entry === undefined || entry.message !== message || entry.assignment !== assignment || !sameSecrets) {
        entry = { message, assignment, secrets, spec: compileCluster(message, assignment, (secret) => this.secretState(secret)) };
        this.specs.set(name, entry);
      }
      yield entry.spec;
    }
  }

  private outbound(listeners: readonly CompiledListener[], clusters: ReadonlyMap<string, Cluster>): OutboundTables {
    const byPort = new Map<number, HttpConnectionManager[]>();
    for (const { decoded, manager } of listeners) {
      if (manager === undefined || decoded.kind !== 'outbound') continue;
      byPort.set(decoded.port, [...(byPort.get(decoded.port) ?? []), manager]);
    }
    const ports = new Map([...byPort].map(([port, managers]) => [port, joinManagers(managers)]));
    const virtual = listeners.find(({ decoded }) => decoded.kind === 'virtual_outbound')?.decoded;
    const unknown = [...(virtual?.chains ?? []), ...(virtual?.defaultChain === undefined ? [] : [virtual.defaultChain])]
      .map(({ tcpCluster }) => tcpCluster)
      .find((name) => name !== undefined && name !== 'BlackHoleCluster');
    // An egress proxy that nobody knows must not be gone round: its cluster is missing, and calls get 503.
    const known = unknown !== 'PassthroughCluster' || clusters.has(unknown);
    const catchAll = passthroughManager(known ? unknown : undefined, this.options.appFilters ?? []);
    return { forPort: (port) => ports.get(port), catchAll, ports: [...ports.keys()] };
  }

  private managerEnv(listener: DecodedListener): ManagerEnv {
    return {
      random: this.options.random,
      filterEnv: this.filterEnv(listener.kind === 'inbound' ? 'inbound' : 'outbound'),
      registry: this.registry,
      appFilters: this.options.appFilters ?? [],
      ownAddress: this.options.ownAddress,
      routes: (name) => this.routes.get(name),
    };
  }

  private filterEnv(direction: Direction): FilterEnv {
    const { clock, random, calls, ownSpiffeId, ownCluster, counters, log } = this.options;
    return {
      clock,
      random,
      direction,
      calls,
      ownSpiffeId,
      ownCluster,
      counters,
      log,
      state: <T>(key: string, create: () => T): T => {
        if (!this.states.has(key)) this.states.set(key, create());
        return this.states.get(key) as T;
      },
    };
  }
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

const TRIAL_SERVICE = { targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: 'trial' } } } as const;
const TRIAL_EXT_AUTHZ = ExtAuthz.fromPartial({ services: { $case: 'grpcService', value: TRIAL_SERVICE } });
const TRIAL_RATE_LIMIT = HttpRateLimit.fromPartial({ domain: 'trial', rateLimitService: { grpcService: TRIAL_SERVICE } });

const TRIAL_COMPRESSOR = Compressor.fromPartial({ compressorLibrary: { name: 'trial', typedConfig: packAny(Gzip, Gzip.fromPartial({})) } });

const TRIAL_FILTERS: readonly HttpFilter[] = [
  ['fault', packAny(HTTPFault, HTTPFault.fromPartial({}))] as const,
  ['cors', packAny(Cors, Cors.fromPartial({}))] as const,
  ['rbac', packAny(HttpRbac, HttpRbac.fromPartial({}))] as const,
  ['ext_authz', packAny(ExtAuthz, TRIAL_EXT_AUTHZ)] as const,
  ['local_ratelimit', packAny(LocalRateLimit, LocalRateLimit.fromPartial({ statPrefix: 'trial' }))] as const,
  ['ratelimit', packAny(HttpRateLimit, TRIAL_RATE_LIMIT)] as const,
  ['header_mutation', packAny(HttpHeaderMutation, HttpHeaderMutation.fromPartial({}))] as const,
  ['compressor', packAny(Compressor, TRIAL_COMPRESSOR)] as const,
  ['buffer', packAny(BufferMessage, BufferMessage.fromPartial({ maxRequestBytes: 1 }))] as const,
  ['stateful_session', packAny(StatefulSession, StatefulSession.fromPartial({}))] as const,
].map(([name, value]) => HttpFilter.fromPartial({ name: `envoy.filters.http.${name}`, configType: { $case: 'typedConfig', value } }));

function gatewayOf({ decoded, chains, defaultChain }: CompiledListener): GatewayListener {
  const { name, address, port, unrouted } = decoded;
  return { name, address, port, filterChains: chains, defaultFilterChain: defaultChain, unrouted };
}

interface DecodedCluster {
  readonly message: ClusterMessage;
  readonly secretNames: readonly string[];
}

function decodeCluster(body: Uint8Array): DecodedCluster {
  const message = ClusterMessage.decode(body);
  compileCluster(message, undefined);
  return { message, secretNames: clusterSecretNames(message) };
}

function decodeAssignment(body: Uint8Array): ClusterLoadAssignment {
  const message = ClusterLoadAssignment.decode(body);
  checkAssignment(message);
  return message;
}
