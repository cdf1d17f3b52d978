import type { Cluster, ClusterSpec, ClusterStates, Snapshot } from '@ripstop/core';
import type { ClusterSpecs } from './cluster-specs.ts';

/** What a snapshot may use. */
export interface WarmClusters {
  /** None: there is nothing yet that could serve meanwhile. */
  readonly clusters?: ReadonlyMap<string, Cluster>;
  /** While new clusters are warming: the snapshot whose routes stay in force. */
  readonly held?: Snapshot;
}

/** Lets new clusters in once their hosts have been checked and their endpoints are here, as Envoy's cluster manager does. */
export class ClusterWarming {
  private readonly specs: ClusterSpecs;
  private readonly states: ClusterStates;
  /** Clusters that the routes in force may lead to. */
  private adopted = new Map<string, ClusterSpec>();

  constructor(specs: ClusterSpecs, states: ClusterStates) {
    this.specs = specs;
    this.states = states;
  }

  /** New clusters that wait for the first health checks of their hosts. */
  warming(): readonly string[] {
    return this.states.warming();
  }

  /** The clusters to use now; while the last snapshot's routes are held, the clusters that they lead to stay. */
  next(last: Snapshot | undefined): WarmClusters {
    const specs = new Map([...this.specs].map((spec) => [spec.name, spec]));
    // A changed cluster stays as it was until its new endpoints are here; a new one is not there yet.
    const awaited = this.specs.waiting().map(({ cluster }) => cluster.name);
    for (const name of awaited) if (this.adopted.has(name)) specs.set(name, this.adopted.get(name)!);
    const kept = [...this.adopted.values()].filter(({ name }) => !specs.has(name));
    const all = this.states.adopt([...specs.values(), ...kept]);
    const warming = new Set([...this.states.warming(), ...awaited.filter((name) => !specs.has(name))]);
    if (warming.size > 0) {
      if (last === undefined) return {};
      for (const [name, spec] of specs) this.adopted.set(name, spec);
      return { clusters: new Map([...all].filter(([name]) => !warming.has(name))), held: last };
    }
    this.adopted = specs;
    return { clusters: kept.length === 0 ? all : this.states.adopt(specs.values()) };
  }
}
