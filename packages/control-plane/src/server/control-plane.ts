import { join } from 'node:path';
import type { Finding, MeshObject } from '@ripstop/istio-api';
import { AdsService } from '../ads/ads-service.ts';
import { LoadReports } from '../ads/load-reports.ts';
import type { TokenAttestor } from '../ca/attest/attestation.ts';
import { type CertificateAuthority, type CertificateSigner, createCertificateAuthority } from '../ca/certificate-authority.ts';
import { IssuanceLog } from '../ca/issuance-log.ts';
import { createTokenIssuer, type TokenIssuer } from '../ca/token-issuer.ts';
import { asPods, tellWhoRuns } from '../describe/told-workloads.ts';
import type { ControlPlaneEvent } from '../events.ts';
import { Scraper, type ScrapeTarget } from '../graph/scraper.ts';
import { ServiceGraphStore } from '../graph/service-graph.ts';
import { guardedGet } from '../jwks/guarded-get.ts';
import { JwksResolver } from '../jwks/jwks-resolver.ts';
import { jwksSources } from '../jwks/jwks-source.ts';
import { SavedJwks } from '../jwks/saved-jwks.ts';
import { PilotMetrics, type Trigger } from '../metrics/pilot-metrics.ts';
import { PushContext } from '../push/push-context.ts';
import { SavedWorkloads } from '../registry/saved-workloads.ts';
import { WorkloadRegistry } from '../registry/workload-registry.ts';
import { FileSource } from '../source/file-source.ts';
import type { StoreState } from '../source/object-store.ts';
import type { DebugState } from './debug-endpoints.ts';
import type { Explainer } from './explain-endpoint.ts';
import { HttpServer } from './http-server.ts';
import { type LiveState, liveState, type SyncRow } from './live-state.ts';
import { systemScheduler as scheduler } from './system-scheduler.ts';
import { XdsServers } from './xds-servers.ts';

export interface ControlPlaneOptions {
  /** A folder of YAML, read recursively and watched, or one file. */
  readonly source: string;
  /** Directory of the root certificate, its key and the token key; made with mode 0700. Without one they live in memory. */
  readonly stateDir?: string;
  /** Addresses `host:port`; port 0 takes a free one, undefined leaves it out. Defaults: 127.0.0.1 on 15010, 15012, 15014. */
  readonly xds?: string;
  readonly xdsTls?: string;
  readonly http?: string;
  readonly trustDomain?: string;
  /**
   * Clients that say they know xDS's time to live forget what this control plane has not confirmed for so long; three beats in that
   * time confirm it. Default 0: they keep it for ever.
   */
  readonly resourceTtlMs?: number;
  /** Address ranges that a jwksUri may not lead to, beside link-local ones, which it never may: `10.0.0.0/8`. */
  readonly blockedJwksCidrs?: readonly string[];
  /** Who else is believed beside join tokens and certificates of this CA, asked in this order: Kubernetes, OpenID Connect issuers. */
  readonly attestors?: readonly TokenAttestor[];
  /** Signs workload certificates in the place of the own CA. */
  readonly signer?: CertificateSigner;
  /** Answers the questions of the live page: what would become of a request. Without it the page does not ask. */
  readonly explain?: Explainer;
  readonly onEvent?: (event: ControlPlaneEvent) => void;
}

/** Where a running control plane is reached, `host:port` each. */
export interface ControlPlaneAddresses {
  readonly xds: string;
  readonly xdsTls: string;
  readonly http: string;
}

/** Of package.json; `istio_build` shows it. */
const VERSION = '0.1.0';

/** At the end streams are ended over at most so long. */
const DRAIN_MS = 5_000;
/** Registrations that come together (a shop starting) become one push. */
const REGISTRY_QUIET_MS = 10;
/** How long after a change its findings are worked out, when there are clients that wait for the change. */
const REPORT_MS = 200;

/** A running control plane: configuration, registry, ADS, CA and the page. */
export class ControlPlane implements AsyncDisposable {
  readonly ca: CertificateAuthority;
  readonly tokens: TokenIssuer;
  readonly graph: ServiceGraphStore = new ServiceGraphStore();
  private readonly options: ControlPlaneOptions;
  private readonly trustDomain: string;
  private readonly registry: WorkloadRegistry;
  private readonly ads: AdsService;
  private readonly load = new LoadReports();
  private readonly metrics: PilotMetrics;
  /** When what a push is made of changed. */
  private readonly changedAt = new WeakMap<PushContext, number>();
  private readonly servers: XdsServers;
  private readonly tokenKeys: JwksResolver;
  private state: StoreState = { objects: [], findings: [], files: 0, findingsWith: () => [] };
  /** Findings beside who is registered, while neither changes. */
  private live: { readonly state: StoreState; readonly who: string; readonly findings: readonly Finding[] } | undefined;
  /** Behind `state` while keys of a token issuer that it names for the first time are being fetched. */
  private applied: readonly MeshObject[] = this.state.objects;
  private push_: PushContext;
  private source: FileSource | undefined;
  private scraper: Scraper | undefined;
  private http: HttpServer | undefined;
  private quiet: { cancel(): void } | undefined;
  private report: { cancel(): void } | undefined;
  private closed = false;
  /** Undefined without a state directory. */
  private readonly savedWorkloads: SavedWorkloads | undefined;
  private bound: ControlPlaneAddresses = { xds: '', xdsTls: '', http: '' };

