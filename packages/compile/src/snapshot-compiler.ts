import type { Cluster, ConfigUpdate, GatewayListener, Rejection, Snapshot } from '@ripstop/core';
import { ENDPOINT_TYPE_URL, EXTENSION_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { Awaited } from './awaited.ts';
import { ClusterWarming } from './cluster-warming.ts';
import { CompilerEnvironment, type SnapshotCompilerOptions } from './compiler-environment.ts';
import { joinOutbound } from './joined-outbound.ts';
import { type CompiledListener, ListenerCompiler } from './listener-compiler.ts';
import type { OnDemandHosts } from './on-demand/on-demand-hosts.ts';
import { ReceivedResources, type WantedNames } from './received-resources.ts';

/**
 * xDS in, snapshots out. Each resource is decoded and tried by itself, so that a bad one is refused alone and its last good version
 * stays; `build` joins what is there and compiles again only what changed.
 */
export class SnapshotCompiler {
  private readonly options: SnapshotCompilerOptions;
  private readonly received: ReceivedResources;
  private readonly compiler: ListenerCompiler;
  private readonly clusterWarming: ClusterWarming;
  private last: Snapshot | undefined;
  private sequence = 0;
  private version = '';

  constructor(options: SnapshotCompilerOptions) {
    this.options = options;
    const received = new ReceivedResources(new CompilerEnvironment(options));
    this.received = received;
    this.clusterWarming = new ClusterWarming(received.specs, options.clusterStates);
    this.compiler = new ListenerCompiler({
      managerEnv: (listener) => received.managerEnv(listener),
      route: (name) => received.routeState(name),
      secretState: (name) => received.secretState(name),
      extensionState: (name) => received.extensionState(name),
      log: options.log,
    });
  }

  /** Hosts of routes that come one by one (VHDS). */
  get onDemand(): OnDemandHosts {
    return this.received.onDemand;
  }

  /** Takes an update; answers what it refuses, with reasons. */
  apply(update: ConfigUpdate): readonly Rejection[] {
    const rejections = this.received.apply(update);
    if (rejections === undefined) return [];
    this.version = update.version;
    return rejections;
  }

  /** RDS, EDS, SDS and ECDS names that listeners and clusters refer to. */
  wanted(): WantedNames {
    return this.received.wanted();
  }

  /** Forgets what is not among these: the source was told that nobody asks for it any longer. */
  keep(names: WantedNames): void {
    this.received.keep(names);
  }

  /** Secrets that the source has said nothing about yet. A snapshot does without them: the chains that need them stay closed, and connections that do fail. */
  awaitedSecrets(): readonly string[] {
    return this.received.awaitedSecrets();
  }

  /** Routes, endpoints and configurations of filters that something waits for, and the source has said nothing about yet. */
  awaited(): readonly Awaited[] {
    return this.received.awaited();
  }

  /** What did not come in its time is taken for what does not exist: no routes, no hosts, the default configuration of a filter or none. */
  giveUp(awaited: Awaited): void {
    this.received.giveUp(awaited);
  }

  /** New clusters that wait for the first health checks of their hosts. */
  warming(): readonly string[] {
    return this.clusterWarming.warming();
  }

  /** What has not come yet, for messages; empty when a snapshot can be built. */
  missing(): readonly string[] {
    if (!this.received.clusters.received) return ['clusters (CDS)'];
    if (!this.received.listeners.received) return ['listeners (LDS)'];
    // Later a listener or a cluster that waits is no reason to hold up the others.
    if (this.last !== undefined) return [];
    return [...new Set(this.awaited().map(({ typeUrl, name }) => `${AWAITED_AS.get(typeUrl)} ${name}`))];
  }

  /** The whole as a snapshot; undefined until LDS, CDS and everything that they name is here. */
  build(): Snapshot | undefined {
    if (this.missing().length > 0) return undefined;
    const { listeners } = this.received;
    const compiled = [...listeners.values()].flatMap(([name, decoded]) => this.compiler.compile(name, decoded) ?? []);
    this.compiler.keep((name) => listeners.has(name));
    const { clusters, held } = this.clusterWarming.next(this.last);
    if (clusters === undefined) return undefined;
    const snapshot = this.join(compiled, clusters);
    // New clusters are checked first: until then requests go where they went, and only the way in changes.
    this.last = held === undefined ? snapshot : { ...snapshot, outbound: held.outbound, gateways: held.gateways };
    return this.last;
  }

  private join(listeners: readonly CompiledListener[], clusters: ReadonlyMap<string, Cluster>): Snapshot {
    return {
      version: this.version,
      sequence: ++this.sequence,
      outbound: joinOutbound(listeners, clusters, this.options),
      inbound: listeners.filter(({ decoded }) => decoded.kind === 'inbound').flatMap(({ chains }) => chains),
      gateways: listeners.filter(({ decoded }) => decoded.kind === 'gateway').map(gatewayOf),
      clusters,
    };
  }
}

const AWAITED_AS = new Map([
  [ROUTE_TYPE_URL, 'routes'],
  [ENDPOINT_TYPE_URL, 'endpoints'],
  [EXTENSION_TYPE_URL, 'filter configuration (ECDS)'],
]);

function gatewayOf({ decoded, chains, defaultChain }: CompiledListener): GatewayListener {
  const { name, address, port, readsProxyProtocol, unrouted } = decoded;
  return { name, address, port, readsProxyProtocol, filterChains: chains, defaultFilterChain: defaultChain, unrouted };
}
