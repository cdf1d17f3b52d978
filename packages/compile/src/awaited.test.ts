import { ClusterStates, type Snapshot } from '@ripstop/core';
import {
  CLUSTER_TYPE_URL,
  Cluster,
  ClusterLoadAssignment,
  ENDPOINT_TYPE_URL,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  ROUTE_TYPE_URL,
  RouteConfiguration,
} from '@ripstop/xds-api';
import { beforeEach, describe, expect, it } from 'vitest';
import { standardFilters } from './registry.ts';
import { SnapshotCompiler } from './snapshot-compiler.ts';

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;
const ADS = { ads: {} };
const address = (port: number): object => ({ socket_address: { address: '127.0.0.1', port_value: port } });

describe('what has not come yet', () => {
  let compiler: SnapshotCompiler;
  let probed: number;
  beforeEach(() => {
    probed = 0;
    const probe = () => {
      probed++;
      return { ask: () => () => {}, close: () => {} };
    };
    const clusterStates = new ClusterStates({ clock, random, resolveDns: async () => [], probe });
    compiler = new SnapshotCompiler({ clock, random, filters: standardFilters(), clusterStates, router: true });
  });

  function apply(typeUrl: string, name: string, body: Uint8Array | undefined): void {
    const resources = body === undefined ? [] : [{ name, version: '1', body }];
    const update = { typeUrl, version: '1', resources, removed: body === undefined ? [name] : [], full: false };
    expect(compiler.apply(update)).toEqual([]);
  }

  function cluster(name: string, more: object = {}): void {
    const message = { name, type: 'EDS', eds_cluster_config: { service_name: `${name}-hosts`, eds_config: ADS }, ...more };
    apply(CLUSTER_TYPE_URL, name, Cluster.encode(fromProtoJson(Cluster, message)).finish());
  }

  function endpoints(name: string, port = 80): void {
    const message = { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }] };
    apply(ENDPOINT_TYPE_URL, name, ClusterLoadAssignment.encode(fromProtoJson(ClusterLoadAssignment, message)).finish());
  }

  function listener(table: string, more: object = {}): void {
    const manager = {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
      stat_prefix: 'edge',
      rds: { route_config_name: table, config_source: { ...ADS, ...more } },
    };
    const message = { name: 'edge', address: address(80), filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] };
    apply(LISTENER_TYPE_URL, 'edge', Listener.encode(fromProtoJson(Listener, message)).finish());
  }

  function routes(table: string, to: string): void {
    const hosts = [{ name: 'all', domains: ['*'], routes: [{ name: to, match: { prefix: '/' }, route: { cluster: to } }] }];
    const message = { name: table, virtual_hosts: hosts };
    apply(ROUTE_TYPE_URL, table, RouteConfiguration.encode(fromProtoJson(RouteConfiguration, message)).finish());
  }

  /** Where the listener's route leads, and the clusters that are there with the ports of their hosts. */
  function shown(): string {
    const snapshot: Snapshot | undefined = compiler.build();
    if (snapshot === undefined) return 'none';
    const [host] = snapshot.gateways[0]?.filterChains[0]?.http?.routes.virtualHosts ?? [];
    const clusters = [...snapshot.clusters.values()].map(({ name, endpoints: hosts }) => `${name}(${hosts.map(({ port }) => port)})`);
    return `to ${host?.routes[0]?.name ?? 'nothing'}; ${clusters.sort().join(' ')}`;
  }

  const awaited = (): string[] => compiler.awaited().map(({ name, fetchTimeoutMs }) => `${name} ${fetchTimeoutMs}`);
  const giveUp = (): void => {
    for (const resource of compiler.awaited()) compiler.giveUp(resource);
  };

  function start(): void {
    cluster('a');
    endpoints('a-hosts');
    listener('table');
    routes('table', 'a');
    expect(shown()).toBe('to a; a(80)');
  }

  it('holds the first snapshot back, by name, for 15 seconds or as it says', () => {
    cluster('a');
    listener('table', { initial_fetch_timeout: '2s' });
    expect([shown(), awaited()]).toEqual(['none', ['table 2000', 'a-hosts 15000']]);
    expect(compiler.missing()).toEqual([`routes table`, `endpoints a-hosts`]);
    giveUp();
    expect([shown(), awaited()]).toEqual(['to nothing; a()', []]);
    routes('table', 'a');
    endpoints('a-hosts');
    expect(shown()).toBe('to a; a(80)');
  });

  it('is not waited for when the source says that it does not exist', () => {
    cluster('a');
    listener('table');
    apply(ENDPOINT_TYPE_URL, 'a-hosts', undefined);
    apply(ROUTE_TYPE_URL, 'table', undefined);
    expect([shown(), awaited()]).toEqual(['to nothing; a()', []]);
  });

  it('keeps a new cluster and the routes of its push back, and nothing else', () => {
    start();
    cluster('b');
    routes('table', 'b');
    endpoints('a-hosts', 81);
    expect([shown(), awaited(), compiler.missing()]).toEqual(['to a; a(81)', ['b-hosts 15000'], []]);
    endpoints('b-hosts', 82);
    expect(shown()).toBe('to b; a(81) b(82)');
  });

  it('leaves a cluster that changes, and a listener, as they were', () => {
    start();
    cluster('a', { eds_cluster_config: { service_name: 'others', eds_config: ADS } });
    listener('other');
    expect(shown()).toBe('to a; a(80)');
    endpoints('others', 90);
    routes('other', 'a');
    expect(shown()).toBe('to a; a(90)');
    listener('third');
    giveUp();
    expect(shown()).toBe('to nothing; a(90)');
  });

  it('is waited for anew when nobody has asked for it meanwhile, whatever was known of it', () => {
    start();
    apply(CLUSTER_TYPE_URL, 'a', undefined);
    compiler.keep(compiler.wanted());
    cluster('a');
    expect([shown(), awaited()]).toEqual(['to a; a(80)', ['a-hosts 15000']]);
    apply(ENDPOINT_TYPE_URL, 'a-hosts', undefined);
    expect([shown(), awaited()]).toEqual(['to a; a()', []]);
    apply(CLUSTER_TYPE_URL, 'a', undefined);
    compiler.keep(compiler.wanted());
    cluster('a');
    expect(awaited()).toEqual(['a-hosts 15000']);
  });

  it('is not made by a removal: what is in use stays until its cluster or listener goes', () => {
    start();
    apply(ENDPOINT_TYPE_URL, 'a-hosts', undefined);
    apply(ROUTE_TYPE_URL, 'table', undefined);
    expect(shown()).toBe('to a; a(80)');
    apply(CLUSTER_TYPE_URL, 'a', undefined);
    apply(ENDPOINT_TYPE_URL, 'a-hosts', undefined);
    cluster('a');
    expect(awaited()).toEqual([]);
    expect(shown()).toBe('to a; a()');
  });

  it('does not make health checks begin again: neither other endpoints nor another connect timeout', () => {
    const checks = [{ timeout: '1s', interval: '5s', healthy_threshold: 1, unhealthy_threshold: 1, tcp_health_check: {} }];
    cluster('a', { health_checks: checks });
    endpoints('a-hosts');
    listener('table');
    routes('table', 'a');
    compiler.build();
    expect(probed).toBe(1);
    cluster('a', { health_checks: checks, connect_timeout: '3s' });
    compiler.build();
    expect(probed).toBe(1);
    cluster('a', { health_checks: [{ ...checks[0], interval: '6s' }] });
    compiler.build();
    expect(probed).toBe(2);
  });
});
