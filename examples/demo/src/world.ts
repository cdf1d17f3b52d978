import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTokenIssuer } from '@ripstop/control-plane';
import { createMesh, type Mesh } from '@ripstop/node';
import { accepts, fetchHost } from './outside.ts';
import { type DemoProcess, Processes } from './processes.ts';
import type { Report } from './report.ts';
import { TraceReceiver } from './trace-receiver.ts';
import { type Answer, once, until } from './traffic.ts';

/** A service instance of the shop. */
export interface InstanceSpec {
  readonly service: string;
  readonly version: string;
  readonly instance?: string;
  /** Keep a last-known-good configuration (tour step 10). */
  readonly cached?: boolean;
}

/** What the control plane tells of one connected client. */
interface SyncRow {
  readonly id: string;
  readonly synced: boolean;
}

interface Ports {
  readonly xds: number;
  readonly xdsTls: number;
  readonly http: number;
  readonly gateway: number;
}

const here = fileURLToPath(new URL('.', import.meta.url));
const cli = fileURLToPath(import.meta.resolve('@ripstop/cli/main'));

/** Everything that runs, and the ways to poke it. */
export class World {
  readonly report: Report;
  readonly dir: string;
  readonly meshDir: string;
  readonly processes: Processes;
  readonly traces: TraceReceiver = new TraceReceiver();
  readonly instances: Map<string, DemoProcess> = new Map();
  /** In-mesh callers inside this very process: `load` is anybody, `productpage` has productpage's identity. */
  load!: Mesh;
  productpage!: Mesh;
  controlPlane!: DemoProcess;
  gateway!: DemoProcess;
  gatewayAddress = '';
  private readonly ports: Ports;
  private otlpUrl = '';

  private constructor(report: Report, ports: Ports) {
    this.report = report;
    this.ports = ports;
    sweep();
    this.dir = mkdtempSync(join(tmpdir(), `${FOLDER}${process.pid}-`));
    this.meshDir = join(this.dir, 'mesh');
    mkdirSync(this.meshDir);
    mkdirSync(join(this.dir, 'logs'));
    this.processes = new Processes(join(this.dir, 'logs'));
  }

  static async create(report: Report): Promise<World> {
    const taken = new Set<number>();
    const port = (): Promise<number> => freePort(taken);
    return new World(report, { xds: await port(), xdsTls: await port(), http: await port(), gateway: await port() });
  }

  get pageUrl(): string {
    return `http://127.0.0.1:${this.ports.http}/`;
  }

  /** Starts the control plane, then everything else side by side. */
  async start(instances: readonly InstanceSpec[]): Promise<void> {
    this.otlpUrl = await this.traces.listen();
    for (const file of ['services.yaml', 'shop.yaml']) writeFileSync(join(this.meshDir, file), this.yaml(file));
    this.report.progress('control plane');
    await this.startControlPlane();
    this.report.progress(`gateway, ${instances.length} service processes`);
    this.gateway = this.processes.start('gateway', join(here, 'services/gateway.mjs'), [], {
      ...this.environment('istio-ingressgateway', 'v1', '1', 'istio-system', { istio: 'ingressgateway' }),
      // Its Gateway comes with step 1; outside callers know the address from the start.
      DEMO_GATEWAY_PORT: String(this.ports.gateway),
    });
    await Promise.all([this.gateway.ready, ...instances.map((spec) => this.startInstance(spec))]);
    this.gatewayAddress = (await this.gateway.ready).address;
    this.load = await this.caller('load');
    this.productpage = await this.caller('productpage');
  }

  async startControlPlane(): Promise<void> {
    const { xds, xdsTls, http } = this.ports;
    const args = [
      'serve',
      '--source',
      this.meshDir,
      '--state-dir',
      join(this.dir, 'state'),
      '--xds',
      `127.0.0.1:${xds}`,
      '--xds-tls',
      `127.0.0.1:${xdsTls}`,
      '--http',
      `127.0.0.1:${http}`,
    ];
    this.controlPlane = this.processes.start('control-plane', cli, args, {});
    this.controlPlane.ready.catch(() => {});
    const up = await until(async () => (await this.get('/ready')).status === 200, 15_000);
    if (up === undefined) throw new Error(`the control plane did not start:\n${this.controlPlane.output()}`);
  }

  async startInstance({ service, version, instance = '1', cached = false }: InstanceSpec): Promise<DemoProcess> {
    const name = `${service}-${version}-${instance}`;
    const env = this.environment(service, version, instance, 'default', {});
    const cache: Record<string, string> = cached ? { RIPSTOP_CACHE_DIR: join(this.dir, 'cache', name) } : {};
    const child = this.processes.start(name, join(here, `services/${service}.mjs`), [], { ...env, ...cache });
    this.instances.set(name, child);
    await child.ready;
    return child;
  }

  instance(name: string): DemoProcess {
    const found = this.instances.get(name);
    if (found === undefined) throw new Error(`no instance ${name}`);
    return found;
  }

  /** An in-mesh caller inside this process. */
  async caller(service: string): Promise<Mesh> {
    const { xdsTls } = this.ports;
    const mesh = createMesh({
      service,
      version: 'client',
      xds: `grpcs://127.0.0.1:${xdsTls}`,
      token: this.token(service, 'default'),
      rootCertificatePem: this.rootCertificate,
      labels: { app: `${service}-client` },
      admin: '127.0.0.1:0',
    });
    await mesh.ready();
    return mesh;
  }

  /** Saves a file into the mesh folder, prints it, and waits until every client has what it changes. */
  async apply(file: string, yaml: string = this.yaml(file)): Promise<void> {
    this.report.applied(file, yaml);
    this.save(file, yaml);
    await this.settled();
  }