  constructor(options: ControlPlaneOptions) {
    this.options = options;
    this.trustDomain = options.trustDomain ?? 'cluster.local';
    const stateDir = options.stateDir === undefined ? {} : { stateDir: options.stateDir };
    this.ca = createCertificateAuthority({ ...stateDir, trustDomain: this.trustDomain, now: Date.now });
    this.tokens = createTokenIssuer(stateDir);
    this.push_ = new PushContext({ objects: [], workloads: [], trustDomain: this.trustDomain });
    this.metrics = new PilotMetrics(VERSION, () => ({ push: this.push_, nodes: this.ads.sessions.map(({ node }) => node) }));
    this.registry = new WorkloadRegistry(scheduler, {
      onRegistered: ({ key, ports }) => {
        this.tell({
          type: 'registered',
          workload: key,
          addresses: ports.map(({ workloadPort, address, port }) => `${workloadPort}→${address}:${port}`),
        });
        this.metrics.workload('add');
        this.workloadsChanged();
      },
      onWithdrawn: ({ key }, reason) => {
        this.tell({ type: 'withdrawn', workload: key, reason });
        this.metrics.workload('delete');
        this.workloadsChanged();
      },
    });
    this.tokenKeys = new JwksResolver({
      get: guardedGet(options.blockedJwksCidrs),
      scheduler,
      now: Date.now,
      onChange: () => this.rebuild('secret'),
      onProblem: (message) => this.tell({ type: 'problem', message }),
      saved: options.stateDir === undefined ? undefined : new SavedJwks(options.stateDir),
    });
    this.savedWorkloads = options.stateDir === undefined ? undefined : new SavedWorkloads(options.stateDir);
    this.ads = new AdsService({
      registry: this.registry,
      scheduler,
      resourceTtlMs: options.resourceTtlMs,
      current: () => this.push_,
      onConnected: ({ id }) => this.tell({ type: 'connected', node: id, reason: '' }),
      onDisconnected: ({ id }, reason) => this.tell({ type: 'disconnected', node: id, reason }),
      onRefused: ({ id }, typeUrl, reason) => {
        this.metrics.refused(typeUrl);
        this.tell({ type: 'refused', node: id, typeUrl, reason });
      },
      onProblem: ({ id }, typeUrl, error) => {
        this.metrics.internalError();
        this.tell({ type: 'problem', message: `${typeUrl} for ${id}: ${reasonOf(error)}` });
      },
      onSent: (typeUrl, bytes, ms) => this.metrics.sent(typeUrl, bytes, ms),
      onPushed: (push) => this.metrics.converged(performance.now() - (this.changedAt.get(push) ?? performance.now())),
    });
    const { attestors = [], signer } = options;
    this.servers = new XdsServers({
      trustDomain: this.trustDomain,
      ca: this.ca,
      tokens: this.tokens,
      attestors,
      signer,
      issuances: options.stateDir === undefined ? undefined : new IssuanceLog(options.stateDir, Date.now),
      ads: this.ads,
      load: this.load,
      tell: (event) => this.tell(event),
      onRoots: () => this.rebuild('secret'),
    });
  }

  /** Reads the configuration and opens the ports. Rejects when the source does not exist or a port is taken. */
  async start(): Promise<ControlPlaneAddresses> {
    const { source, xds = '127.0.0.1:15010', xdsTls = '127.0.0.1:15012', http = '127.0.0.1:15014' } = this.options;
    this.restoreWorkloads();
    this.source = new FileSource({
      path: source,
      ...(this.options.stateDir === undefined ? {} : { stateDir: this.options.stateDir }),
      onChange: (state) => this.configurationChanged(state),
      onProblem: (message) => this.tell({ type: 'problem', message }),
    });
    // Clients that come back must not be told less than they knew.
    await this.tokenKeys.want(jwksSources(this.state.objects));
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
      targets: () => this.scrapeTargets(),
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
    const { state } = this;
    const { instances } = this.registry;
    if (instances.length === 0) return state.findings;
    const who = JSON.stringify(instances.map(({ key, labels, serviceAccount }) => [key, labels, serviceAccount]));
    if (this.live?.state !== state || this.live.who !== who) this.live = { state, who, findings: state.findingsWith(asPods(instances)) };
    return this.live.findings;
  }

