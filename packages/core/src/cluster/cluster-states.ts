import type { HealthProbe } from '../health/health-probe.ts';
import type { OpenLoadStream } from '../orca/load-stream.ts';
import type { Clock, Random } from '../ports.ts';
import { AggregateCluster } from './aggregate-cluster.ts';
import type { Cluster, Locality } from './cluster.ts';
import type { ClusterSpec, DnsFamily } from './cluster-spec.ts';
import { ClusterState } from './cluster-state.ts';
import { DnsCluster } from './dns-cluster.ts';
import type { LocalHosts } from './zone-aware.ts';

export interface ClusterStatesEnv {
  readonly clock: Clock;
  readonly random: Random;
  /** Carries active health checks out. */
  readonly probe?: HealthProbe;
  /** Asks hosts for their load. */
  readonly loadStreams?: OpenLoadStream;
  /** Addresses of a name; needed for DNS clusters. Rejects when the name cannot be resolved. */
  readonly resolveDns?: (hostname: string, family: DnsFamily) => Promise<readonly string[]>;
  readonly log?: (line: string) => void;
  /** A cluster that was new is warm; see `warming`. */
  readonly onWarm?: () => void;
  /** The cluster that this process is itself a host of, and its place: zone aware routing weighs clusters against it. */
  readonly localCluster?: { readonly name: string; readonly locality: Locality } | undefined;
}

/** The run-time state of all clusters, keyed by name: a push adopts it, so that loads, ejections and counters survive. */
export class ClusterStates {
  private readonly env: ClusterStatesEnv;
  private states = new Map<string, ClusterState | AggregateCluster>();
  private specs = new Map<string, ClusterSpec>();
  private readonly resolving = new Map<string, DnsCluster>();

  constructor(env: ClusterStatesEnv) {
    this.env = env;
  }

  /** The live clusters of these specs. A spec that is the same object as before costs nothing. */
  adopt(specs: Iterable<ClusterSpec>): ReadonlyMap<string, Cluster> {
    const states = new Map<string, ClusterState | AggregateCluster>();
    const next = new Map<string, ClusterSpec>();
    for (const spec of specs) {
      let state = this.states.get(spec.name);
      if (state === undefined || (state.kind === 'aggregate') !== (spec.kind === 'aggregate')) {
        state?.close();
        state = this.create(spec);
      } else if (this.specs.get(spec.name) !== spec) state.update(spec);
      states.set(spec.name, state);
      next.set(spec.name, spec);
      if (state instanceof AggregateCluster) this.stopResolving(spec.name);
      else this.resolve(spec, state);
    }
    for (const [name, state] of this.states) {
      if (states.has(name)) continue;
      state.close();
      this.stopResolving(name);
    }
    this.states = states;
    this.specs = next;
    if (this.env.localCluster !== undefined) this.repick();
    return states;
  }

  /** New clusters whose hosts are checked for the first time: nobody is to be sent to them yet. */
  warming(): readonly string[] {
    const names: string[] = [];
    for (const [name, state] of this.states) if (state instanceof ClusterState && !state.isWarm) names.push(name);
    return names;
  }

  close(): void {
    for (const dns of this.resolving.values()) dns.close();
    for (const state of this.states.values()) state.close();
  }

  private create(spec: ClusterSpec): ClusterState | AggregateCluster {
    if (spec.kind !== 'aggregate') return this.createState(spec);
    return new AggregateCluster(spec, this.env.random, (name) => this.states.get(name));
  }

  private createState(spec: ClusterSpec): ClusterState {
    const { localCluster } = this.env;
    if (localCluster === undefined) return new ClusterState(spec, this.env);
    const { name, locality: own } = localCluster;
    const local = (): LocalHosts | undefined => {
      const state = this.states.get(name);
      return state instanceof ClusterState ? { own, hosts: state.current } : undefined;
    };
    const onHostsChanged = spec.name === name ? () => this.repick() : undefined;
    return new ClusterState(spec, { ...this.env, local, onHostsChanged });
  }

  /** The own cluster has changed: everybody's zones are weighed against it. */
  private repick(): void {
    for (const state of this.states.values()) if (state instanceof ClusterState) state.repick();
  }

  private resolve(spec: ClusterSpec, state: ClusterState): void {
    const before = this.resolving.get(spec.name);
    if (before?.spec === spec) return;
    this.stopResolving(spec.name);
    if (spec.kind !== 'strict_dns' && spec.kind !== 'logical_dns') return;
    // Addresses known so far stay in use until the new round has answered.
    this.resolving.set(spec.name, new DnsCluster(spec, state, this.env, before?.known));
  }

  private stopResolving(name: string): void {
    this.resolving.get(name)?.close();
    this.resolving.delete(name);
  }
}
