import { ClusterStates } from '@ripstop/core';
import {
  CLUSTER_TYPE_URL,
  fromProtoJson,
  HTTPFault,
  LISTENER_TYPE_URL,
  Listener,
  ROUTE_TYPE_URL,
  RouteConfiguration,
  typeUrlOf,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { standardFilters } from './registry.ts';
import { SnapshotCompiler } from './snapshot-compiler.ts';

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0.5;
const FILTERS = 'type.googleapis.com/envoy.extensions.filters';

/** A listener whose fault filter has a name of its own, and routes that configure it. */
function scene() {
  const lines: string[] = [];
  const clusterStates = new ClusterStates({ clock, random });
  const compiler = new SnapshotCompiler({
    clock,
    random,
    filters: standardFilters(),
    clusterStates,
    router: true,
    log: (line) => lines.push(line),
  });
  const apply = (typeUrl: string, name: string, body: Uint8Array): void => {
    const update = { typeUrl, version: '1', resources: [{ name, version: '1', body }], removed: [], full: false };
    expect(compiler.apply(update)).toEqual([]);
  };
  compiler.apply({ typeUrl: CLUSTER_TYPE_URL, version: '1', resources: [], removed: [], full: true });
  return {
    compiler,
    lines,
    listener: () => {
      const manager = {
        '@type': `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
        stat_prefix: 'edge',
        rds: { route_config_name: 'table', config_source: { ads: {} } },
        http_filters: [{ name: 'my.fault', typed_config: { '@type': `${FILTERS}.http.fault.v3.HTTPFault` } }],
      };
      const address = { socket_address: { address: '127.0.0.1', port_value: 80 } };
      const message = { name: 'edge', address, filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] };
      apply(LISTENER_TYPE_URL, 'edge', Listener.encode(fromProtoJson(Listener, message)).finish());
    },
    routes: (fault: Uint8Array) => {
      const hosts = [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] }];
      const message = fromProtoJson(RouteConfiguration, { name: 'table', virtual_hosts: hosts });
      message.virtualHosts[0]!.typedPerFilterConfig = { 'my.fault': { typeUrl: typeUrlOf(HTTPFault.$type), value: fault } };
      apply(ROUTE_TYPE_URL, 'table', RouteConfiguration.encode(message).finish());
    },
  };
}

const GOOD = HTTPFault.encode(HTTPFault.fromPartial({})).finish();
/** A field that ends before its length says. */
const BAD = new Uint8Array([10, 99]);

describe('a listener that fails only together with its routes', () => {
  it('is not there when it is new, as if its routes had not come, and the log says why', () => {
    const { compiler, lines, listener, routes } = scene();
    listener();
    routes(BAD);
    expect(compiler.build()?.gateways).toEqual([]);
    compiler.build();
    expect(lines).toEqual(['listener edge: virtual host all, route 0: premature EOF; it is not served until that is mended']);
    routes(GOOD);
    expect(compiler.build()?.gateways).toMatchObject([{ name: 'edge' }]);
  });

  it('stays as it was when it was good before', () => {
    const { compiler, lines, listener, routes } = scene();
    listener();
    routes(GOOD);
    const [before] = compiler.build()!.gateways;
    routes(BAD);
    expect(compiler.build()!.gateways).toEqual([before]);
    expect(lines[0]).toMatch('its last good version stays');
  });
});
