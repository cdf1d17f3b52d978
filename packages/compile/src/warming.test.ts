import { type CheckResult, ClusterStates, type ConfigUpdate, type Snapshot } from '@ripstop/core';
import { CLUSTER_TYPE_URL, Cluster, fromProtoJson, LISTENER_TYPE_URL, Listener } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { standardFilters } from './registry.ts';
import { SnapshotCompiler } from './snapshot-compiler.ts';

const PASS: CheckResult = { kind: 'pass', degraded: false };
const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;
const type = (name: string): string => `type.googleapis.com/envoy.extensions.filters.${name}`;

const cluster = (name: string, checked: boolean) => ({
  name,
  type: 'STATIC',
  load_assignment: {
    cluster_name: name,
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: 80 } } } }] }],
  },
  ...(checked
    ? { health_checks: [{ timeout: '1s', interval: '5s', healthy_threshold: 1, unhealthy_threshold: 1, tcp_health_check: {} }] }
    : {}),
});

const listener = (to: string) => ({
  name: 'edge',
  address: { socket_address: { address: '0.0.0.0', port_value: 80 } },
  filter_chains: [
    {
      filters: [
        {
          name: 'hcm',
          typed_config: {
            '@type': type('network.http_connection_manager.v3.HttpConnectionManager'),
            stat_prefix: 'edge',
            http_filters: [{ name: 'envoy.filters.http.router', typed_config: { '@type': type('http.router.v3.Router') } }],
            route_config: {
              name: 'edge',
              virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ name: to, match: { prefix: '/' }, route: { cluster: to } }] }],
            },
          },
        },
      ],
    },
  ],
});

/** A compiler, and the checks that its clusters wait for. */
function scene() {
  const asked: ((result: CheckResult) => void)[] = [];
  let warmed = 0;
  const probe = () => ({
    ask: (done: (result: CheckResult) => void) => {
      asked.push(done);
      return () => {};
    },
    close: () => {},
  });
  const clusterStates = new ClusterStates({ clock, random, probe, onWarm: () => warmed++ });
  const compiler = new SnapshotCompiler({ clock, random, filters: standardFilters(), clusterStates, router: true });
  const push = (clusters: readonly ReturnType<typeof cluster>[], to: string): Snapshot | undefined => {
    compiler.apply(
      update(
        CLUSTER_TYPE_URL,
        clusters.map((json) => [json.name, Cluster.encode(fromProtoJson(Cluster, json)).finish()]),
      ),
    );
    compiler.apply(update(LISTENER_TYPE_URL, [['edge', Listener.encode(fromProtoJson(Listener, listener(to))).finish()]]));
    return compiler.build();
  };
  return { asked, compiler, push, warmed: () => warmed };
}

function update(typeUrl: string, bodies: readonly (readonly [string, Uint8Array])[]): ConfigUpdate {
  return { typeUrl, version: '1', resources: bodies.map(([name, body]) => ({ name, version: '1', body })), removed: [], full: true };
}

/** Where a snapshot's route leads, and the clusters that are there. */
function shown(snapshot: Snapshot | undefined): string {
  if (snapshot === undefined) return 'none';
  const [host] = snapshot.gateways[0]!.filterChains[0]!.http!.routes.virtualHosts;
  return `to ${host!.routes[0]!.name}; ${[...snapshot.clusters.keys()].sort().join(' ')}`;
}

describe('clusters that are checked before they are used', () => {
  it('hold the first snapshot back, by name', () => {
    const { asked, compiler, push, warmed } = scene();
    expect([shown(push([cluster('a', true), cluster('b', false)], 'a')), compiler.warming()]).toEqual(['none', ['a']]);
    asked[0]!(PASS);
    expect([warmed(), shown(compiler.build()), compiler.warming()]).toEqual([1, 'to a; a b', []]);
  });

  it('hold back the routes that come with them, and keep the clusters of the old ones', () => {
    const { asked, compiler, push } = scene();
    expect(shown(push([cluster('a', false)], 'a'))).toBe('to a; a');
    expect(shown(push([cluster('b', true)], 'b'))).toBe('to a; a');
    // Another push meanwhile changes nothing about that.
    expect(shown(push([cluster('b', true), cluster('c', false)], 'b'))).toBe('to a; a c');
    asked[0]!(PASS);
    expect(shown(compiler.build())).toBe('to b; b c');
  });

  it('wait for an answer, not for a good one', () => {
    const { asked, compiler, push } = scene();
    push([cluster('a', true)], 'a');
    asked[0]!({ kind: 'fail', immediate: true });
    expect(shown(compiler.build())).toBe('to a; a');
  });
});
