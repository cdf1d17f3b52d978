import type {
  AppFilter,
  Clock,
  Cluster,
  ClusterSpec,
  ClusterStates,
  ConfigUpdate,
  Direction,
  FilterCounters,
  FilterEnv,
  GatewayListener,
  Random,
  Rejection,
  Snapshot,
  UpstreamCalls,
} from '@ripstop/core';
import {
  type Any,
  CLUSTER_TYPE_URL,
  type ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  EXTENSION_TYPE_URL,
  HttpFilter,
  LISTENER_TYPE_URL,
  Listener,
  ROUTE_TYPE_URL,
  RouteConfiguration,
  SECRET_TYPE_URL,
  TypedExtensionConfig,
} from '@ripstop/xds-api';
import { type Awaited, fetchTimeoutOf } from './awaited.ts';
import { edsName } from './cluster/cluster.ts';
import { ClusterSpecs, type DecodedCluster, decodeAssignment, decodeCluster } from './cluster-specs.ts';
import { checkType, type DiscoveredFilter, type ExtensionState } from './discovered-filter.ts';
import type { AnyFilterFactory } from './filters/decoded-filter.ts';
import type { ManagerEnv } from './http-connection-manager.ts';
import { HttpFilters } from './http-filters.ts';
import { joinOutbound } from './joined-outbound.ts';
import { compileChains, type DecodedListener, decodeListener } from './listener.ts';
import { type CompiledListener, ListenerCompiler } from './listener-compiler.ts';
import { OnDemandHosts } from './on-demand/on-demand-hosts.ts';
import { ResourceStore } from './resource-store.ts';
import { compileRouteConfiguration } from './route-configuration.ts';
import { decodeSecret, type SecretState, type SecretValue } from './secret.ts';
import { TRIAL_FILTERS } from './trial-filters.ts';

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
  /** Asks for a host, `<route configuration>/<host>`; see HostRequests. */
  readonly askForHost?: (name: string) => Promise<Snapshot | undefined> | undefined;
  readonly log?: (line: string) => void;
}

