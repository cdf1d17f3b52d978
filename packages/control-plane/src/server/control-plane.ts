import { join } from 'node:path';
import type { Finding, MeshObject } from '@ripstop/istio-api';
import { AdsService } from '../ads/ads-service.ts';
import { LoadReports } from '../ads/load-reports.ts';
import { type CertificateAuthority, createCertificateAuthority } from '../ca/certificate-authority.ts';
import { IssuanceLog } from '../ca/issuance-log.ts';
import { MeshTrust } from '../ca/mesh-trust.ts';
import { savedBundles } from '../ca/saved-bundles.ts';
import { bundleUrls, SpiffeBundles } from '../ca/spiffe-bundles.ts';
import { createTokenIssuer, type TokenIssuer } from '../ca/token-issuer.ts';
import { tellWhoRuns } from '../describe/told-workloads.ts';
import type { ControlPlaneEvent } from '../events.ts';
import { Scraper } from '../graph/scraper.ts';
import { ServiceGraphStore } from '../graph/service-graph.ts';
import { guardedGet } from '../jwks/guarded-get.ts';
import { JwksResolver } from '../jwks/jwks-resolver.ts';
import { jwksSources } from '../jwks/jwks-source.ts';
import { savedJwks } from '../jwks/saved-jwks.ts';
import { PilotMetrics } from '../metrics/pilot-metrics.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { PushContext } from '../push/push-context.ts';
import { WorkloadRegistry } from '../registry/workload-registry.ts';
import { FileSource } from '../source/file-source.ts';
import type { StoreState } from '../source/object-store.ts';
import { ConfigurationReport } from './configuration-report.ts';
import type { ControlPlaneAddresses, ControlPlaneOptions } from './control-plane-options.ts';
import { CurrentPush } from './current-push.ts';
import type { DebugState } from './debug-endpoints.ts';
import { HttpServer } from './http-server.ts';
import { KeptRegistrations } from './kept-registrations.ts';
import { LiveFindings } from './live-findings.ts';
import { type LiveState, liveState, type SyncRow } from './live-state.ts';
import { RegistrationQuiet } from './registration-quiet.ts';
import { scrapeTargets } from './scrape-targets.ts';
import { systemScheduler as scheduler } from './system-scheduler.ts';
import { registryEvents, streamEvents } from './told-events.ts';
import { XdsServers } from './xds-servers.ts';

/** Of package.json; `istio_build` shows it. */
const VERSION = '0.1.0';

/** At the end streams are ended over at most so long. */
const DRAIN_MS = 5_000;

/** A running control plane: configuration, registry, ADS, CA and the page. */
export class ControlPlane implements AsyncDisposable {
  readonly ca: CertificateAuthority;
  readonly tokens: TokenIssuer;
  readonly graph: ServiceGraphStore = new ServiceGraphStore();
  private readonly options: ControlPlaneOptions;
  private readonly registry: WorkloadRegistry;
  private readonly ads: AdsService;
  private readonly load = new LoadReports();
  private readonly metrics: PilotMetrics;
  private readonly servers: XdsServers;
  private readonly tokenKeys: JwksResolver;
  private readonly bundles: SpiffeBundles;
  private state: StoreState = { objects: [], findings: [], ofDocuments: [], files: 0, findingsWith: () => [], workOut: () => [].values() };
  private readonly live = new LiveFindings();
  /** Behind `state` while keys of a token issuer that it names for the first time are being fetched. */
  private applied: readonly MeshObject[] = this.state.objects;
  private readonly current: CurrentPush;
  private source: FileSource | undefined;
  private scraper: Scraper | undefined;
  private http: HttpServer | undefined;
  private readonly registrations = new RegistrationQuiet(scheduler, () => {
    this.current.rebuild('endpoint');
    this.kept.save();
  });
  private readonly report = new ConfigurationReport(scheduler, (state) => this.reportConfiguration(state));
  private closed = false;
  private readonly kept: KeptRegistrations;
  private bound: ControlPlaneAddresses = { xds: '', xdsTls: '', http: '' };

