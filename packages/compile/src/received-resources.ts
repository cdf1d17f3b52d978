import type { ConfigUpdate, Rejection } from '@ripstop/core';
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
import type { CompilerEnvironment } from './compiler-environment.ts';
import { checkType, type DiscoveredFilter, type ExtensionState } from './discovered-filter.ts';
import type { ManagerEnv } from './http-connection-manager.ts';
import { HttpFilters } from './http-filters.ts';
import { compileChains, type DecodedListener, decodeListener } from './listener.ts';
import { OnDemandHosts } from './on-demand/on-demand-hosts.ts';
import { ReceivedRoutes } from './received-routes.ts';
import { ResourceStore } from './resource-store.ts';
import { compileRouteConfiguration } from './route-configuration.ts';
import { decodeSecret, type SecretState, type SecretValue } from './secret.ts';
import { TRIAL_FILTERS } from './trial-filters.ts';

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
 * The resources of all types in their last good versions, and what they still wait for. Each is decoded and compiled for trial when it
 * comes: what cannot be honoured is refused alone, not at the swap.
 */
export class ReceivedResources {
  private readonly env: CompilerEnvironment;
  readonly listeners: ResourceStore<DecodedListener>;
  readonly clusters: ResourceStore<DecodedCluster>;
  private readonly routes: ResourceStore<ReceivedRoutes>;
  private readonly endpoints: ResourceStore<ClusterLoadAssignment>;
  private readonly secrets: ResourceStore<SecretValue>;
  private readonly extensions: ResourceStore<Any>;
  /** Hosts of routes that come one by one (VHDS). */
  readonly onDemand: OnDemandHosts;
  readonly specs: ClusterSpecs;
  private readonly stores: readonly (Pick<ResourceStore<unknown>, 'typeUrl'> & {
    apply(update: ConfigUpdate): { readonly rejections: readonly Rejection[] };
  })[];
  private readonly trialFilters: HttpFilters;
  private readonly emptyTables = new Map<string, ReceivedRoutes>();

  constructor(env: CompilerEnvironment) {
    this.env = env;
    this.trialFilters = new HttpFilters(TRIAL_FILTERS, env.registry, env.filterEnv('outbound'));
    this.listeners = new ResourceStore(LISTENER_TYPE_URL, (body) => this.decodeListener(body));
    this.routes = new ResourceStore(ROUTE_TYPE_URL, (body) => this.decodeRoutes(body));
    this.clusters = new ResourceStore(CLUSTER_TYPE_URL, decodeCluster);
    this.endpoints = new ResourceStore(ENDPOINT_TYPE_URL, decodeAssignment);
    this.secrets = new ResourceStore(SECRET_TYPE_URL, decodeSecret);
    this.extensions = new ResourceStore(EXTENSION_TYPE_URL, (body, name) => this.decodeExtension(body, name));
    this.onDemand = new OnDemandHosts({
      route: (name) => this.routes.get(name)?.message,
      check: (table) => this.tryRoutes(table),
      ask: env.options.askForHost,
      log: env.options.log,
    });
    this.specs = new ClusterSpecs(this.clusters, this.endpoints, (name) => this.secretState(name));
    const { listeners, routes, clusters, endpoints, secrets, extensions, onDemand } = this;
    this.stores = [listeners, routes, clusters, endpoints, secrets, extensions, onDemand];
  }

  /** Takes an update; answers what it refuses, with reasons; undefined: of a type that nobody here knows. */
  apply(update: ConfigUpdate): readonly Rejection[] | undefined {
    const store = this.stores.find(({ typeUrl }) => typeUrl === update.typeUrl);
    return store?.apply(this.withoutKept(update)).rejections;
  }

  /** Routes and endpoints that are in use stay when they are removed, as in Envoy: listeners and clusters are what says that they go. */
  private withoutKept(update: ConfigUpdate): ConfigUpdate {
    if (update.removed.length === 0) return update;
    const { routes, endpoints } = this.wanted();
    const used = update.typeUrl === ROUTE_TYPE_URL ? routes : update.typeUrl === ENDPOINT_TYPE_URL ? endpoints : [];
    const store = update.typeUrl === ROUTE_TYPE_URL ? this.routes : this.endpoints;
    return { ...update, removed: update.removed.filter((name) => !store.has(name) || !used.includes(name)) };
  }

  /** Forgets what is not asked for any longer, as Envoy does with its subscriptions: it may have changed when it is asked for again. */
  keep({ routes, endpoints, secrets, extensions, hostTables }: WantedNames): void {
    this.routes.keep(routes);
    this.endpoints.keep(endpoints);
    this.secrets.keep(secrets);
    this.extensions.keep(extensions);
    this.onDemand.keep(hostTables);
    for (const name of this.emptyTables.keys()) if (!routes.includes(name)) this.emptyTables.delete(name);
  }

  // ── what is asked for and waited for ──

