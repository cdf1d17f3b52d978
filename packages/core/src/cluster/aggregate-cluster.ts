import type { Exchange } from '../exchange.ts';
import { noHealthyUpstreamReply } from '../local-replies.ts';
import type { LocalReply } from '../local-reply.ts';
import type { Random } from '../ports.ts';
import type { SourceRef } from '../source-ref.ts';
import type { AcquireOptions, Cluster, ConnectionOptions, Endpoint, Lease, ServiceRef } from './cluster.ts';
import type { ClusterSpec } from './cluster-spec.ts';
import type { ClusterState } from './cluster-state.ts';
import { choosePriority, type Level } from './host-picker.ts';
import { loadWithoutTried } from './previous-priorities.ts';
import { availability, OVERPROVISIONING, priorityLoad } from './priority-load.ts';
import { ClusterResources, DEFAULT_THRESHOLDS } from './resources.ts';

/** One priority of one of the clusters. */
interface ClusterLevel {
  readonly cluster: ClusterState;
  readonly priority: number;
}

/** Nested deeper than gRPC allows (A75), a cluster is taken for one that contains itself. */
const DEEPEST = 16;

/**
 * Envoy's aggregate cluster: the priorities of its clusters one after the other. It chooses the priority; everything else, connections and
 * breakers included, is the chosen cluster's. Clusters that do not exist are passed over.
 */
export class AggregateCluster implements Cluster {
  readonly kind = 'aggregate';
  readonly name: string;
  readonly resources: ClusterResources;
  readonly highPriority: ClusterResources;
  private spec: ClusterSpec;
  private readonly random: Random;
  private readonly find: (name: string) => ClusterState | AggregateCluster | undefined;

  constructor(spec: ClusterSpec, random: Random, find: (name: string) => ClusterState | AggregateCluster | undefined) {
    this.name = spec.name;
    this.spec = spec;
    this.random = random;
    this.find = find;
    this.resources = new ClusterResources(spec.thresholds);
    this.highPriority = new ClusterResources(spec.highThresholds ?? DEFAULT_THRESHOLDS);
  }

  get services(): readonly ServiceRef[] {
    return this.spec.services;
  }
  get subset(): string {
    return this.spec.subset;
  }
  get external(): boolean {
    return this.spec.external;
  }
  get connection(): ConnectionOptions {
    return this.spec.connection;
  }
  get source(): SourceRef | undefined {
    return this.spec.source;
  }
  get endpoints(): readonly Endpoint[] {
    return [...new Set(this.levels().map(({ cluster }) => cluster))].flatMap((cluster) => cluster.endpoints);
  }

  update(spec: ClusterSpec): void {
    this.spec = spec;
    this.resources.limit(spec.thresholds);
    this.highPriority.limit(spec.highThresholds ?? DEFAULT_THRESHOLDS);
  }

  close(): void {}

  acquire(x: Exchange, options?: AcquireOptions): Lease | LocalReply {
    const levels = this.levels();
    if (levels.length === 0) return noHealthyUpstreamReply();
    const counts = levels.map(({ cluster, priority }) => cluster.counts[priority]!);
    const overprovisioning = this.spec.overprovisioningFactor ?? OVERPROVISIONING;
    const load = priorityLoad(counts, this.spec.panicThreshold, overprovisioning);
    const frequency = options?.previousPrioritiesFrequency ?? 0;
    const tried = frequency === 0 ? [] : (options?.tried ?? []).map((host) => levelOf(levels, host)).filter((level) => level >= 0);
    const now = tried.length === 0 ? load : loadWithoutTried(load, availability(counts, overprovisioning), tried, frequency);
    const [chosen, source] = choosePriority(now, Math.floor(this.random() * 100) + 1);
    const { cluster, priority } = levels[chosen]!;
    const level: Level = { priority, source };
    return cluster.acquire(x, options, level);
  }

  private levels(depth = 0): readonly ClusterLevel[] {
    if (depth > DEEPEST) return [];
    return (this.spec.children ?? []).flatMap((name) => {
      const child = this.find(name);
      if (child === undefined) return [];
      if (child instanceof AggregateCluster) return child.levels(depth + 1);
      return child.counts.map((_counts, priority) => ({ cluster: child, priority }));
    });
  }
}

function levelOf(levels: readonly ClusterLevel[], host: Endpoint): number {
  return levels.findIndex(({ cluster, priority }) => priority === host.priority && cluster.endpoints.includes(host));
}
