import { Cluster, fromProtoJson } from '@ripstop/xds-api';
import type { AppKind } from './scenario.ts';

/** Who is asked by ext_authz. */
export const AUTHZ = 'authz';

/** The name that routes of an app's port have for it. */
export function clusterName(app: AppKind): string {
  return `inbound|${app}||`;
}

/** Where apps and the authorizer listen. */
export function clusterMessages(ports: Readonly<Record<AppKind | typeof AUTHZ, number>>): Cluster[] {
  return [cluster(clusterName('http1'), ports.http1), cluster(clusterName('http2'), ports.http2, true), cluster(AUTHZ, ports[AUTHZ])];
}

const PROTOCOL = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

function cluster(name: string, port: number, http2 = false): Cluster {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  const options = { '@type': `type.googleapis.com/${PROTOCOL}`, explicit_http_config: { http2_protocol_options: {} } };
  return fromProtoJson(Cluster, {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
    ...(http2 ? { typed_extension_protocol_options: { [PROTOCOL]: options } } : {}),
  });
}
