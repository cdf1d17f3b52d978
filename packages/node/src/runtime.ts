import { erase, SnapshotCompiler, standardFilters } from '@ripstop/compile';
import {
  type AppFilter,
  type Clock,
  ClusterStates,
  type ClusterStatesEnv,
  FilterCounters,
  Pipeline,
  type Random,
  SnapshotRef,
  type TelemetrySink,
} from '@ripstop/core';
import { GrpcUpstreamCalls } from '@ripstop/grpc';
import type { Identity } from '@ripstop/identity';
import { jwtAuthn } from '@ripstop/jwt';
import { type AdminServer, createAdminServer, createTelemetry, type Gauge, type Telemetry } from '@ripstop/telemetry';
import { MeshDispatcher } from '@ripstop/undici';
import type { AdsSource } from '@ripstop/xds-client';
import { isFactory, type MeshFilter } from './app-filter.ts';
import { ConfigLoop } from './config-loop.ts';
import { type ConfigOrigin, openConfigSource } from './config-source.ts';
import { Decisions } from './decisions.ts';
import { type MeshEnvironment, systemEnvironment } from './environment.ts';
import { MeshError } from './errors.ts';
import { NodeIdentity } from './node-identity.ts';
import { formatAddress, type Settings } from './settings.ts';
import { showAs } from './shown-as.ts';
import { createWorkloadIdentity } from './workload-identity.ts';

/** The parts of one mesh, wired. Started once, by the first use of the mesh. */
export class Runtime {
  readonly settings: Settings;
  readonly node: NodeIdentity;
  readonly snapshots: SnapshotRef = new SnapshotRef();
  readonly pipeline: Pipeline;
  /** Metrics, access logs and spans. */
  readonly signals: Telemetry;
  /** What drivers tell of requests: the signals, behind the decision records where those are kept. */
  readonly telemetry: TelemetrySink;
  readonly decisions: Decisions | undefined;
  readonly identity: Identity | undefined;
  readonly dispatcher: MeshDispatcher;
  readonly clock: Clock;
  readonly random: Random;
  readonly environment: MeshEnvironment;
  private readonly filters: readonly MeshFilter[];
  private readonly grpcCalls: GrpcUpstreamCalls;
  private readonly counters = new FilterCounters();
  private ads: AdsSource | undefined;
  private loop: ConfigLoop | undefined;
  private clusters: ClusterStates | undefined;
  private admin: AdminServer | undefined;
  private origin: () => ConfigOrigin = () => 'none';
  private closing = false;
  private serving = false;

  constructor(settings: Settings, filters: readonly MeshFilter[] = [], environment: MeshEnvironment = systemEnvironment) {
    const { clock, random } = environment;
    this.environment = environment;
    this.clock = clock;
    this.random = random;
    this.settings = settings;
    showAs(this, () => this.text);
    this.filters = filters;
    this.node = new NodeIdentity(settings);
    const { spiffeId } = this.node;
    this.pipeline = new Pipeline({ clock, random, ownSpiffeId: () => spiffeId });
    this.identity = createWorkloadIdentity(settings, spiffeId, environment);
    this.signals = createTelemetry({
      node: {
        workload: this.node.workloadName,
        namespace: settings.namespace,
        principal: this.node.spiffeId,
        app: settings.labels.app ?? settings.service,
        version: settings.labels.version ?? '',
        canonicalService: settings.labels['service.istio.io/canonical-name'] ?? settings.service,
        canonicalRevision:
          settings.labels['service.istio.io/canonical-revision'] ?? (settings.version === '' ? 'latest' : settings.version),
        cluster: 'Kubernetes',
        meshId: settings.trustDomain,
      },
      clock,
      random,
      gateway: settings.role === 'router',
      log: settings.log,
    });
    this.decisions =
      settings.decisions === undefined
        ? undefined
        : new Decisions(this.signals, settings.decisions, { workload: this.node.workloadName, random });
    this.telemetry = this.decisions ?? this.signals;
    this.dispatcher = new MeshDispatcher({
      snapshots: this.snapshots,
      pipeline: this.pipeline,
      ...(this.identity === undefined ? {} : { identity: this.identity }),
      telemetry: this.telemetry,
      clock,
      random,
      open: environment.openSocket,
      log: settings.log,
    });
    this.grpcCalls = new GrpcUpstreamCalls(this);
    this.signals.addGauges(() => countedByFilters(this.counters));
  }