  /** RDS, EDS, SDS and ECDS names that listeners and clusters refer to. */
  wanted(): WantedNames {
    const listeners = [...this.listeners.values()];
    const routes = listeners.flatMap(([, listener]) => listener.routeNames);
    const clusters = [...this.clusters.values()].map(([, cluster]) => cluster);
    const endpoints = clusters.flatMap(({ message }) => edsName(message) ?? []);
    const secrets = [...listeners.flatMap(([, listener]) => listener.secretNames), ...clusters.flatMap((cluster) => cluster.secretNames)];
    const extensions = this.discovered().map(({ name }) => name);
    const hostTables = sorted(routes).filter((name) => this.routes.get(name)?.onDemand === true);
    return { routes: sorted(routes), endpoints: sorted(endpoints), secrets: sorted(secrets), extensions: sorted(extensions), hostTables };
  }

  awaitedSecrets(): readonly string[] {
    return this.wanted().secrets.filter((name) => this.secretState(name) === 'waiting');
  }

  /** Routes, endpoints and configurations of filters that something waits for, and the source has said nothing about yet. */
  awaited(): readonly Awaited[] {
    const routes = [...this.listeners.values()].flatMap(([, { awaitedRoutes }]) => awaitedRoutes);
    const extensions = this.discovered().filter(({ name, waits }) => waits && this.extensionState(name) === 'waiting');
    return [
      ...routes.filter(({ name }) => this.routeState(name) === 'waiting'),
      ...this.specs.waiting().map(({ cluster, endpoints: name }) => {
        return { typeUrl: ENDPOINT_TYPE_URL, name, fetchTimeoutMs: fetchTimeoutOf(cluster.edsClusterConfig?.edsConfig) };
      }),
      ...extensions.map(({ name, fetchTimeoutMs }) => ({ typeUrl: EXTENSION_TYPE_URL, name, fetchTimeoutMs })),
    ];
  }

  giveUp({ typeUrl, name }: Awaited): void {
    const stores: readonly ResourceStore<unknown>[] = [this.routes, this.endpoints, this.extensions];
    stores.find((store) => store.typeUrl === typeUrl)?.giveUp(name);
  }

  // ── how a resource stands, by its name ──

  routeState(name: string): ReceivedRoutes | 'waiting' {
    return this.routes.get(name) ?? (this.routes.isAbsent(name) ? this.emptyTable(name) : 'waiting');
  }

  secretState(name: string): SecretState {
    return this.secrets.get(name) ?? (this.secrets.isAbsent(name) ? 'absent' : 'waiting');
  }

  extensionState(name: string): ExtensionState {
    return this.extensions.get(name) ?? (this.extensions.isAbsent(name) ? 'absent' : 'waiting');
  }

  /** Requests of a listener without routes get 404. One object per name, so that nothing is compiled again for it. */
  private emptyTable(name: string): ReceivedRoutes {
    let table = this.emptyTables.get(name);
    if (table === undefined) {
      const message = RouteConfiguration.fromPartial({ name });
      table = new ReceivedRoutes(RouteConfiguration.encode(message).finish(), message);
      this.emptyTables.set(name, table);
    }
    return table;
  }

  private discovered(): readonly DiscoveredFilter[] {
    return [...this.listeners.values()].flatMap(([, listener]) => listener.discovered);
  }

  /** What the connection managers of a listener are compiled with. */
  managerEnv(listener: DecodedListener): ManagerEnv {
    const { options, registry } = this.env;
    return {
      random: options.random,
      filterEnv: this.env.filterEnv(listener.kind === 'inbound' ? 'inbound' : 'outbound'),
      registry,
      appFilters: options.appFilters ?? [],
      ownAddress: options.ownAddress,
      onDemand: this.onDemand,
      extensions: (name) => this.extensionState(name),
      routes: (name) => {
        const state = this.routeState(name);
        return state === 'waiting' ? undefined : state.message;
      },
    };
  }

  // ── trials ──

  private decodeListener(body: Uint8Array): DecodedListener {
    const decoded = decodeListener(Listener.decode(body), this.env.options.router ?? false);
    const trial: ManagerEnv = { ...this.managerEnv(decoded), routes: () => RouteConfiguration.fromPartial({ name: 'trial' }) };
    compileChains(decoded, trial);
    return decoded;
  }

  private decodeRoutes(body: Uint8Array): ReceivedRoutes {
    const message = RouteConfiguration.decode(body);
    this.tryRoutes(message);
    if (message.vhds !== undefined) this.onDemand.checkTable(message);
    return new ReceivedRoutes(body, message);
  }

  private tryRoutes(message: RouteConfiguration): void {
    compileRouteConfiguration(message, {
      ...this.env.options,
      filters: this.trialFilters,
      direction: 'outbound',
      onDemand: undefined,
    });
  }

  /** As Envoy takes it: of a type that every filter of the name admits, and one that a connection manager can make. */
  private decodeExtension(body: Uint8Array, name: string): Any {
    const { typedConfig } = TypedExtensionConfig.decode(body);
    if (typedConfig === undefined) throw new Error('typed_config is missing');
    for (const filter of this.discovered()) if (filter.name === name) checkType(filter, typedConfig);
    const message = HttpFilter.fromPartial({ name, configType: { $case: 'typedConfig', value: typedConfig } });
    for (const direction of ['inbound', 'outbound'] as const)
      new HttpFilters([message], this.env.registry, this.env.filterEnv(direction)).create([]);
    return typedConfig;
  }
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
