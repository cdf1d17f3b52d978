import { quantile } from './quantile.ts';
import { type EdgeTotals, readEdges } from './request-samples.ts';

/** One arrow of the live graph, over the window that was asked for. */
export interface GraphEdge {
  readonly source: string;
  readonly sourceNamespace: string;
  readonly target: string;
  readonly targetNamespace: string;
  readonly requests: number;
  readonly rps: number;
  readonly errorPercent: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Every request of the window went over mutual TLS. */
  readonly mtls: boolean;
  /** Requests by version of the target. */
  readonly versions: Readonly<Record<string, number>>;
}

export interface ServiceGraph {
  readonly seconds: number;
  readonly edges: readonly GraphEdge[];
}

/** What one scrape of one instance added, by edge. */
interface Increment {
  readonly atMs: number;
  readonly edges: readonly EdgeTotals[];
}

const KEEP_MS = 15 * 60_000;

/**
 * The live service graph, made of the source side of Istio's standard metrics. Each instance's counters are turned into increments
 * between two scrapes. The first scrape of an instance is where counting begins: what it counted before, this control plane has not
 * seen (it may have restarted itself). An instance whose counters went down was restarted and counts from zero. Fifteen minutes are kept.
 */
export class ServiceGraphStore {
  private readonly last = new Map<string, { readonly atMs: number; readonly edges: ReadonlyMap<string, EdgeTotals> }>();
  private increments: Increment[] = [];

  /** Takes one scrape of one instance. */
  add(instance: string, text: string, nowMs: number): void {
    const edges = readEdges(text);
    const before = this.last.get(instance)?.edges;
    this.last.set(instance, { atMs: nowMs, edges });
    if (before === undefined) return;
    const grown = [...edges].map(([key, edge]) => difference(edge, before.get(key))).filter((edge) => edge.requests > 0);
    if (grown.length > 0) this.increments.push({ atMs: nowMs, edges: grown });
    if (this.increments.length > 0 && this.increments[0]!.atMs < nowMs - KEEP_MS) {
      this.increments = this.increments.filter((entry) => entry.atMs >= nowMs - KEEP_MS);
    }
  }

  /** Forgets the counters of instances that have been away for long: one that comes back soon has counted on. */
  forgetOld(nowMs: number): void {
    for (const [instance, { atMs }] of this.last) if (atMs < nowMs - KEEP_MS) this.last.delete(instance);
  }

  graph(seconds: number, nowMs: number): ServiceGraph {
    const window = this.increments.filter((entry) => entry.atMs > nowMs - seconds * 1000);
    const groups = new Map<string, EdgeTotals[]>();
    for (const edge of window.flatMap((entry) => entry.edges)) {
      const key = `${edge.source}|${edge.sourceNamespace}|${edge.target}|${edge.targetNamespace}`;
      groups.set(key, [...(groups.get(key) ?? []), edge]);
    }
    const edges = [...groups.values()].map((group) => summarise(group, seconds));
    return { seconds, edges: edges.sort((a, b) => compare(a.source, b.source) || compare(a.target, b.target)) };
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function difference(now: EdgeTotals, before: EdgeTotals | undefined): EdgeTotals {
  if (before === undefined || now.requests < before.requests) return now;
  return {
    ...now,
    requests: now.requests - before.requests,
    errors: now.errors - before.errors,
    mutualTls: now.mutualTls - before.mutualTls,
    buckets: new Map([...now.buckets].map(([bound, count]) => [bound, count - (before.buckets.get(bound) ?? 0)])),
  };
}

function summarise(group: readonly EdgeTotals[], seconds: number): GraphEdge {
  const first = group[0]!;
  const sum = (pick: (edge: EdgeTotals) => number): number => group.reduce((total, edge) => total + pick(edge), 0);
  const requests = sum((edge) => edge.requests);
  const buckets = new Map<number, number>();
  const versions: Record<string, number> = {};
  for (const edge of group) {
    for (const [bound, count] of edge.buckets) buckets.set(bound, (buckets.get(bound) ?? 0) + count);
    if (edge.version !== '') versions[edge.version] = (versions[edge.version] ?? 0) + edge.requests;
  }
  return {
    source: first.source,
    sourceNamespace: first.sourceNamespace,
    target: first.target,
    targetNamespace: first.targetNamespace,
    requests,
    rps: requests / seconds,
    errorPercent: (100 * sum((edge) => edge.errors)) / requests,
    p50Ms: quantile(0.5, buckets),
    p99Ms: quantile(0.99, buckets),
    mtls: sum((edge) => edge.mutualTls) === requests,
    versions,
  };
}
