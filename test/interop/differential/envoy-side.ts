import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CLUSTER_TYPE_URL,
  type Cluster,
  Cluster as ClusterCodec,
  DiscoveryResponse,
  LISTENER_TYPE_URL,
  Listener,
  packAny,
} from '@ripstop/xds-api';
import { Client } from 'undici';
import { replyOf } from '../../simulation/calls/reply-of.ts';
import type { Caller } from '../../simulation/observation.ts';
import { EnvoyProcess } from '../envoy/envoy-process.ts';
import { until } from '../until.ts';
import type { ListenerAddress } from './listener.ts';
import type { Account } from './scenario.ts';

/** A scenario as an Envoy's listener. */
export type ListenerOf<S> = (name: string, scenario: S, at: ListenerAddress) => Listener;

/** An Envoy whose listeners are a file, replaced by each `apply`. */
export class EnvoySide<S> implements AsyncDisposable {
  private readonly process: EnvoyProcess;
  private readonly folder: string;
  private readonly listenerOf: ListenerOf<S>;
  private readonly clients = new Map<string, Client>();
  private addresses = new Map<string, string>();
  private applied = 0;

  static async start<S>(binary: string, folder: string, clusters: readonly Cluster[], listenerOf: ListenerOf<S>): Promise<EnvoySide<S>> {
    write(join(folder, 'lds.pb'), LISTENER_TYPE_URL, []);
    const resources = clusters.map((cluster) => packAny(ClusterCodec, cluster));
    write(join(folder, 'cds.pb'), CLUSTER_TYPE_URL, resources);
    const config = {
      node: { id: 'differential', cluster: 'differential' },
      admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
      dynamic_resources: {
        cds_config: { path_config_source: { path: join(folder, 'cds.pb') }, resource_api_version: 'V3' },
        lds_config: { path_config_source: { path: join(folder, 'lds.pb') }, resource_api_version: 'V3' },
      },
      // As Istio's bootstrap has it.
      layered_runtime: {
        layers: [{ name: 'static', static_layer: { 'envoy.reloadable_features.http_reject_path_with_fragment': false } }],
      },
    };
    return new EnvoySide(await EnvoyProcess.start(binary, folder, config, ['--file-flush-interval-msec', '5']), folder, listenerOf);
  }

  private constructor(process: EnvoyProcess, folder: string, listenerOf: ListenerOf<S>) {
    this.process = process;
    this.listenerOf = listenerOf;
    this.folder = folder;
  }

  /** Puts these scenarios in the place of all others; answers why some were refused. */
  async apply(scenarios: ReadonlyMap<string, S>): Promise<Map<string, string>> {
    this.closeClients();
    // Names are new each time: a listener that stays would keep its socket, and its draining predecessor could answer.
    const generation = ++this.applied;
    const accessLog = this.accessLog;
    this.addresses = new Map([...scenarios.keys()].map((name, at) => [name, freshAddress(generation, at)]));
    const resources = [...scenarios].map(([name, scenario]) => {
      const address = this.addresses.get(name)!;
      return packAny(Listener, this.listenerOf(`${generation}/${name}`, scenario, { address, port: ENVOY_PORT, accessLog }));
    });
    write(join(this.folder, 'lds.pb'), LISTENER_TYPE_URL, resources);
    const refused = new Map<string, string>();
    await until('Envoy takes the listeners', async () => {
      const dump = await this.process.configDump();
      const mine = dump.filter(({ kind, name }) => kind === 'listener' && name.startsWith(`${generation}/`));
      for (const { name, state, detail } of mine) if (state === 'error') refused.set(shortName(name), detail);
      return mine.length === scenarios.size && mine.every(({ state }) => state !== 'warming');
    });
    return refused;
  }

  /** Where a scenario's listener stands, at {@link ENVOY_PORT}. */
  addressOf(name: string): string {
    return this.addresses.get(name)!;
  }

  caller(name: string): Caller {
    let client = this.clients.get(name);
    if (client === undefined) {
      client = new Client(`http://${this.addressOf(name)}:${ENVOY_PORT}`);
      this.clients.set(name, client);
    }
    const own = client;
    return { call: (call) => replyOf(own, call) };
  }

  /** What the access log says of each probe. */
  async accounts(probes: number): Promise<Map<string, Account>> {
    return until('the access log is written', () => {
      const accounts = this.told();
      return accounts.size >= probes ? accounts : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closeClients();
    await this.process[Symbol.asyncDispose]();
  }

  /** Those that are there now. */
  told(): Map<string, Account> {
    const accounts = new Map<string, Account>();
    for (const line of readFileSync(this.accessLog, 'utf8').split('\n')) {
      const [probe, route, cluster, flags, details] = line.split('\t');
      if (details !== undefined) accounts.set(probe!, { route: route!, cluster: cluster!, flags: flags!, details });
    }
    return accounts;
  }

  private get accessLog(): string {
    return join(this.folder, `access-${this.applied}.log`);
  }

  private closeClients(): void {
    for (const client of this.clients.values()) void client.destroy();
    this.clients.clear();
  }
}

/**
 * An address of the loopback that no listener had before: Envoy gives a new listener the socket of one that drains when their addresses
 * are the same, port 0 included.
 */
function freshAddress(generation: number, at: number): string {
  return `127.${1 + (generation >> 7)}.${1 + (generation & 127)}.${1 + at}`;
}

/** Of every listener. */
export const ENVOY_PORT: number = 20_000 + (process.pid % 10_000);

function shortName(name: string): string {
  return name.slice(name.indexOf('/') + 1);
}

/** Envoy takes a file when it is moved to its place. */
function write(file: string, typeUrl: string, resources: DiscoveryResponse['resources']): void {
  const versionInfo = String(performance.now());
  writeFileSync(`${file}.new`, DiscoveryResponse.encode(DiscoveryResponse.fromPartial({ typeUrl, versionInfo, resources })).finish());
  renameSync(`${file}.new`, file);
}