  constructor(options: ControlPlaneOptions) {
    this.options = options;
    const { stateDir, trustDomain = 'cluster.local', resourceTtlMs, attestors = [], signer } = options;
    const state = stateDir === undefined ? {} : { stateDir };
    const tell = (event: ControlPlaneEvent): void => options.onEvent?.(event);
    const onProblem = (message: string): void => tell({ type: 'problem', message });
    this.ca = createCertificateAuthority({ ...state, trustDomain, now: Date.now });
    this.tokens = createTokenIssuer(state);
    const trust = new MeshTrust(this.ca, signer);
    this.metrics = new PilotMetrics(VERSION, () => ({ push: this.push, nodes: this.clients, ca: this.ca.ends, nowMs: Date.now() }));
    this.registry = new WorkloadRegistry(
      scheduler,
      registryEvents(tell, this.metrics, () => this.workloadsChanged()),
    );
    this.kept = new KeptRegistrations(stateDir, this.registry, onProblem);
    this.tokenKeys = new JwksResolver({
      get: guardedGet(options.blockedJwksCidrs),
      scheduler,
      now: Date.now,
      onChange: () => this.current.rebuild('secret'),
      onProblem,
      saved: stateDir === undefined ? undefined : savedJwks(stateDir),
    });
    this.bundles = new SpiffeBundles({
      get: guardedGet(),
      scheduler,
      onChange: () => this.current.rebuild('secret'),
      onProblem,
      saved: stateDir === undefined ? undefined : savedBundles(stateDir),
    });
    this.ads = new AdsService({
      registry: this.registry,
      scheduler,
      resourceTtlMs,
      current: () => this.push,
      ...streamEvents(tell, this.metrics),
      onPushed: (push) => this.current.converged(push),
    });
    this.current = new CurrentPush(new PushContext({ objects: [], workloads: [], trustDomain }), {
      input: () => ({
        objects: this.applied,
        workloads: this.registry.instances,
        trustDomain,
        tokenKeys: this.tokenKeys.current,
        trustBundlePem: trust.bundlePem,
        bundles: this.bundles.current,
      }),
      metrics: this.metrics,
      onPush: (push) => this.ads.update(push),
      onProblem,
    });
    this.servers = new XdsServers({
      trustDomain,
      ca: this.ca,
      trust,
      bundle: () => this.push.withMoreRoots(trust.bundlePem),
      tokens: this.tokens,
      attestors,
      signer,
      issuances: stateDir === undefined ? undefined : new IssuanceLog(stateDir, Date.now),
      ads: this.ads,
      load: this.load,
      tell,
      onRoots: () => this.current.rebuild('secret'),
    });
  }

  /** Reads the configuration and opens the ports. Rejects when the source does not exist or a port is taken. */
  async start(): Promise<ControlPlaneAddresses> {
    const { source, xds = '127.0.0.1:15010', xdsTls = '127.0.0.1:15012', http = '127.0.0.1:15014' } = this.options;
    this.kept.restore();
    this.source = new FileSource({
      path: source,
      ...(this.options.stateDir === undefined ? {} : { stateDir: this.options.stateDir }),
      onChange: (state) => this.configurationChanged(state),
      onProblem: (message) => this.tell({ type: 'problem', message }),
    });
    // Clients that come back must not be told less than they knew.
    await this.fetched(this.state.objects);
    try {
      this.bound = {
        xds: xds === '' ? '' : await this.servers.servePlain(xds),
        xdsTls: xdsTls === '' ? '' : await this.servers.serveTls(xdsTls),
        http: http === '' ? '' : await this.serveHttp(http),
      };
    } catch (error) {
      await this.close();
      throw error;
    }
    this.scraper = new Scraper({
      store: this.graph,
      now: Date.now,
      targets: () => scrapeTargets(this.registry.instances, this.clients),
    });
    return this.bound;
  }

  get addresses(): ControlPlaneAddresses {
    return this.bound;
  }

