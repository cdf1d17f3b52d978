import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigSource, ConfigUpdate } from '@ripstop/core';
import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import { CLUSTER_TYPE_URL, Cluster, fromProtoJson, LISTENER_TYPE_URL, Listener } from '@ripstop/xds-api';
import { Client } from 'undici';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Caller, Pair } from '../../simulation/observation.ts';
import { EnvoyProcess } from '../envoy/envoy-process.ts';

/** An Envoy and our gateway with the same filters in front of the same routes, from one xDS text. For what no YAML of Istio says. */
export interface StaticConfig {
  /** HttpFilters without the router, as protobuf JSON. */
  readonly filters: readonly object[];
  /** Virtual hosts, as protobuf JSON; clusters are named after upstreams. */
  readonly virtualHosts: readonly object[];
  /** Ports on 127.0.0.1 by cluster name. */
  readonly clusters: Readonly<Record<string, { readonly ports: readonly number[]; readonly http2?: boolean }>>;
  /** More fields of the connection manager. */
  readonly manager?: object;
}

const TYPE = 'type.googleapis.com/';
const PORT = 80;

/** Typed configuration of an extension, by its type name. */
export function typed(type: string, value: object = {}): object {
  return { '@type': TYPE + type, ...value };
}

export async function startStaticPair(binary: string, config: StaticConfig, parts: AsyncDisposableStack): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'ripstop-filters-'));
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const clusters = Object.entries(config.clusters).map(([name, cluster]) => clusterOf(name, cluster));
  const envoy = parts.use(
    await EnvoyProcess.start(binary, folder, {
      admin: { address: socket(0) },
      node: { id: 'edge', cluster: 'edge.default' },
      static_resources: { listeners: [listenerOf(config, 0)], clusters },
    }),
  );
  const source = staticSource([
    update(LISTENER_TYPE_URL, [Listener.encode(fromProtoJson(Listener, listenerOf(config, PORT))).finish()], ['edge']),
    update(
      CLUSTER_TYPE_URL,
      clusters.map((cluster) => Cluster.encode(fromProtoJson(Cluster, cluster)).finish()),
      Object.keys(config.clusters),
    ),
  ]);
  const mesh = createMesh(
    { service: 'edge', namespace: 'default', role: 'router', admin: 'off', ports: 'auto' },
    { clock: realClock, random: Math.random, resolveDns: async () => [], configSource: () => source },
  );
  parts.defer(() => mesh.close({ drainMs: 0 }));
  const gateway = createGateway({ mesh, ports: { [PORT]: 0 } });
  parts.use(gateway);
  await gateway.start();
  return { envoy: caller(await envoy.listenerPort('edge')), sdk: caller(gateway.addresses()[0]!.port) };
}

function caller(port: number): Caller {
  return {
    call: (call) => {
      const client = new Client(`http://127.0.0.1:${port}`, { localAddress: '127.0.0.2' });
      return replyOf(client, call).finally(() => client.destroy());
    },
  };
}

const realClock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer: (run: () => void, delayMs: number) => {
    const timer = setTimeout(run, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

function listenerOf({ filters, virtualHosts, manager = {} }: StaticConfig, port: number): object {
  return {
    name: 'edge',
    address: socket(port),
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
              route_config: { name: 'edge', virtual_hosts: virtualHosts },
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

function clusterOf(name: string, { ports, http2 = false }: StaticConfig['clusters'][string]): object {
  const endpoints = ports.map((port) => ({ endpoint: { address: socket(port) } }));
  const protocol = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] },
    ...(http2
      ? { typed_extension_protocol_options: { [protocol]: typed(protocol, { explicit_http_config: { http2_protocol_options: {} } }) } }
      : {}),
  };
}

function socket(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
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

/** Says everything at once, and nothing ever again. What is refused is an error of the test. */
function staticSource(updates: readonly ConfigUpdate[]): ConfigSource {
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