  /** What each connected client has: `synced` means that it has taken all that is saved now. */
  syncState(): SyncRow[] {
    this.source?.look();
    const settled = this.source?.pending !== true && this.quiet === undefined && this.applied === this.state.objects;
    return this.ads.sessions.map((session) => ({
      id: session.node.id,
      name: session.node.name,
      namespace: session.node.namespace,
      synced: settled && session.isSynced(this.push_),
      nack: session.status.map(({ nack }) => nack).find((nack) => nack !== '') ?? '',
      types: session.status,
      notes: session.notes,
    }));
  }

  /** What the page shows beside the graph. */
  liveState(): LiveState {
    const nodes = this.ads.sessions.map(({ node }) => node);
    return liveState({ push: this.push_, sync: this.syncState(), nodes, objects: this.objects, findings: this.findings });
  }

  /** What the debug endpoints of the HTTP port look at. */
  debugState(): DebugState {
    const { sessions } = this.ads;
    return {
      push: this.push_,
      objects: this.objects,
      findings: this.findings,
      nodes: sessions.map(({ node }) => node),
      synced: sessions.filter((session) => session.isSynced(this.push_)).length,
      load: this.load.all,
    };
  }

  /** The push in force; its `instances` are pods and registered processes. */
  get push(): PushContext {
    return this.push_;
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
    this.quiet?.cancel();
    this.report?.cancel();
    this.tokenKeys.close();
    await this.servers.close(DRAIN_MS);
    this.ads.close();
    this.registry.close();
    await this.http?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private configurationChanged(state: StoreState): void {
    this.state = state;
    const keys = this.tokenKeys.want(jwksSources(state.objects));
    if (keys === undefined) this.apply(state);
    else void keys.then(() => this.apply(state));
    // What was saved goes to the clients first, and then what there is to say about it is worked out.
    if (this.report === undefined && this.ads.sessions.length === 0) this.reportConfiguration();
    else
      this.report ??= scheduler.setTimer(() => {
        this.report = undefined;
        this.reportConfiguration();
      }, REPORT_MS);
  }

  private reportConfiguration(): void {
    const { state } = this;
    this.metrics.configuration(state);
    this.tell({ type: 'configuration', objects: state.objects.length, files: state.files, findings: state.findings });
  }

  private apply(state: StoreState): void {
    if (this.closed || state !== this.state) return;
    this.applied = state.objects;
    this.rebuild('config');
  }

  private workloadsChanged(): void {
    // Our own end withdraws nobody: the next run finds what was saved.
    if (this.closed) return;
    this.quiet ??= scheduler.setTimer(() => {
      this.quiet = undefined;
      this.rebuild('endpoint');
      this.saveWorkloads();
    }, REGISTRY_QUIET_MS);
  }

  /** Registered workloads and clients that only call: the source's side of the metrics draws the graph. */
  private scrapeTargets(): ScrapeTarget[] {
    const targets = new Map(this.registry.instances.map(({ key, adminAddress }) => [key, adminAddress]));
    for (const { node } of this.ads.sessions) {
      const address = node.metadata.RIPSTOP_ADMIN;
      if (typeof address === 'string') targets.set(`${node.name}.${node.namespace}`, address);
    }
    return [...targets].flatMap(([key, adminAddress]) => (adminAddress === '' ? [] : [{ key, adminAddress }]));
  }

  private restoreWorkloads(): void {
    try {
      this.registry.restore(this.savedWorkloads?.load() ?? []);
    } catch (error) {
      this.tell({ type: 'problem', message: `registrations of the last run are not taken over: ${reasonOf(error)}` });
    }
  }

  private saveWorkloads(): void {
    try {
      this.savedWorkloads?.save(this.registry.saved);
    } catch (error) {
      this.tell({ type: 'problem', message: `registrations are not saved, a restart will forget them: ${reasonOf(error)}` });
    }
  }

  private rebuild(trigger: Trigger): void {
    const started = performance.now();
    try {
      this.push_ = new PushContext(
        {
          objects: this.applied,
          workloads: this.registry.instances,
          trustDomain: this.trustDomain,
          tokenKeys: this.tokenKeys.current,
          trustBundlePem: this.ca.rootCertificatePem,
        },
        this.push_,
      );
    } catch (error) {
      this.tell({ type: 'problem', message: `the configuration cannot be put together (${reasonOf(error)}); the last one stays` });
      return;
    }
    this.changedAt.set(this.push_, started);
    this.metrics.triggered(trigger, performance.now() - started);
    this.ads.update(this.push_);
  }

  private async serveHttp(address: string): Promise<string> {
    this.http = new HttpServer(this, this.options.explain);
    return this.http.listen(address);
  }

  private tell(event: ControlPlaneEvent): void {
    this.options.onEvent?.(event);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Where `ripstop run` finds the root certificate of a control plane. */
export function rootCertificateFile(stateDir: string): string {
  return join(stateDir, 'root-cert.pem');
}

/** A control plane that is not started yet; `start()` opens its ports. */
export function createControlPlane(options: ControlPlaneOptions): ControlPlane {
  return new ControlPlane(options);
}
