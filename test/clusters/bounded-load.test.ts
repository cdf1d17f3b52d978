import { compileCluster } from '@ripstop/compile';
import { type Clock, ClusterStates, Exchange, isLease, NO_PEER, xxh64 } from '@ripstop/core';
import { Cluster, fromProtoJson } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';

const KEYS = 'k1 k1 k1 k2 k1 k1 k2 k3 k1 k1 k1 k2 k2 k3 k1 k1 k1 k1 k2 k1'.split(' ');
const clock: Clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };

/** Hosts 127.0.0.1:18101 to 18105, the first of weight 2, at a hash_balance_factor of 120; requests come one by one and none ends. */
function picks(lb_policy: string): number[] {
  const lb_endpoints = [1, 2, 3, 4, 5].map((host) => ({
    load_balancing_weight: host === 1 ? 2 : 1,
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 18_100 + host } } },
  }));
  const json = {
    name: 'c',
    type: 'STATIC',
    lb_policy,
    common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 120 } },
    load_assignment: { cluster_name: 'c', endpoints: [{ lb_endpoints }] },
  };
  const spec = compileCluster(fromProtoJson(Cluster, json), undefined);
  const cluster = new ClusterStates({ clock, random: Math.random }).adopt([spec]).get('c')!;
  return KEYS.map((key) => {
    const x = new Exchange({ direction: 'outbound', protocol: 'http1', peer: NO_PEER, port: 80, startedAt: 0 } as never);
    x.hash = xxh64(key);
    const lease = cluster.acquire(x);
    if (!isLease(lease)) throw new Error(lease.details);
    return lease.endpoint.port - 18_100;
  });
}

describe('bounded loads, as recorded from Envoy 1.40 with held requests', () => {
  it.each([
    ['RING_HASH', '2 2 4 3 4 2 3 3 4 5 2 3 4 1 5 2 4 5 3 5'],
    ['MAGLEV', '5 5 4 3 4 5 3 1 4 3 5 3 4 1 1 5 4 3 2 1'],
  ])('%s', (policy, recorded) => {
    expect(picks(policy).join(' ')).toBe(recorded);
  });
});
