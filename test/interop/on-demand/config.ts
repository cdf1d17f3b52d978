import {
  type Any,
  CLUSTER_TYPE_URL,
  Cluster,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  packAny,
  ROUTE_TYPE_URL,
  RouteConfiguration,
  VIRTUAL_HOST_TYPE_URL,
  VirtualHost,
} from '@ripstop/xds-api';
import { clustersOf, listenerOf, typed } from '../../simulation/xds/static-config.ts';
import type { DeltaServer } from '../mesh/delta-server.ts';

const ADS = { ads: {}, resource_api_version: 'V3' };
/** The route configuration. */
export const TABLE = 'table';
/** `x-refused` is refused before a host is asked for. */
const REFUSES = {
  name: 'refuses',
  typed_config: typed('envoy.extensions.filters.http.rbac.v3.RBAC', { rules: denies('x-refused') }),
};
const ON_DEMAND = { name: 'envoy.filters.http.on_demand', typed_config: typed('envoy.extensions.filters.http.on_demand.v3.OnDemand') };

/** A virtual host's own word on `x-refused-here`. */
export const REFUSES_HERE: object = {
  typed_per_filter_config: {
    refuses: typed('envoy.extensions.filters.http.rbac.v3.RBACPerRoute', { rbac: { rules: denies('x-refused-here') } }),
  },
};

function denies(header: string): object {
  const permissions = [{ header: { name: header, present_match: true } }];
  return { action: 'DENY', policies: { marked: { permissions, principals: [{ any: true }] } } };
}

/** A gateway on `port` whose routes come by RDS, and the hosts of these on demand. `static.test` is there from the start. */
export function onDemandConfig(port: number, upstreamPort: number, log: string): Map<string, Map<string, Any>> {
  const virtual_hosts = [
    { name: 'static', domains: ['static.test'], routes: [{ match: { prefix: '/known' }, route: { cluster: 'back' } }] },
  ];
  const log_format = {
    text_format_source: { inline_string: '%REQ(:AUTHORITY)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n' },
  };
  const manager = {
    route_config: undefined,
    rds: { route_config_name: TABLE, config_source: ADS },
    stream_idle_timeout: '1s',
    access_log: [{ name: 'log', typed_config: typed('envoy.extensions.access_loggers.file.v3.FileAccessLog', { path: log, log_format }) }],
  };
  const clusters = { back: { ports: [upstreamPort] } };
  const listener = listenerOf({ filters: [REFUSES, ON_DEMAND], virtualHosts: [], clusters, manager }, port);
  // Without a host to give at first, a server leaves an Envoy's listener waiting.
  const routes = { name: TABLE, virtual_hosts, vhds: { config_source: { ...ADS, initial_fetch_timeout: '0.2s' } } };
  return new Map([
    [LISTENER_TYPE_URL, new Map([['edge', packAny(Listener, fromProtoJson(Listener, listener))]])],
    [
      CLUSTER_TYPE_URL,
      new Map([['back', packAny(Cluster, fromProtoJson(Cluster, clustersOf({ filters: [], virtualHosts: [], clusters })[0]!))]]),
    ],
    [ROUTE_TYPE_URL, new Map([[TABLE, packAny(RouteConfiguration, fromProtoJson(RouteConfiguration, routes))]])],
  ]);
}

/** A virtual host that leads to `back`. */
export function hostOf(name: string, domains: readonly string[], more: object = {}): VirtualHost {
  return fromProtoJson(VirtualHost, { name, domains, routes: [{ name, match: { prefix: '/' }, route: { cluster: 'back' } }], ...more });
}

/** Gives a host from now on, to those who have asked for it at once. */
export function serveHost(server: DeltaServer, host: string, message: VirtualHost): void {
  server.set(VIRTUAL_HOST_TYPE_URL, `${TABLE}/${host}`, packAny(VirtualHost, message));
}

export function withdrawHost(server: DeltaServer, host: string): void {
  server.withdraw(VIRTUAL_HOST_TYPE_URL, `${TABLE}/${host}`);
}
