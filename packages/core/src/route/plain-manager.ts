import type { ForwardAction, HttpConnectionManager } from './route.ts';
import { createRouteTable } from './route-table.ts';

/** A connection manager without routes, with the defaults of Envoy's message: requests pass as they are. */
export const PLAIN_MANAGER: HttpConnectionManager = {
  name: '',
  routes: createRouteTable('', [], false),
  defaultFilters: [],
  normalizePath: false,
  mergeSlashes: false,
  escapedSlashes: 'KEEP_UNCHANGED',
  useRemoteAddress: false,
  xffTrustedHops: 0,
  forwardClientCert: 'SANITIZE',
  clientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: false },
  serverName: 'envoy',
  streamIdleTimeoutMs: 0,
  tracing: undefined,
  accessLogs: [],
  metrics: [],
  keepsTimes: false,
  upgrades: [],
};

/** Goes to one cluster as it is: no time limit, no retries. Bytes kept of its body: 64 KiB. */
export function plainForward(cluster: string): ForwardAction {
  return {
    kind: 'forward',
    chooseCluster: () => cluster,
    clusterNames: [cluster],
    rewrite: () => {},
    timeoutMs: 0,
    idleTimeoutMs: 0,
    maxStreamDurationMs: 0,
    retry: undefined,
    hash: undefined,
    mirrors: [],
    clusterNotFoundStatus: 503,
    autoHostRewrite: false,
    bufferLimitBytes: 64 * 1024,
  };
}
