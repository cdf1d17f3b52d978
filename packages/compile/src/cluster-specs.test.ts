import type { ClusterSpec } from '@ripstop/core';
import { CLUSTER_TYPE_URL, Cluster, type ClusterLoadAssignment, ENDPOINT_TYPE_URL, fromProtoJson } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { ClusterSpecs, type DecodedCluster, decodeAssignment, decodeCluster } from './cluster-specs.ts';
import { ResourceStore } from './resource-store.ts';

describe('the parts of a cluster that run-time state hangs on', () => {
  const clusters = new ResourceStore<DecodedCluster>(CLUSTER_TYPE_URL, decodeCluster);
  const endpoints = new ResourceStore<ClusterLoadAssignment>(ENDPOINT_TYPE_URL, decodeAssignment);
  const specs = new ClusterSpecs(clusters, endpoints, () => 'absent');

  function push(connectTimeout: string | undefined): ClusterSpec | undefined {
    const check = { timeout: '1s', interval: '5s', healthy_threshold: 1, unhealthy_threshold: 1, tcp_health_check: {} };
    const message = { name: 'a', type: 'STATIC', connect_timeout: connectTimeout, health_checks: [check] };
    const resources =
      connectTimeout === undefined ? [] : [{ name: 'a', version: '1', body: Cluster.encode(fromProtoJson(Cluster, message)).finish() }];
    clusters.apply({ typeUrl: CLUSTER_TYPE_URL, version: '1', resources, removed: [], full: true });
    return [...specs][0];
  }

  it('stay the objects that they were while it says the same, and are not remembered when it is gone', () => {
    const first = push('1s')!;
    const changed = push('2s')!;
    expect(changed).not.toBe(first);
    expect(changed.healthCheck).toBe(first.healthCheck);
    expect(push(undefined)).toBeUndefined();
    const again = push('2s')!;
    expect(again.healthCheck).toEqual(first.healthCheck);
    expect(again.healthCheck).not.toBe(first.healthCheck);
  });
});
