import { closeSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EnvoyProcess } from '../envoy/envoy-process.ts';
import type { Dump } from '../istiod/istiod-process.ts';
import { until } from '../until.ts';
import { adapted, adaptedListener, type Json, type Surroundings } from './adapt-xds.ts';
import type { Certificates } from './certificates.ts';
import { freshAddress } from './loopback.ts';
import type { Account } from './trial.ts';

/** Ports of istiod's two capturing listeners. */
export const CAPTURE_PORTS: { readonly outbound: number; readonly inbound: number } = { outbound: 15_001, inbound: 15_006 };

/** By then a line of the access log is written. */
const LOGGED_MS = 2000;

export interface AppliedNode {
  /** Where its listeners that bind do so. */
  readonly address: string;
  /** What it did not take; empty when all is in use. */
  readonly refused: string;
}

/** An Envoy that is given istiod's configuration for one node after the other, as files. */
export class EnvoySide implements AsyncDisposable {
  private readonly process: EnvoyProcess;
  private readonly folder: string;
  private readonly certificates: Certificates;
  private readonly told = new Map<string, Account>();
  private generation = 0;
  private logRead = 0;
  private logRest = '';

  static async start(binary: string, folder: string, certificates: Certificates, resolver: number): Promise<EnvoySide> {
    for (const list of ['cds', 'lds']) write(join(folder, `${list}.json`), []);
    const source = (list: string): object => ({ path_config_source: { path: join(folder, `${list}.json`) }, resource_api_version: 'V3' });
    const config = {
      node: { id: 'whole-way', cluster: 'whole-way' },
      admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
      dynamic_resources: { cds_config: source('cds'), lds_config: source('lds') },
      typed_dns_resolver_config: {
        name: 'envoy.network.dns_resolver.cares',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
          resolvers: [{ socket_address: { address: '127.0.0.1', port_value: resolver, protocol: 'UDP' } }],
          dns_resolver_options: { no_default_search_domain: true },
        },
      },
      // As Istio's bootstrap has it.
      layered_runtime: {
        layers: [
          {
            name: 'static',
            static_layer: { 're2.max_program_size.error_level': 32_768, 'envoy.reloadable_features.http_reject_path_with_fragment': false },
          },
        ],
      },
    };
    const flags = ['--file-flush-interval-msec', '5', '--drain-time-s', '1', '--component-log-level', 'misc:error'];
    return new EnvoySide(await EnvoyProcess.start(binary, folder, config, flags), folder, certificates);
  }

  private constructor(process: EnvoyProcess, folder: string, certificates: Certificates) {
    this.process = process;
    this.folder = folder;
    this.certificates = certificates;
  }

  /** Puts a node's resources in the place of the last one's. */
  async apply(dump: Dump, spiffeId: string): Promise<AppliedNode> {
    const folder = join(this.folder, String(++this.generation));
    mkdirSync(folder);
    const address = freshAddress(this.generation);
    const files = new Map<string, string>();
    const surroundings: Surroundings = {
      certificates: this.certificates,
      spiffeId,
      address,
      accessLog: this.accessLog,
      file: (kind, name) => {
        const key = `${kind} ${name}`;
        const known = files.get(key);
        if (known !== undefined) return known;
        const file = join(folder, `${files.size}.json`);
        files.set(key, file);
        const found = dump[kind]?.find((each) => (each.cluster_name ?? each.name) === name);
        write(file, found === undefined ? [] : [typed(kind, adapted(found, surroundings))]);
        return file;
      },
    };
    const clusters = (dump.clusters ?? []).map((cluster) => typed('clusters', adapted(cluster, surroundings)));
    const listeners = (dump.listeners ?? []).map((listener) => typed('listeners', adaptedListener(listener, surroundings)));
    const refused = [
      await this.put('cds', clusters, 'cluster_manager.cds', 'cluster_manager.warming_clusters'),
      await this.put('lds', listeners, 'listener_manager.lds', 'listener_manager.total_listeners_warming'),
    ];
    rmSync(join(this.folder, String(this.generation - 1)), { recursive: true, force: true });
    return { address, refused: refused.join('') };
  }

  /** What the access log says of a request. */
  async account(probe: string): Promise<Account | undefined> {
    return until(
      `the access log tells of ${probe}`,
      () => {
        this.readLog();
        return this.told.get(probe);
      },
      LOGGED_MS,
    );
  }

  forget(): void {
    this.told.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.process[Symbol.asyncDispose]();
  }

  private get accessLog(): string {
    return join(this.folder, 'access.log');
  }

  private async put(list: string, resources: readonly Json[], counters: string, warming: string): Promise<string> {
    const before = await this.stats(counters, warming);
    const warned = this.process.warnings.length;
    write(join(this.folder, `${list}.json`), resources);
    let refused = false;
    await until(`Envoy takes ${list}`, async () => {
      const now = await this.stats(counters, warming);
      refused = now.refused > before.refused;
      return refused || (now.taken > before.taken && now.warming === 0);
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.process.warnings.slice(-2000)}`);
    });
    if (!refused) return '';
    return until('Envoy says why it refuses', () => this.process.warnings.slice(warned), LOGGED_MS).catch(
      () => `${list}, without a reason`,
    );
  }

  private async stats(counters: string, warming: string): Promise<{ taken: number; refused: number; warming: number }> {
    const filter = encodeURIComponent(`^(${counters}.update_(success|rejected|failure)|${warming})$`);
    const { stats } = JSON.parse(await this.process.get(`/stats?format=json&filter=${filter}`)) as Stats;
    const of = (name: string): number => stats.find((stat) => stat.name === name)?.value ?? 0;
    return {
      taken: of(`${counters}.update_success`),
      refused: of(`${counters}.update_rejected`) + of(`${counters}.update_failure`),
      warming: of(warming),
    };
  }

  private readLog(): void {
    let file: number;
    try {
      file = openSync(this.accessLog, 'r');
    } catch {
      return; // Not made before the first listener is.
    }
    const buffer = Buffer.alloc(65_536);
    for (
      let length = readSync(file, buffer, 0, buffer.length, this.logRead);
      length > 0;
      length = readSync(file, buffer, 0, buffer.length, this.logRead)
    ) {
      this.logRead += length;
      this.logRest += buffer.toString('latin1', 0, length);
    }
    closeSync(file);
    const lines = this.logRest.split('\n');
    this.logRest = lines.pop()!;
    for (const line of lines) {
      const [probe, route, cluster, host, flags, details] = line.split('\t') as [string, string, string, string, string, string];
      this.told.set(probe, { route, cluster, host, flags, details });
    }
  }
}

interface Stats {
  readonly stats: readonly { readonly name?: string; readonly value?: number }[];
}

const TYPES = {
  clusters: 'envoy.config.cluster.v3.Cluster',
  endpoints: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listeners: 'envoy.config.listener.v3.Listener',
  routes: 'envoy.config.route.v3.RouteConfiguration',
} as const;

function typed(kind: keyof typeof TYPES, resource: Json): Json {
  return { '@type': `type.googleapis.com/${TYPES[kind]}`, ...resource };
}

/** Envoy takes a file when it is moved to its place. */
function write(file: string, resources: readonly Json[]): void {
  writeFileSync(`${file}.new`, JSON.stringify({ version_info: String(performance.now()), resources }));
  renameSync(`${file}.new`, file);
}
