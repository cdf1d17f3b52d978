import { ClusterStates, type HttpConnectionManager, type Snapshot } from '@ripstop/core';
import {
  CLUSTER_TYPE_URL,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  packAny,
  ROUTE_TYPE_URL,
  RouteConfiguration,
  VIRTUAL_HOST_TYPE_URL,
  VirtualHost,
} from '@ripstop/xds-api';
import { beforeEach, describe, expect, it } from 'vitest';
import { standardFilters } from '../registry.ts';
import { SnapshotCompiler } from '../snapshot-compiler.ts';

const TYPE = 'type.googleapis.com/envoy.extensions.filters';
const ON_DEMAND = { name: 'on_demand', typed_config: { '@type': `${TYPE}.http.on_demand.v3.OnDemand` } };
const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const routes = [{ name: 'all', match: { prefix: '/' }, direct_response: { status: 200 } }];

describe('hosts on demand', () => {
  let compiler: SnapshotCompiler;
  let asked: string[];
  let lines: string[];
  beforeEach(() => {
    asked = [];
    lines = [];
    compiler = new SnapshotCompiler({
      clock,
      random: () => 0,
      filters: standardFilters(),
      clusterStates: new ClusterStates({ clock, random: () => 0, resolveDns: async () => [] }),
      askForHost: (name) => {
        asked.push(name);
        return undefined;
      },
      log: (line) => lines.push(line),
    });
    apply(CLUSTER_TYPE_URL, 'none', undefined);
  });

  function apply(typeUrl: string, name: string, body: Uint8Array | undefined, aliases: readonly string[] = []): readonly string[] {
    const resources = body === undefined ? [] : [{ name, version: '1', body, aliases }];
    const update = { typeUrl, version: '1', resources, removed: body === undefined ? [name] : [], full: false };
    return compiler.apply(update).map(({ reason }) => reason);
  }

  function listen(name: string, http_filters: readonly object[] = [ON_DEMAND], specifier?: object): readonly string[] {
    const manager = {
      '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: 'out',
      ...(specifier ?? { rds: { route_config_name: 'table', config_source: { ads: {} } } }),
      http_filters,
    };
    const address = { socket_address: { address: '0.0.0.0', port_value: 80 } };
    const message = { name, address, filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] };
    return apply(LISTENER_TYPE_URL, name, Listener.encode(fromProtoJson(Listener, message)).finish());
  }

  function route(more: object = {}): readonly string[] {
    const message = { name: 'table', vhds: { config_source: { ads: {} } }, ...more };
    return apply(ROUTE_TYPE_URL, 'table', RouteConfiguration.encode(fromProtoJson(RouteConfiguration, message)).finish());
  }

  function give(resource: string, host: object, aliases: readonly string[] = []): readonly string[] {
    return apply(VIRTUAL_HOST_TYPE_URL, resource, VirtualHost.encode(fromProtoJson(VirtualHost, { routes, ...host })).finish(), aliases);
  }

  function manager(): HttpConnectionManager {
    return (compiler.build() as Snapshot).outbound.forPort(80)!;
  }

  const hostOf = (of: HttpConnectionManager, authority: string): string | undefined => of.routes.virtualHost(authority)?.name;

  it('join those of the table as they come, without another snapshot', () => {
    listen('0.0.0.0_80');
    route({ virtual_hosts: [{ name: 'fixed', domains: ['fixed', '*.wide'], routes }] });
    const made = manager();
    expect(hostOf(made, 'a')).toBeUndefined();
    expect(give('table/a', { name: 'a', domains: ['a'] })).toEqual([]);
    expect(hostOf(made, 'a')).toBe('a');
    expect(hostOf(made, 'fixed')).toBe('fixed');
    give('table/b.wide', { name: 'b', domains: ['b.wide'] });
    expect([hostOf(made, 'b.wide'), hostOf(made, 'c.wide')]).toEqual(['b', 'fixed']);
    apply(VIRTUAL_HOST_TYPE_URL, 'table/a', undefined);
    expect(hostOf(made, 'a')).toBeUndefined();
  });

  it('are compiled once: another one leaves them as they are', () => {
    listen('0.0.0.0_80');
    route();
    const made = manager();
    give('table/a', { name: 'a', domains: ['a'] });
    const before = made.routes.virtualHost('a')!.routes;
    give('table/b', { name: 'b', domains: ['b'] });
    expect(made.routes.virtualHost('a')!.routes).toBe(before);
  });

  it('are asked for by name and host in small letters, where the filter stands', () => {
    listen('0.0.0.0_80');
    route();
    manager().routes.onDemand!.ask('A.example:8080');
    manager().routes.onDemand!.ask('a/b');
    manager().routes.onDemand!.ask('a'.repeat(301));
    expect(asked).toEqual(['table/a.example:8080']);
    listen('0.0.0.0_80', []);
    expect(manager().routes.onDemand).toBeUndefined();
    listen('0.0.0.0_80', [{ ...ON_DEMAND, disabled: true }]);
    expect(manager().routes.onDemand).toBeUndefined();
    give('table/pushed', { name: 'pushed', domains: ['pushed'] });
    expect(hostOf(manager(), 'pushed')).toBe('pushed');
  });

  it('survive a new version of their table, and end with its vhds', () => {
    listen('0.0.0.0_80');
    route();
    give('table/a', { name: 'a', domains: ['a'] });
    route({ virtual_hosts: [{ name: 'fixed', domains: ['fixed'], routes }] });
    expect(hostOf(manager(), 'a')).toBe('a');
    expect(compiler.wanted().hostTables).toEqual(['table']);
    route({ vhds: undefined });
    expect(compiler.wanted().hostTables).toEqual([]);
    expect(hostOf(manager(), 'a')).toBeUndefined();
  });

  it('are one by their own name, as in Envoy: the later one counts', () => {
    listen('0.0.0.0_80');
    route();
    const made = manager();
    give('table/a', { name: 'one', domains: ['a', 'b'] });
    expect(give('table/b', { name: 'one', domains: ['b', 'c'] })).toEqual([]);
    expect(['a', 'b', 'c'].map((name) => hostOf(made, name))).toEqual([undefined, 'one', 'one']);
  });

  it('are refused with a domain that stands already, and in their last good version they stay', () => {
    listen('0.0.0.0_80');
    route({ virtual_hosts: [{ name: 'fixed', domains: ['fixed'], routes }] });
    const made = manager();
    give('table/a', { name: 'a', domains: ['a'] });
    expect(give('table/a', { name: 'a', domains: ['a', 'Fixed'] })).toEqual([
      'virtual host a: the domain Fixed stands already in virtual host fixed',
    ]);
    expect(give('table/b', { name: 'b', domains: ['b', 'a'] })).toEqual(['virtual host b: the domain a stands already in virtual host a']);
    expect(give('table/c', { name: 'c', domains: ['c'], routes: [{ match: { prefix: '/' } }] })[0]).toContain('virtual host c, route 0');
    expect(['a', 'b', 'c'].map((name) => hostOf(made, name))).toEqual(['a', undefined, undefined]);
    expect(route({ virtual_hosts: [{ name: 'new', domains: ['a'], routes }] })).toEqual([
      'virtual host a: the domain a stands already in virtual host new',
    ]);
  });

  it('stay under the names that are left, and are forgotten with the last one', () => {
    listen('0.0.0.0_80');
    route();
    const made = manager();
    give('table/one', { name: 'one', domains: ['a', 'b'] }, ['table/a', 'table/b']);
    expect(compiler.onDemand.lastUse('table/b')).toEqual({ at: 0 });
    compiler.onDemand.forget('table/a');
    expect(hostOf(made, 'a')).toBe('one');
    compiler.onDemand.forget('table/b');
    expect(hostOf(made, 'a')).toBeUndefined();
    expect(compiler.onDemand.lastUse('table/b')).toBeUndefined();
  });

  it('of which the filters of one manager cannot take one leave that one out, and say so', () => {
    const rbac = { name: 'mine', typed_config: { '@type': `${TYPE}.http.rbac.v3.RBAC` } };
    listen('0.0.0.0_80', [rbac, ON_DEMAND]);
    route();
    const made = manager();
    const wrong = { mine: packAny(VirtualHost, VirtualHost.fromPartial({ name: 'no filter' })) };
    const body = VirtualHost.encode({
      ...fromProtoJson(VirtualHost, { name: 'a', domains: ['a'], routes }),
      typedPerFilterConfig: wrong,
    }).finish();
    expect(apply(VIRTUAL_HOST_TYPE_URL, 'table/a', body)).toEqual([]);
    give('table/b', { name: 'b', domains: ['b'] });
    expect(['a', 'b'].map((name) => hostOf(made, name))).toEqual([undefined, 'b']);
    expect(lines.join()).toContain('mine');
  });

  it('reach every listener of a port', () => {
    listen('0.0.0.0_80');
    listen('10.0.0.1_80', [], {
      route_config: { name: 'other.shop.svc.cluster.local:80', virtual_hosts: [{ name: 'o', domains: ['*'], routes }] },
    });
    route();
    const made = manager();
    give('table/a', { name: 'a', domains: ['a'] });
    expect(['a', 'other.shop'].map((name) => hostOf(made, name))).toEqual(['a', 'o']);
    made.routes.onDemand!.ask('b');
    expect(asked).toEqual(['table/b']);
  });

  it('are refused where they come from elsewhere, with clusters on demand, or in a table of the listener', () => {
    const source = { api_config_source: { api_type: 'DELTA_GRPC' } };
    expect(route({ vhds: { config_source: source } })).toEqual([
      'vhds by another source than ADS is not supported: use config_source { ads {} }',
    ]);
    const clusters = { ...ON_DEMAND.typed_config, odcds: { source: { ads: {} } } };
    expect(listen('a', [{ ...ON_DEMAND, typed_config: clusters }])[0]).toContain('odcds is not supported');
    expect(listen('b', [ON_DEMAND], { route_config: { name: 'inline', vhds: { config_source: { ads: {} } } } })[0]).toContain('by RDS');
  });
});
