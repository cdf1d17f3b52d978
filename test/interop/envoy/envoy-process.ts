import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../until.ts';

/** Parts of Envoy's `/config_dump` that tests look at. */
export interface DumpedResource {
  readonly kind: 'cluster' | 'listener' | 'route';
  readonly name: string;
  /** `active`: in use. `warming` waits for something, `error` keeps an older version (or none). */
  readonly state: 'active' | 'warming' | 'error';
  readonly detail: string;
}

/** A running Envoy, reached over its admin port. */
export class EnvoyProcess implements AsyncDisposable {
  private readonly child: ChildProcess;
  private readonly adminFile: string;
  private log = '';
  private exit: string | undefined;

  /** Starts it and waits until the admin port answers. */
  static async start(binary: string, folder: string, config: object, flags: readonly string[] = []): Promise<EnvoyProcess> {
    const file = join(folder, 'bootstrap.json');
    writeFileSync(file, JSON.stringify(config));
    const envoy = new EnvoyProcess(binary, file, join(folder, 'admin-address'), flags);
    try {
      await until('the admin port of Envoy', async () => {
        if (envoy.exit !== undefined) throw new Error(`Envoy ended: ${envoy.exit}`);
        return (await envoy.get('/server_info')) !== '';
      });
      return envoy;
    } catch (error) {
      await envoy[Symbol.asyncDispose]();
      throw new Error(`Envoy did not start:\n${envoy.log}`, { cause: error });
    }
  }

  private constructor(binary: string, config: string, adminFile: string, more: readonly string[]) {
    this.adminFile = adminFile;
    const flags = ['--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning', '--admin-address-path', adminFile, ...more];
    this.child = spawn(binary, ['-c', config, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr!.on('data', (text) => {
      this.log = (this.log + text).slice(-20_000);
    });
    this.child.on('error', (error) => {
      this.exit = error.message;
    });
    this.child.on('exit', (code, signal) => {
      this.exit = `exit code ${code ?? signal}`;
    });
    process.once('exit', this.kill);
  }

  /** Warnings and errors that it wrote. */
  get warnings(): string {
    return this.log;
  }

  async get(path: string): Promise<string> {
    const response = await fetch(`http://${readFileSync(this.adminFile, 'utf8').trim()}${path}`, { signal: AbortSignal.timeout(5000) });
    if (response.status !== 200) throw new Error(`Envoy's ${path}: ${response.status} ${await response.text()}`);
    return response.text();
  }

  /** The port that a listener really has. */
  async listenerPort(name: string): Promise<number> {
    return until(`Envoy's listener ${name}`, async () => {
      const { listener_statuses: listeners = [] } = JSON.parse(await this.get('/listeners?format=json')) as ListenerStatuses;
      return listeners.find((listener) => listener.name === name)?.local_address.socket_address.port_value;
    });
  }

  /** Value of a counter or gauge; 0 when it does not exist. */
  async stat(name: string): Promise<number> {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const { stats } = JSON.parse(await this.get(`/stats?format=json&filter=${encodeURIComponent(`^${escaped}$`)}`)) as Stats;
    return stats.find((stat) => stat.name === name)?.value ?? 0;
  }

  /** Every resource that came over xDS. */
  async configDump(): Promise<DumpedResource[]> {
    const { configs } = JSON.parse(await this.get('/config_dump')) as { configs: Dump[] };
    return configs.flatMap(dumped);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.kill);
    if (this.exit !== undefined) return;
    const gone = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.kill();
    await gone;
  }

  private readonly kill = (): void => {
    this.child.kill('SIGKILL');
  };
}

interface ListenerStatuses {
  readonly listener_statuses?: readonly {
    readonly name: string;
    readonly local_address: { readonly socket_address: { readonly port_value: number } };
  }[];
}

interface Stats {
  readonly stats: readonly { readonly name?: string; readonly value?: number }[];
}

interface Held {
  readonly error_state?: { readonly details: string };
  readonly name?: string;
  readonly cluster?: { readonly name: string };
  readonly route_config?: { readonly name: string };
  readonly active_state?: unknown;
  readonly warming_state?: unknown;
  readonly draining_state?: unknown;
}

interface Dump {
  readonly dynamic_active_clusters?: readonly Held[];
  readonly dynamic_warming_clusters?: readonly Held[];
  readonly dynamic_listeners?: readonly Held[];
  readonly dynamic_route_configs?: readonly Held[];
}

function dumped(dump: Dump): DumpedResource[] {
  const cluster = (held: Held, state: 'active' | 'warming'): DumpedResource => entry('cluster', held.cluster?.name, state, held);
  return [
    ...(dump.dynamic_active_clusters ?? []).map((held) => cluster(held, 'active')),
    ...(dump.dynamic_warming_clusters ?? []).map((held) => cluster(held, 'warming')),
    // One that only drains is no longer configured.
    ...(dump.dynamic_listeners ?? [])
      .filter((held) => held.draining_state === undefined || held.active_state !== undefined)
      .map((held) => entry('listener', held.name, held.warming_state === undefined ? 'active' : 'warming', held)),
    ...(dump.dynamic_route_configs ?? []).map((held) => entry('route', held.route_config?.name, 'active', held)),
  ];
}

function entry(kind: DumpedResource['kind'], name = '', state: DumpedResource['state'], { error_state: error }: Held): DumpedResource {
  return error === undefined ? { kind, name, state, detail: '' } : { kind, name, state: 'error', detail: error.details };
}
