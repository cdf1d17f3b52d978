import {
  AccessLog,
  Cors,
  FileAccessLog,
  HTTPFault,
  HttpConnectionManager,
  HttpFilter,
  HttpHeaderMutation,
  HttpRbac,
  Listener,
  LocalRateLimit,
  packAny,
  Router,
} from '@ripstop/xds-api';
import type { Scenario } from './scenario.ts';

export interface ListenerAddress {
  readonly address: string;
  readonly port: number;
  /** File of the access log; absent: none. */
  readonly accessLog?: string;
}

/** Header by which a request is found in the access log. No scenario touches it. */
export const PROBE_HEADER = 'x-probe';
/** Fields of one line, by tab. */
const LOG_FORMAT = `%REQ(${PROBE_HEADER})%\t%ROUTE_NAME%\t%UPSTREAM_CLUSTER_RAW%\t%RESPONSE_FLAGS%\t%RESPONSE_CODE_DETAILS%\n`;

const FILTERS = [
  { name: 'envoy.filters.http.cors', config: packAny(Cors, Cors.fromPartial({})) },
  { name: 'envoy.filters.http.rbac', config: packAny(HttpRbac, HttpRbac.fromPartial({})) },
  { name: 'envoy.filters.http.fault', config: packAny(HTTPFault, HTTPFault.fromPartial({})) },
  { name: 'envoy.filters.http.local_ratelimit', config: packAny(LocalRateLimit, LocalRateLimit.fromPartial({ statPrefix: 'drawn' })) },
  { name: 'envoy.filters.http.header_mutation', config: packAny(HttpHeaderMutation, HttpHeaderMutation.fromPartial({})) },
  { name: 'envoy.filters.http.router', config: packAny(Router, Router.fromPartial({})) },
];

/** A scenario as a listener of the way out. */
export function listenerOf(name: string, { manager, routes }: Scenario, { address, port, accessLog }: ListenerAddress): Listener {
  const { normalizePath = false, ...options } = manager;
  const http = HttpConnectionManager.fromPartial({
    statPrefix: 'differential',
    ...options,
    normalizePath,
    // A name of its own: what filters keep by the names of routes begins anew.
    routeSpecifier: { $case: 'routeConfig', value: { ...routes, name } },
    httpFilters: FILTERS.map(({ name, config }) => HttpFilter.fromPartial({ name, configType: { $case: 'typedConfig', value: config } })),
    accessLog: accessLog === undefined ? [] : [fileLog(accessLog)],
  });
  return Listener.fromPartial({
    name,
    address: { address: { $case: 'socketAddress', value: { address, portSpecifier: { $case: 'portValue', value: port } } } },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: { $case: 'typedConfig', value: packAny(HttpConnectionManager, http) },
          },
        ],
      },
    ],
  });
}

export function fileLog(path: string): AccessLog {
  const config = FileAccessLog.fromPartial({
    path,
    accessLogFormat: {
      $case: 'logFormat',
      value: { format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: LOG_FORMAT } } } },
    },
  });
  return AccessLog.fromPartial({ name: 'file', configType: { $case: 'typedConfig', value: packAny(FileAccessLog, config) } });
}
