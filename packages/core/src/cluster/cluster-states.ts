import type { HealthProbe } from '../health/health-probe.ts';
import type { Clock, Random, Timer } from '../ports.ts';
import { AggregateCluster } from './aggregate-cluster.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterSpec, EndpointSpec } from './cluster-spec.ts';
import { ClusterState } from './cluster-state.ts';

export interface ClusterStatesEnv {
  readonly clock: Clock;
  readonly random: Random;
  /** Addresses of a name; needed for DNS clusters. Rejects when the name cannot be resolved. */
  /** Carries active health checks out. */
  readonly probe?: HealthProbe;
  readonly resolveDns?: (hostname: string) => Promise<readonly string[]>;
  readonly log?: (line: string) => void;
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
      if (!(state instanceof AggregateCluster)) this.resolve(spec, state);
    }
    for (const [name, state] of this.states) {
      if (states.has(name)) continue;
      state.close();
      this.resolving.get(name)?.close();
      this.resolving.delete(name);
    }
    this.states = states;
    this.specs = next;
    return states;
  }

  close(): void {
    for (const dns of this.resolving.values()) dns.close();
    for (const state of this.states.values()) state.close();
  }

  private create(spec: ClusterSpec): ClusterState | AggregateCluster {
    if (spec.kind !== 'aggregate') return new ClusterState(spec, this.env);
    return new AggregateCluster(spec, this.env.random, (name) => this.states.get(name));
  }

  private resolve(spec: ClusterSpec, state: ClusterState): void {
    const before = this.resolving.get(spec.name);
    if (before?.spec === spec) return;
    before?.close();
    this.resolving.delete(spec.name);
    if (spec.kind !== 'strict_dns' && spec.kind !== 'logical_dns') return;
    // Addresses known so far stay in use until the new round has answered.
    this.resolving.set(spec.name, new DnsCluster(spec, state, this.env, before?.known));
  }
}

/** Resolves a DNS cluster's names again and again. A failure keeps the last addresses; an empty answer means no hosts. */
class DnsCluster {
  readonly spec: ClusterSpec;
  private readonly state: ClusterState;
  private readonly env: ClusterStatesEnv;
  readonly known: Map<string, readonly string[]>;
  private timer: Timer | undefined;
  private closed = false;

  constructor(spec: ClusterSpec, state: ClusterState, env: ClusterStatesEnv, known?: ReadonlyMap<string, readonly string[]>) {
    this.spec = spec;
    this.state = state;
    this.env = env;
    this.known = new Map(known);
    void this.round();
  }

  close(): void {
    this.closed = true;
    this.timer?.cancel();
  }

  private async round(): Promise<void> {
    const { resolveDns, log } = this.env;
    if (resolveDns === undefined) {
      log?.(`${this.spec.name} needs DNS, and no resolver was given: it has no hosts`);
      return;
    }
    const names = new Set(this.spec.localities.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)));
    for (const name of names) {
      try {
        this.known.set(name, isAddress(name) ? [name] : await resolveDns(name));
      } catch (error) {
        log?.(`${this.spec.name}: ${name} does not resolve (${error instanceof Error ? error.message : error}); the last addresses stay`);
      }
    }
    if (this.closed) return;
    this.state.setHosts(
      this.spec.localities.map((locality) => ({ ...locality, endpoints: locality.endpoints.flatMap((endpoint) => this.expand(endpoint)) })),
    );
    this.timer = this.env.clock.setTimer(() => void this.round(), this.spec.dnsRefreshMs);
  }

  private expand(endpoint: EndpointSpec): EndpointSpec[] {
    const addresses = this.known.get(endpoint.address) ?? [];
    // LOGICAL_DNS dials the first address only.
    const used = this.spec.kind === 'logical_dns' ? addresses.slice(0, 1) : addresses;
    return used.map((address) => ({ ...endpoint, address, hostname: endpoint.hostname === '' ? endpoint.address : endpoint.hostname }));
  }
}

function isAddress(name: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(name) || name.includes(':');
}
