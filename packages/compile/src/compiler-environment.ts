import type { AppFilter, Clock, ClusterStates, Direction, FilterCounters, FilterEnv, Random, Snapshot, UpstreamCalls } from '@ripstop/core';
import type { AnyFilterFactory } from './filters/decoded-filter.ts';

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

/** What compiled filters live in: the options, the registry, and the run-time state that outlives every configuration. */
export class CompilerEnvironment {
  readonly options: SnapshotCompilerOptions;
  readonly registry: ReadonlyMap<string, AnyFilterFactory>;
  private readonly states = new HeldStates();

  constructor(options: SnapshotCompilerOptions) {
    this.options = options;
    this.registry = new Map(options.filters.map((factory) => [factory.typeUrl, factory]));
  }

  filterEnv(direction: Direction): FilterEnv {
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
      state: (key, create) => this.states.of(key, create),
    };
  }
}

/** By key; what no filter holds any longer is not kept: rules come and go, and their keys say what they say. */
class HeldStates {
  private readonly states = new Map<string, WeakRef<object>>();
  private readonly gone = new FinalizationRegistry<string>((key) => {
    if (this.states.get(key)?.deref() === undefined) this.states.delete(key);
  });

  of<T extends object>(key: string, create: () => T): T {
    const known = this.states.get(key)?.deref();
    if (known !== undefined) return known as T;
    const made = create();
    this.states.set(key, new WeakRef(made));
    this.gone.register(made, key);
    return made;
  }
}
