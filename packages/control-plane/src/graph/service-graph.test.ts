import { describe, expect, it } from 'vitest';
import { quantile } from './quantile.ts';
import { ServiceGraphStore } from './service-graph.ts';

interface Series {
  source: string;
  target: string;
  code?: number;
  policy?: string;
  count: number;
  version?: string;
  reporter?: string;
}

function scrape(...series: readonly Series[]): string {
  return series
    .flatMap(({ source, target, code = 200, policy = 'mutual_tls', count, version = 'v1', reporter = 'source' }) => {
      const labels = `reporter="${reporter}",source_canonical_service="${source}",source_workload_namespace="default",destination_service_name="${target}",destination_service_namespace="default",destination_workload="${target}-${version}",destination_canonical_revision="${version}",response_code="${code}",connection_security_policy="${policy}"`;
      return [
        `istio_requests_total{${labels}} ${count}`,
        `istio_request_duration_milliseconds_bucket{${labels},le="5"} ${count / 2}`,
        `istio_request_duration_milliseconds_bucket{${labels},le="10"} ${count}`,
        `istio_request_duration_milliseconds_bucket{${labels},le="+Inf"} ${count}`,
      ];
    })
    .join('\n');
}

/** A store that has seen every instance at zero. */
function started(...instances: string[]): ServiceGraphStore {
  const store = new ServiceGraphStore();
  for (const instance of instances) store.add(instance, '', -1);
  return store;
}

describe('service graph', () => {
  it('shows what was added within the window, per second, over all instances', () => {
    const store = started('a', 'b');
    store.add('a', scrape({ source: 'web', target: 'cart', count: 100 }), 0);
    store.add('a', scrape({ source: 'web', target: 'cart', count: 140 }, { source: 'web', target: 'cart', code: 503, count: 10 }), 10_000);
    store.add('b', scrape({ source: 'web', target: 'cart', count: 50, version: 'v2' }), 11_000);
    const { edges } = store.graph(5, 12_000);
    expect(edges).toHaveLength(1);
    expect(edges[0]).toMatchObject({ source: 'web', target: 'cart', requests: 100, rps: 20, errorPercent: 10, mtls: true, p50Ms: 5 });
    expect(edges[0]!.versions).toEqual({ v1: 50, v2: 50 });
  });

  it('counts a restarted instance from zero and forgets edges that carried nothing', () => {
    const store = started('a');
    store.add('a', scrape({ source: 'web', target: 'cart', count: 100 }), 0);
    store.add('a', scrape({ source: 'web', target: 'cart', count: 7 }), 60_000);
    expect(store.graph(5, 61_000).edges[0]!.requests).toBe(7);
    expect(store.graph(5, 90_000).edges).toEqual([]);
  });

  it('does not count what an instance had counted before it was first seen, nor twice what it had when it comes back', () => {
    const store = new ServiceGraphStore();
    store.add('a', scrape({ source: 'web', target: 'cart', count: 5000 }), 0);
    expect(store.graph(5, 1).edges).toEqual([]);
    store.add('a', scrape({ source: 'web', target: 'cart', count: 5003 }), 1000);
    store.forgetOld(20_000);
    store.add('a', scrape({ source: 'web', target: 'cart', count: 5005 }), 20_000);
    expect(store.graph(60, 20_001).edges[0]!.requests).toBe(5);
    store.forgetOld(20 * 60_000);
    store.add('a', scrape({ source: 'web', target: 'cart', count: 6000 }), 20 * 60_000);
    expect(store.graph(5, 20 * 60_000 + 1).edges).toEqual([]);
  });

  it('has no lock when one request was plaintext, and ignores the destination side', () => {
    const store = started('a', 'c');
    store.add('a', scrape({ source: 'web', target: 'cart', count: 9 }, { source: 'web', target: 'cart', count: 1, policy: 'none' }), 1);
    store.add('c', scrape({ source: 'unknown', target: 'cart', count: 10, reporter: 'destination' }), 1);
    const { edges } = store.graph(5, 2);
    expect(edges.map((edge) => [edge.requests, edge.mtls])).toEqual([[10, false]]);
  });
});

describe('quantile', () => {
  it.each([
    [
      0.5,
      [
        [10, 50],
        [20, 100],
        [Number.POSITIVE_INFINITY, 100],
      ],
      10,
    ],
    [
      0.75,
      [
        [10, 50],
        [20, 100],
        [Number.POSITIVE_INFINITY, 100],
      ],
      15,
    ],
    [
      0.99,
      [
        [10, 0],
        [Number.POSITIVE_INFINITY, 4],
      ],
      10,
    ],
    [0.5, [], 0],
  ] as const)('%d of %j is %d', (q, buckets, expected) => {
    expect(quantile(q, new Map(buckets as never))).toBe(expected);
  });
});
