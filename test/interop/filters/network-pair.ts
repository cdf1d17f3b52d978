import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigSource } from '@ripstop/core';
import { createGateway } from '@ripstop/gateway';
import { createMesh } from '@ripstop/node';
import { CLUSTER_TYPE_URL, Cluster, fromProtoJson, LISTENER_TYPE_URL, Listener, SECRET_TYPE_URL, Secret } from '@ripstop/xds-api';
import { socketAddress, typed } from '../../simulation/xds/static-config.ts';
import { EnvoyProcess } from '../envoy/envoy-process.ts';

export type Side = 'envoy' | 'own';

/** An Envoy and our gateway with the same listeners. */
export interface NetworkPair {
  /** By the listener's name. */
  port(side: Side, listener: string): number;
  /** Lines of its access log. */
  lines(side: Side): string[];
  /** Its counters, as Prometheus reads them. */
  counters(side: Side): Promise<string>;
}

export interface NetworkConfig {
  /** `log`: where they log; `ads`: where secrets come from. */
  listeners(log: string, ads: object): readonly object[];
  readonly clusters: readonly object[];
  readonly secrets?: readonly object[];
  /** By the name of a listener: the port that its address names. */
  readonly ports: Readonly<Record<string, number>>;
}

/** Starts both on loopback addresses. */
export async function startNetworkPair(
  binary: string,
  { listeners, clusters, secrets = [], ports }: NetworkConfig,
  parts: AsyncDisposableStack,
): Promise<NetworkPair> {
  const folder = mkdtempSync(join(tmpdir(), 'ripstop-network-filters-'));
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const logs = { envoy: join(folder, 'envoy.log'), own: join(folder, 'own.log') };
  const free = (listener: object): object => ({ ...listener, address: socketAddress(0) });
  const process = parts.use(
    await EnvoyProcess.start(
      binary,
      folder,
      {
        admin: { address: socketAddress(0) },
        node: { id: 'edge', cluster: 'edge.default' },
        static_resources: { listeners: listeners(logs.envoy, {}).map(free), clusters, secrets },
      },
      ['--file-flush-interval-msec', '5'],
    ),
  );
  const source = sourceOf(listeners(logs.own, { sds_config: { ads: {} } }), clusters, secrets);
  const mesh = createMesh(
    { service: 'edge', namespace: 'default', role: 'router', admin: 'off', ports: 'auto' },
    { clock: realClock, random: Math.random, resolveDns: async () => [], configSource: () => source },
  );
  parts.defer(() => mesh.close({ drainMs: 0 }));
  const gateway = createGateway({ mesh, ports: Object.fromEntries(Object.values(ports).map((port) => [port, 0])) });
  parts.use(gateway);
  await gateway.start();
  const bound: Record<Side, Map<string, number>> = { envoy: new Map(), own: new Map() };
  for (const [name, listenerPort] of Object.entries(ports)) {
    bound.envoy.set(name, await process.listenerPort(name));
    bound.own.set(name, gateway.addresses().find((address) => address.listenerPort === listenerPort)!.port);
  }
  return {
    port: (side, listener) => bound[side].get(listener)!,
    lines: (side) => linesOf(logs[side]),
    counters: async (side) => (side === 'envoy' ? process.get('/stats/prometheus') : mesh.parts.signals.renderPrometheus()),
  };
}

/** Its access log as a part of a filter that logs. */
export function accessLog(path: string, format: string): object[] {
  const log_format = { text_format_source: { inline_string: `${format}\n` } };
  return [{ name: 'log', typed_config: typed('envoy.extensions.access_loggers.file.v3.FileAccessLog', { path, log_format }) }];
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

function sourceOf(listeners: readonly object[], clusters: readonly object[], secrets: readonly object[]): ConfigSource {
  const named = (list: readonly object[]): string[] => list.map((one) => (one as { readonly name: string }).name);
  const updates = [
    { typeUrl: SECRET_TYPE_URL, names: named(secrets), bodies: secrets.map((one) => Secret.encode(fromProtoJson(Secret, one)).finish()) },
    {
      typeUrl: CLUSTER_TYPE_URL,
      names: named(clusters),
      bodies: clusters.map((one) => Cluster.encode(fromProtoJson(Cluster, one)).finish()),
    },
    {
      typeUrl: LISTENER_TYPE_URL,
      names: named(listeners),
      bodies: listeners.map((one) => Listener.encode(fromProtoJson(Listener, one)).finish()),
    },
  ];
  return {
    subscribe: (apply) => {
      for (const { typeUrl, names, bodies } of updates) {
        const resources = bodies.map((body, at) => ({ name: names[at]!, version: '1', body }));
        const rejections = apply({ typeUrl, version: '1', resources, removed: [], full: true });
        if (rejections.length > 0) throw new Error(rejections.map(({ name, reason }) => `${name}: ${reason}`).join('\n'));
      }
      return { want() {}, close() {} };
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