  /** Replaces the file as an editor does: write beside, rename over. */
  save(file: string, yaml: string): void {
    const target = join(this.meshDir, file);
    writeFileSync(`${target}.tmp`, yaml);
    renameSync(`${target}.tmp`, target);
  }

  async remove(...files: readonly string[]): Promise<void> {
    for (const file of files) rmSync(join(this.meshDir, file), { force: true });
    await this.settled();
  }

  yaml(file: string): string {
    // From the sources: the build makes modules only.
    return readFileSync(join(here, '../src/mesh', file), 'utf8');
  }

  /** Waits until the control plane has read the folder and every client has acknowledged. */
  async settled(): Promise<void> {
    const took = await until(async () => {
      const answer = await this.get('/debug/syncz');
      if (answer.status !== 200) return false;
      const rows = JSON.parse(answer.body) as SyncRow[];
      return rows.length > 0 && rows.every((row) => row.synced);
    }, 5000);
    if (took === undefined) this.report.progress('not every client acknowledged within 5 s');
  }

  /** A listener is acknowledged when it is read and its socket opens a moment later; waits for that moment. */
  async gatewayListens(): Promise<void> {
    const took = await until(() => accepts(this.gatewayAddress), 5000);
    if (took === undefined)
      this.report.progress(`the gateway does not listen on ${this.gatewayAddress}:\n${this.gateway.output().slice(-2000)}`);
  }

  /** GET on the control plane's HTTP port. */
  get(path: string): Promise<Answer> {
    return once(() => fetch(`http://127.0.0.1:${this.ports.http}${path}`));
  }

  /** One request through the ingress gateway, from outside the mesh. */
  viaGateway(host: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    return fetchHost(`http://${this.gatewayAddress}${path}`, host, headers);
  }

  /** What a file of the mesh folder holds now. */
  saved(file: string): string {
    return readFileSync(join(this.meshDir, file), 'utf8');
  }

  /** How many requests the handler of an instance has seen. */
  async requestsHandledBy(name: string): Promise<number> {
    return (await this.instance(name).order({ count: true })).requests;
  }

  /** Sum of a metric's series that carry these labels, from one process's /stats/prometheus. */
  async metric(base: string, name: string, labels: Readonly<Record<string, string>>): Promise<number> {
    const { body } = await once(() => fetch(`${base}/stats/prometheus`));
    return sumSeries(body, name, labels);
  }

  /** A new certificate for every workload, this process's callers included; resolves when each has it. */
  async rotateAll(): Promise<void> {
    await Promise.all([
      ...this.rotating().map((child) => child.order({ rotate: true })),
      ...[this.load, this.productpage].map((mesh) => mesh.rotateIdentity()),
    ]);
  }

  rotatingWorkloads(): number {
    return this.rotating().length + 2;
  }

  /** Certificates that the control plane's log says it has issued. */
  rotations(): number {
    return this.controlPlane
      .output()
      .split('\n')
      .filter((line) => /issued .*spiffe:\/\//.test(line)).length;
  }

  private rotating(): readonly DemoProcess[] {
    return [this.gateway, ...this.instances.values()].filter((entry) => !entry.exited());
  }

  async stop(): Promise<void> {
    await Promise.allSettled([this.load?.close({ drainMs: 0 }), this.productpage?.close({ drainMs: 0 })]);
    await this.processes.stopAll();
    this.traces.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  private get rootCertificate(): string {
    return readFileSync(join(this.dir, 'state', 'root-cert.pem'), 'utf8');
  }

  private token(serviceAccount: string, namespace: string): string {
    return createTokenIssuer({ stateDir: join(this.dir, 'state') }).issue({ namespace, serviceAccount, ttlSeconds: 3600 });
  }

  private environment(
    service: string,
    version: string,
    instance: string,
    namespace: string,
    labels: Readonly<Record<string, string>>,
  ): Record<string, string> {
    return {
      RIPSTOP_SERVICE: service,
      RIPSTOP_VERSION: version,
      RIPSTOP_NAMESPACE: namespace,
      RIPSTOP_LABELS: Object.entries(labels)
        .map(([name, value]) => `${name}=${value}`)
        .join(','),
      RIPSTOP_XDS: `grpcs://127.0.0.1:${this.ports.xdsTls}`,
      RIPSTOP_TOKEN: this.token(service, namespace),
      RIPSTOP_ROOT_CERT: join(this.dir, 'state', 'root-cert.pem'),
      RIPSTOP_PORTS: 'auto',
      RIPSTOP_ADMIN: '127.0.0.1:0',
      RIPSTOP_LOG: '1',
      DEMO_INSTANCE: instance,
      DEMO_OTLP: this.otlpUrl,
      // Spans are asked for soon after they are made; the default is 5 s.
      OTEL_BSP_SCHEDULE_DELAY: '300',
    };
  }
}

const FOLDER = 'ripstop-demo-';

/** Removes the folders of demos that were killed before they could. */
function sweep(): void {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(FOLDER))) {
    const owner = Number(name.slice(FOLDER.length).split('-')[0]);
    if (!isRunning(owner)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return Number.isInteger(pid) && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // Somebody else's process is one.
  }
}

/** Adds up the samples of `name` whose label set includes `labels`. */
export function sumSeries(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}{`)) continue;
    if (Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
      sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}

/** Below what systems hand out by themselves (Linux from 32768, others from 49152): nobody else gets it before it is used. */
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_000;

/** A port of the loopback interface that nobody listens on, and that stays free until it is asked for by number. */
async function freePort(taken: Set<number>): Promise<number> {
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - LOWEST_PORT));
    if (taken.has(port)) continue;
    taken.add(port);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