  /** Documents in force. */
  get objects(): readonly MeshObject[] {
    return this.state.objects;
  }

  /** Where the documents say who runs, registered processes run as well. */
  get findings(): readonly Finding[] {
    return tellWhoRuns(this.state.objects) ? this.liveFindings() : this.state.findings;
  }

  /** What istioctl would find in a cluster in which the registered processes are the Pods. */
  liveFindings(): readonly Finding[] {
    return this.live.of(this.state, this.registry.instances);
  }

  /** What each connected client has: `synced` means that it has taken all that is saved now. */
  syncState(): SyncRow[] {
    this.source?.look();
    const settled = this.source?.pending !== true && !this.registrations.pending && this.applied === this.state.objects;
    return this.ads.sessions.map((session) => ({
      id: session.node.id,
      name: session.node.name,
      namespace: session.node.namespace,
      synced: settled && session.isSynced(this.push),
      nack: session.status.map(({ nack }) => nack).find((nack) => nack !== '') ?? '',
      types: session.status,
      notes: session.notes,
    }));
  }

  /** What the page shows beside the graph. */
  liveState(): LiveState {
    return liveState({ push: this.push, sync: this.syncState(), nodes: this.clients, objects: this.objects, findings: this.findings });
  }

  /** What the debug endpoints of the HTTP port look at. */
  debugState(): DebugState {
    const { sessions } = this.ads;
    return {
      push: this.push,
      objects: this.objects,
      findings: this.findings,
      nodes: this.clients,
      synced: sessions.filter((session) => session.isSynced(this.push)).length,
      load: this.load.all,
    };
  }

  /** The push in force; its `instances` are pods and registered processes. */
  get push(): PushContext {
    return this.current.context;
  }

  metricsText(): string {
    return this.metrics.render();
  }

  /** False once it is closing: clients go to another one. */
  get ready(): boolean {
    return !this.closed;
  }

  /** Ends streams one after the other, within five seconds. */
  async close(): Promise<void> {
    this.closed = true;
    this.source?.close();
    this.scraper?.close();
    this.registrations.close();
    this.report.close();
    this.tokenKeys.close();
    this.bundles.close();
    await this.servers.close(DRAIN_MS);
    this.ads.close();
    this.registry.close();
    await this.http?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private get clients(): ProxyNode[] {
    return this.ads.sessions.map(({ node }) => node);
  }

  private configurationChanged(state: StoreState): void {
    this.state = state;
    const fetched = this.fetched(state.objects);
    if (fetched === undefined) this.apply(state);
    else void fetched.then(() => this.apply(state));
    this.report.changed(state, this.ads.sessions.length === 0);
  }

  /** Undefined when everything that documents name elsewhere is here, or was looked for. */
  private fetched(objects: readonly MeshObject[]): Promise<unknown> | undefined {
    const waiting = [this.tokenKeys.want(jwksSources(objects)), this.bundles.want(bundleUrls(objects))].filter((one) => one !== undefined);
    return waiting.length === 0 ? undefined : Promise.all(waiting);
  }

  private reportConfiguration(state: StoreState): void {
    this.metrics.configuration(state);
    this.tell({ type: 'configuration', objects: state.objects.length, files: state.files, findings: state.findings });
  }

  private apply(state: StoreState): void {
    if (this.closed || state !== this.state) return;
    this.applied = state.objects;
    this.current.rebuild('config');
  }

  private workloadsChanged(): void {
    // Our own end withdraws nobody: the next run finds what was saved.
    if (!this.closed) this.registrations.changed();
  }

  private async serveHttp(address: string): Promise<string> {
    this.http = new HttpServer(this, this.options.explain);
    return this.http.listen(address);
  }

  private tell(event: ControlPlaneEvent): void {
    this.options.onEvent?.(event);
  }
}

/** Where `ripstop run` finds the root certificate of a control plane. */
export function rootCertificateFile(stateDir: string): string {
  return join(stateDir, 'root-cert.pem');
}

/** A control plane that is not started yet; `start()` opens its ports. */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  return new ControlPlane(options);
}
