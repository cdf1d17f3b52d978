import type { ScrapeTarget } from '../graph/scraper.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { WorkloadInstance } from '../model/workload.ts';

/** Registered workloads and clients that only call: the source's side of the metrics draws the graph. */
export function scrapeTargets(instances: readonly WorkloadInstance[], clients: readonly ProxyNode[]): ScrapeTarget[] {
  const targets = new Map(instances.map(({ key, adminAddress }) => [key, adminAddress]));
  for (const node of clients) {
    const address = node.metadata.RIPSTOP_ADMIN;
    if (typeof address === 'string') targets.set(`${node.name}.${node.namespace}`, address);
  }
  return [...targets].flatMap(([key, adminAddress]) => (adminAddress === '' ? [] : [{ key, adminAddress }]));
}
