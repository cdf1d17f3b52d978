import type { ConfigSource, ConfigUpdate } from '@ripstop/core';
import { CLUSTER_TYPE_URL, Cluster, fromProtoJson, LISTENER_TYPE_URL, Listener } from '@ripstop/xds-api';

/** A gateway's whole configuration as xDS text. For what no YAML of Istio says. */
export interface StaticConfig {
  /** HttpFilters without the router, as protobuf JSON. */
  readonly filters: readonly object[];
  /** Virtual hosts, as protobuf JSON; clusters are named after upstreams. */
  readonly virtualHosts: readonly object[];
  readonly clusters: Readonly<Record<string, StaticCluster>>;
  /** More fields of the connection manager. */
  readonly manager?: object;
}

export interface StaticCluster {
  /** On 127.0.0.1. */
  readonly ports: readonly number[];
  readonly http2?: boolean;
  /** More fields of the cluster. */
  readonly more?: object;
  /** More fields of its load assignment. */
  readonly assignment?: object;
}

const TYPE = 'type.googleapis.com/';

/** Typed configuration of an extension, by its type name. */
export function typed(type: string, value: object = {}): object {
  return { '@type': TYPE + type, ...value };
}

export function listenerOf({ filters, virtualHosts, manager = {} }: StaticConfig, port: number, name = 'edge'): object {
  return {
    name,
    address: socketAddress(port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: typed('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
              stat_prefix: 'edge',
              http_filters: [
                ...filters,
                { name: 'envoy.filters.http.router', typed_config: typed('envoy.extensions.filters.http.router.v3.Router') },
              ],
              route_config: { name: 'edge', virtual_hosts: virtualHosts, validate_clusters: false },
              // As istiod configures gateways.
              use_remote_address: true,
              normalize_path: true,
              ...manager,
            }),
          },
        ],
      },
    ],
  };
}

export function clustersOf({ clusters }: StaticConfig): object[] {
  return Object.entries(clusters).map(([name, cluster]) => clusterOf(name, cluster));
}

function clusterOf(name: string, { ports, http2 = false, more = {}, assignment = {} }: StaticCluster): object {
  const endpoints = ports.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  const protocol = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }], ...assignment },
    ...(http2
      ? { typed_extension_protocol_options: { [protocol]: typed(protocol, { explicit_http_config: { http2_protocol_options: {} } }) } }
      : {}),
    ...more,
  };
}

export function socketAddress(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

/** Says everything at once, and nothing ever again. What is refused is an error of the test. `name`: of the listener. */
export function staticSource(config: StaticConfig, port: number, name = 'edge'): ConfigSource {
  const listener = Listener.encode(fromProtoJson(Listener, listenerOf(config, port, name))).finish();
  const clusters = clustersOf(config).map((cluster) => Cluster.encode(fromProtoJson(Cluster, cluster)).finish());
  const updates = [update(LISTENER_TYPE_URL, [listener], [name]), update(CLUSTER_TYPE_URL, clusters, Object.keys(config.clusters))];
  return {
    subscribe: (apply) => {
      for (const each of updates) {
        const rejections = apply(each);
        if (rejections.length > 0) throw new Error(rejections.map(({ name, reason }) => `${name}: ${reason}`).join('\n'));
      }
      return { want() {}, close() {} };
    },
  };
}

function update(typeUrl: string, bodies: readonly Uint8Array[], names: readonly string[]): ConfigUpdate {
  return {
    typeUrl,
    version: '1',
    resources: bodies.map((body, at) => ({ name: names[at]!, version: '1', body })),
    removed: [],
    full: true,
  };
}