/** Names that are asked for one by one. */
export interface WantedNames {
  readonly routes: readonly string[];
  readonly endpoints: readonly string[];
  readonly secrets: readonly string[];
  readonly extensions: readonly string[];
  /** Route configurations whose hosts come one by one (VHDS). */
  readonly hostTables: readonly string[];
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
  private readonly extensions: ResourceStore<Any>;
  /** Hosts of routes that come one by one (VHDS). */
  readonly onDemand: OnDemandHosts;
  private readonly stores: readonly (Pick<ResourceStore<unknown>, 'typeUrl'> & {
    apply(update: ConfigUpdate): { readonly rejections: readonly Rejection[] };
  })[];
  private readonly compiler: ListenerCompiler;
  private readonly specs: ClusterSpecs;
  private readonly trialFilters: HttpFilters;
  /** Clusters that the routes in force may lead to. */
  private adopted = new Map<string, ClusterSpec>();
  private readonly emptyTables = new Map<string, RouteConfiguration>();
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
    this.extensions = new ResourceStore(EXTENSION_TYPE_URL, (body, name) => this.decodeExtension(body, name));
    this.onDemand = new OnDemandHosts({
      route: (name) => this.routes.get(name),
      check: (table) => this.tryRoutes(table),
      ask: options.askForHost,
      log: options.log,
    });
    const secretState = (name: string): SecretState => this.secretState(name);
    this.specs = new ClusterSpecs(this.clusters, this.endpoints, secretState);
    this.compiler = new ListenerCompiler({
      managerEnv: (listener) => this.managerEnv(listener),
      route: (name) => this.routeState(name),
      secretState,
      extensionState: (name) => this.extensionState(name),
      log: options.log,
    });
    const { listeners, routes, clusters, endpoints, secrets, extensions, onDemand } = this;
    this.stores = [listeners, routes, clusters, endpoints, secrets, extensions, onDemand];
  }

  /** Takes an update; answers what it refuses, with reasons. */
  apply(update: ConfigUpdate): readonly Rejection[] {
    const store = this.stores.find(({ typeUrl }) => typeUrl === update.typeUrl);
    if (store === undefined) return [];
    this.version = update.version;
    return store.apply(this.withoutKept(update)).rejections;
  }

  /** Routes and endpoints that are in use stay when they are removed, as in Envoy: listeners and clusters are what says that they go. */
  private withoutKept(update: ConfigUpdate): ConfigUpdate {
    if (update.removed.length === 0) return update;
    const { routes, endpoints } = this.wanted();
    const used = update.typeUrl === ROUTE_TYPE_URL ? routes : update.typeUrl === ENDPOINT_TYPE_URL ? endpoints : [];
    const store = update.typeUrl === ROUTE_TYPE_URL ? this.routes : this.endpoints;
    return { ...update, removed: update.removed.filter((name) => !store.has(name) || !used.includes(name)) };
  }

  /** RDS, EDS, SDS and ECDS names that listeners and clusters refer to. */
  wanted(): WantedNames {
    const listeners = [...this.listeners.values()];
    const routes = listeners.flatMap(([, listener]) => listener.routeNames);
    const clusters = [...this.clusters.values()].map(([, cluster]) => cluster);
    const endpoints = clusters.flatMap(({ message }) => edsName(message) ?? []);
    const secrets = [...listeners.flatMap(([, listener]) => listener.secretNames), ...clusters.flatMap((cluster) => cluster.secretNames)];
    const extensions = this.discovered().map(({ name }) => name);
    const hostTables = sorted(routes).filter((name) => this.routes.get(name)?.vhds !== undefined);
    return { routes: sorted(routes), endpoints: sorted(endpoints), secrets: sorted(secrets), extensions: sorted(extensions), hostTables };
  }

  /** Secrets that the source has said nothing about yet. A snapshot does without them: the chains that need them stay closed, and connections that do fail. */
  awaitedSecrets(): readonly string[] {
    return this.wanted().secrets.filter((name) => this.secretState(name) === 'waiting');
  }

  /** Routes, endpoints and configurations of filters that something waits for, and the source has said nothing about yet. */
  awaited(): readonly Awaited[] {
    const routes = [...this.listeners.values()].flatMap(([, { awaitedRoutes }]) => awaitedRoutes);
    return [
      ...routes.filter(({ name }) => this.routeState(name) === 'waiting'),
      ...this.specs.waiting().map(({ cluster, endpoints: name }) => {
        return { typeUrl: ENDPOINT_TYPE_URL, name, fetchTimeoutMs: fetchTimeoutOf(cluster.edsClusterConfig?.edsConfig) };
      }),
      ...this.awaitedExtensions().map(({ name, fetchTimeoutMs }) => ({ typeUrl: EXTENSION_TYPE_URL, name, fetchTimeoutMs })),
    ];
  }

  /** What did not come in its time is taken for what does not exist: no routes, no hosts, the default configuration of a filter or none. */
  giveUp({ typeUrl, name }: Awaited): void {
    const stores: readonly ResourceStore<unknown>[] = [this.routes, this.endpoints, this.extensions];
    stores.find((store) => store.typeUrl === typeUrl)?.giveUp(name);
  }

  /** What has not come yet, for messages; empty when a snapshot can be built. */
  missing(): readonly string[] {
    if (!this.clusters.received) return ['clusters (CDS)'];
    if (!this.listeners.received) return ['listeners (LDS)'];
    // Later a listener or a cluster that waits is no reason to hold up the others.
    if (this.last !== undefined) return [];
    return [...new Set(this.awaited().map(({ typeUrl, name }) => `${AWAITED_AS.get(typeUrl)} ${name}`))];
  }

  /** The whole as a snapshot; undefined until LDS, CDS and everything that they name is here. */
  build(): Snapshot | undefined {
    if (this.missing().length > 0) return undefined;
    const listeners = [...this.listeners.values()].flatMap(([name, decoded]) => this.compiler.compile(name, decoded) ?? []);
    this.compiler.keep((name) => this.listeners.has(name));
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
    const specs = new Map([...this.specs].map((spec) => [spec.name, spec]));
    // A changed cluster stays as it was until its new endpoints are here; a new one is not there yet.
    const awaited = this.specs.waiting().map(({ cluster }) => cluster.name);
    for (const name of awaited) if (this.adopted.has(name)) specs.set(name, this.adopted.get(name)!);
    const kept = [...this.adopted.values()].filter(({ name }) => !specs.has(name));
    const all = clusterStates.adopt([...specs.values(), ...kept]);
    const warming = new Set([...clusterStates.warming(), ...awaited.filter((name) => !specs.has(name))]);
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
      outbound: joinOutbound(listeners, clusters, this.options.appFilters ?? []),
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

  private awaitedExtensions(): readonly DiscoveredFilter[] {
    return this.discovered().filter(({ name, waits }) => waits && this.extensionState(name) === 'waiting');
  }

  private routeState(name: string): RouteConfiguration | 'waiting' {
    return this.routes.get(name) ?? (this.routes.isAbsent(name) ? this.emptyTable(name) : 'waiting');
  }

  /** Requests of a listener without routes get 404. One object per name, so that nothing is compiled again for it. */
  private emptyTable(name: string): RouteConfiguration {
    const table = this.emptyTables.get(name) ?? RouteConfiguration.fromPartial({ name });
    this.emptyTables.set(name, table);
    return table;
  }

  /** As Envoy takes it: of a type that every filter of the name admits, and one that a connection manager can make. */
  private decodeExtension(body: Uint8Array, name: string): Any {
    const { typedConfig } = TypedExtensionConfig.decode(body);
    if (typedConfig === undefined) throw new Error('typed_config is missing');
    for (const filter of this.discovered()) if (filter.name === name) checkType(filter, typedConfig);
    const message = HttpFilter.fromPartial({ name, configType: { $case: 'typedConfig', value: typedConfig } });
    for (const direction of ['inbound', 'outbound'] as const)
      new HttpFilters([message], this.registry, this.filterEnv(direction)).create([]);
    return typedConfig;
  }

  private discovered(): readonly DiscoveredFilter[] {
    return [...this.listeners.values()].flatMap(([, listener]) => listener.discovered);
  }

  private extensionState(name: string): ExtensionState {
    return this.extensions.get(name) ?? (this.extensions.isAbsent(name) ? 'absent' : 'waiting');
  }

  private decodeRoutes(body: Uint8Array): RouteConfiguration {
    const message = RouteConfiguration.decode(body);
    this.tryRoutes(message);
    if (message.vhds !== undefined) this.onDemand.checkTable(message);
    return message;
  }

  private tryRoutes(message: RouteConfiguration): void {
    compileRouteConfiguration(message, { ...this.options, filters: this.trialFilters, direction: 'outbound', onDemand: undefined });
  }

  private secretState(name: string): SecretState {
    return this.secrets.get(name) ?? (this.secrets.isAbsent(name) ? 'absent' : 'waiting');
  }

  private managerEnv(listener: DecodedListener): ManagerEnv {
    return {
      random: this.options.random,
      filterEnv: this.filterEnv(listener.kind === 'inbound' ? 'inbound' : 'outbound'),
      registry: this.registry,
      appFilters: this.options.appFilters ?? [],
      ownAddress: this.options.ownAddress,
      onDemand: this.onDemand,
      extensions: (name) => this.extensionState(name),
      routes: (name) => {
        const state = this.routeState(name);
        return state === 'waiting' ? undefined : state;
      },
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

const AWAITED_AS = new Map([
  [ROUTE_TYPE_URL, 'routes'],
  [ENDPOINT_TYPE_URL, 'endpoints'],
  [EXTENSION_TYPE_URL, 'filter configuration (ECDS)'],
]);

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

function gatewayOf({ decoded, chains, defaultChain }: CompiledListener): GatewayListener {
  const { name, address, port, readsProxyProtocol, unrouted } = decoded;
  return { name, address, port, readsProxyProtocol, filterChains: chains, defaultFilterChain: defaultChain, unrouted };
}
