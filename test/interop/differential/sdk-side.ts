import { type ConfigSource, type ConfigUpdate, type Exchange, formatResponseFlags, type Rejection } from '@ripstop/core';
import { createGateway, type Gateway } from '@ripstop/gateway';
import { createMesh, type Mesh, systemEnvironment } from '@ripstop/node';
import { CLUSTER_TYPE_URL, type Cluster, Cluster as ClusterCodec, LISTENER_TYPE_URL, Listener } from '@ripstop/xds-api';
import { Client } from 'undici';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Caller } from '../../simulation/observation.ts';
import { until } from '../until.ts';
import { listenerOf, PROBE_HEADER } from './listener.ts';
import type { Account, Scenario } from './scenario.ts';

const FIRST_PORT = 10_000;
/** At once. */
const MOST_SCENARIOS = 100;

/** Where the listeners stand: on the way out of an app, or as a gateway's. */
export type Place = 'sidecar' | 'gateway';

/** The SDK with the same listeners, each at a port of its own. */
export class SdkSide implements AsyncDisposable {
  private readonly source: Scenarios;
  private readonly gateway: Gateway | undefined;
  private readonly clients = new Map<string, Client>();
  private readonly mesh: Mesh;
  private readonly told = new Map<string, Account>();

  static async start(clusters: readonly Cluster[], place: Place): Promise<SdkSide> {
    const side = new SdkSide(clusters, place);
    await side.mesh.ready();
    await side.gateway?.start();
    return side;
  }

  private constructor(clusters: readonly Cluster[], place: Place) {
    this.source = new Scenarios(clusters);
    const role = place === 'gateway' ? 'router' : 'sidecar';
    const options = { service: 'differential', role, admin: 'off', log: () => {} } as const;
    this.mesh = createMesh(options, { ...systemEnvironment, configSource: () => this.source });
    if (place === 'gateway') this.gateway = createGateway({ mesh: this.mesh, ports: ANY_PORT });
    const sink = this.mesh.parts.telemetry;
    const end = sink.onEnd.bind(sink);
    sink.onEnd = (x, outcome) => {
      this.told.set(x.request.header(PROBE_HEADER) ?? '', accountOf(x));
      end(x, outcome);
    };
  }

  async apply(scenarios: ReadonlyMap<string, Scenario>): Promise<Map<string, string>> {
    this.told.clear();
    const refused = this.source.apply(scenarios);
    // The snapshot is built at the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    for (const client of this.clients.values()) void client.destroy();
    this.clients.clear();
    const ports = [...scenarios.keys()].filter((name) => !refused.has(name)).map((name) => this.source.port(name));
    if (this.gateway !== undefined) await until('our gateway listens', () => ports.every((port) => this.socketOf(port) !== undefined));
    return refused;
  }

  caller(name: string): Caller {
    const port = this.source.port(name);
    if (this.gateway !== undefined) {
      const client = this.clients.get(name) ?? new Client(`http://127.0.0.1:${this.socketOf(port)}`);
      this.clients.set(name, client);
      return { call: (call) => replyOf(client, call) };
    }
    return { call: (call) => replyOf(this.mesh.dispatcher, { ...call, url: call.url.replace('//probe/', `//probe:${port}/`) }) };
  }

  accounts(): ReadonlyMap<string, Account> {
    return this.told;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients.values()) void client.destroy();
    await this.gateway?.close({ drainMs: 0 });
    await this.mesh.close({ drainMs: 0 });
  }

  private socketOf(listenerPort: number): number | undefined {
    return this.gateway?.addresses().find((address) => address.listenerPort === listenerPort)?.port;
  }
}

/** Any free one for each. */
const ANY_PORT = Object.fromEntries(Array.from({ length: MOST_SCENARIOS }, (_none, at) => [FIRST_PORT + at, 0]));

function accountOf({ route, cluster, flags, details }: Exchange): Account {
  const orNone = (text: string | undefined): string => (text === undefined || text === '' ? '-' : text);
  return {
    route: orNone(route?.name),
    cluster: orNone(cluster?.name),
    flags: formatResponseFlags(flags),
    details: (details === '' ? 'via_upstream' : details).replaceAll(' ', '_'),
  };
}

class Scenarios implements ConfigSource {
  private readonly clusters: readonly Cluster[];
  private tell: (update: ConfigUpdate) => readonly Rejection[] = () => [];
  private ports = new Map<string, number>();
  private version = 0;

  constructor(clusters: readonly Cluster[]) {
    this.clusters = clusters;
  }

  subscribe(tell: (update: ConfigUpdate) => readonly Rejection[]): { want(): void; close(): void } {
    this.tell = tell;
    const resources = this.clusters.map((cluster) => ({ name: cluster.name, version: '1', body: ClusterCodec.encode(cluster).finish() }));
    setImmediate(() => {
      const rejections = tell({ typeUrl: CLUSTER_TYPE_URL, version: '1', resources, removed: [], full: true });
      if (rejections.length > 0) throw new Error(JSON.stringify(rejections));
      this.apply(new Map());
    });
    return { want: () => {}, close: () => {} };
  }

  port(name: string): number {
    return this.ports.get(name)!;
  }

  apply(scenarios: ReadonlyMap<string, Scenario>): Map<string, string> {
    const version = String(++this.version);
    this.ports = new Map([...scenarios.keys()].map((name, at) => [name, FIRST_PORT + at]));
    const resources = [...scenarios].map(([name, scenario]) => {
      // A new name each time: of a listener that is refused the last good version would stay.
      const listener = listenerOf(`${version}/${name}`, scenario, { address: '0.0.0.0', port: this.port(name) });
      return { name: listener.name, version, body: Listener.encode(listener).finish() };
    });
    const rejections = this.tell({ typeUrl: LISTENER_TYPE_URL, version, resources, removed: [], full: true });
    return new Map(rejections.map(({ name, reason }) => [name.slice(name.indexOf('/') + 1), reason]));
  }
}