  /** Starts the admin server and the configuration; resolves when the first is up and the second is asked for. */
  async start(): Promise<void> {
    await this.startAdmin();
    const { clock, random, resolveDns } = this.environment;
    const { source, ads, origin } = await openConfigSource(this);
    this.ads = ads;
    this.origin = origin;
    const { healthProbe: probe, loadStreams } = this.dispatcher;
    this.clusters = new ClusterStates({
      clock,
      random,
      resolveDns,
      probe,
      loadStreams,
      onWarm: () => this.loop?.rebuild(),
      log: this.settings.log,
      localCluster: localClusterOf(this.settings),
    });
    const compiler = new SnapshotCompiler({
      clock,
      random,
      filters: [...standardFilters(this.settings), erase(jwtAuthn), ...this.filters.filter(isFactory)],
      appFilters: this.filters.filter((filter): filter is AppFilter => !isFactory(filter)),
      ownAddress: this.node.address,
      ownSpiffeId: () => this.node.spiffeId,
      ownCluster: `${this.settings.service}.${this.settings.namespace}`,
      counters: this.counters,
      calls: { http: (call) => this.dispatcher.call(call), grpc: (call) => this.grpcCalls.call(call) },
      clusterStates: this.clusters,
      askForHost: (name) => this.loop?.askForHost(name),
      router: this.settings.role === 'router',
      log: this.settings.log,
    });
    this.loop = new ConfigLoop(source, compiler, this.snapshots, clock, {
      onRejections: (rejections) => {
        for (const { name, reason } of rejections) this.settings.log(`refused ${name}: ${reason}; the last good version stays`);
      },
      onFailure: (error) => this.settings.log(`the configuration cannot be put together (${error.message}); the last one stays`),
      ...(this.identity === undefined || !this.settings.xds?.tls ? {} : { onTrustBundle: (pem) => this.trust(this.identity!, pem) }),
    });
  }

  /** Waits for configuration and, when a CA is configured, for the certificate. */
  async ready(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    await this.configured(timeoutMs);
    // With a cached configuration a service may come up while the CA is away; mTLS waits for it by itself.
    if (this.identity === undefined || this.identity.current() !== undefined || this.origin() === 'cache') return;
    await within(this.identity.ready(), Math.max(1, deadline - performance.now()), () => {
      const reason = this.identity?.state().lastError ?? 'no answer';
      return new MeshError('RIPSTOP_NO_CERTIFICATE', `no workload certificate within ${timeoutMs} ms: ${reason}`);
    });
  }

  /** For people: whose mesh this is, and how it is doing. */
  get text(): string {
    const { service, namespace } = this.settings;
    return `Mesh { ${namespace}/${service}, configuration ${this.configOrigin} }`;
  }

  get log(): (line: string) => void {
    return this.settings.log;
  }

  get configOrigin(): ConfigOrigin {
    return this.snapshots.current === undefined ? 'none' : this.origin();
  }

  get adminAddress(): string {
    return this.admin?.address ?? '';
  }

  /** Tells the control plane which ports are served now. */
  register(): void {
    this.serving = true;
    this.ads?.register({ serving: true });
  }

  /** Withdraws this instance from everybody's endpoints. */
  withdraw(reason: string): void {
    if (this.serving) this.ads?.register({ serving: false, reason });
    this.serving = false;
  }

  xdsState(): unknown {
    return this.ads?.state();
  }

  async close(): Promise<void> {
    this.closing = true;
    this.loop?.close();
    this.ads?.close();
    this.identity?.close();
    await this.dispatcher.close();
    this.clusters?.close();
    this.grpcCalls.close();
    await this.admin?.close();
    this.signals.close();
  }

  /** Only over TLS from a server that our roots vouch for: who may change the roots is who signs. */
  private trust(identity: Identity, bundlePem: string): void {
    try {
      identity.trust(bundlePem);
    } catch (error) {
      this.settings.log(`the roots of the mesh stay as they are: ${error instanceof Error ? error.message : error}`);
    }
  }

  private async startAdmin(): Promise<void> {
    const { admin, log } = this.settings;
    if (admin === undefined) return;
    this.admin = await createAdminServer({
      address: admin,
      telemetry: this.signals,
      ...(this.decisions === undefined ? {} : { routes: { '/decisions': (url: URL) => this.decisions!.page(url) } }),
      ready: () => !this.closing && this.snapshots.current !== undefined,
      log,
    });
    this.node.admin = this.adminAddress;
  }

  private configured(timeoutMs: number): Promise<void> {
    if (this.snapshots.current !== undefined) return Promise.resolve();
    const arrived = new Promise<void>((resolve) => {
      const cancel = this.snapshots.onSwap(() => {
        cancel();
        resolve();
      });
    });
    return within(arrived, timeoutMs, () => {
      const missing = this.loop?.missing().slice(0, 5).join(', ') ?? '';
      const from = this.settings.xds === undefined ? this.settings.configDir : formatAddress(this.settings.xds);
      // Why the server does not answer (a wrong token, a refused connection) says more than what is missing.
      const lastError = this.ads?.state().lastError ?? '';
      const reason = lastError !== '' ? `: ${lastError}` : missing === '' ? '' : `; still missing: ${missing}`;
      return new MeshError('RIPSTOP_NOT_READY', `no configuration from ${from} within ${timeoutMs} ms${reason}`);
    });
  }
}

/** Rejects with `error()` when the promise takes longer. */
function within<T>(promise: Promise<T>, timeoutMs: number, error: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    // Kept alive on purpose: who waits for readiness wants an answer, not a silent exit.
    const timer = setTimeout(() => reject(error()), timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function countedByFilters(counters: FilterCounters): Gauge[] {
  const byName = Map.groupBy(counters.all(), ({ name }) => name);
  return [...byName].map(([name, samples]) => ({ name, help: samples[0]!.help, type: 'counter', samples }));
}

function localClusterOf({ localCluster: name, labels }: Settings): ClusterStatesEnv['localCluster'] {
  if (name === undefined) return undefined;
  const place = labels['topology.istio.io/locality'] ?? labels['istio-locality'] ?? '';
  const [region = '', zone = '', subZone = ''] = place.split(place.includes('/') ? '/' : '.');
  return { name, locality: { region, zone, subZone } };
}
