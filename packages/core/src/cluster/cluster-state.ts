import type { Exchange } from '../exchange.ts';
import type { HealthCheckSpec } from '../health/health-check-spec.ts';
import { HealthChecker } from '../health/health-checker.ts';
import type { HealthProbe } from '../health/health-probe.ts';
import { dropOverloadReply, noHealthyUpstreamReply, overflowReply } from '../local-replies.ts';
import type { LocalReply } from '../local-reply.ts';
import type { LoadWeightsSpec } from '../orca/host-load.ts';
import type { OpenLoadStream } from '../orca/load-stream.ts';
import { LoadWatch } from '../orca/load-watch.ts';
import { HostHealth } from '../outlier/host-health.ts';
import { OutlierDetector } from '../outlier/outlier-detector.ts';
import type { Clock, Random } from '../ports.ts';
import { withoutPort } from '../route/route-table.ts';
import type { SourceRef } from '../source-ref.ts';
import {
  type AcquireOptions,
  type Cluster,
  type ClusterKind,
  type ConnectionOptions,
  type Endpoint,
  type HealthStatus,
  type Lease,
  resourcesOf,
  type ServiceRef,
} from './cluster.ts';
import { ClusterLease, type LoadReports } from './cluster-lease.ts';
import type { ClusterSpec, EndpointSpec, LocalitySpec } from './cluster-spec.ts';
import { EndpointState, endpointKey } from './endpoint-state.ts';
import { buildPicker, countHosts, type HostPicker, type Level, type PickerEnv, type TriedPriorities } from './host-picker.ts';
import { namedPort } from './named-port.ts';
import type { PriorityHosts } from './priority-load.ts';
import { ClusterResources, DEFAULT_THRESHOLDS } from './resources.ts';
import type { LocalHosts } from './zone-aware.ts';

export interface ClusterEnv {
  readonly clock: Clock;
  readonly random: Random;
  /** Needed by clusters with active health checks. */
  readonly probe?: HealthProbe | undefined;
  /** Needed by clusters whose hosts report their load by themselves. */
  readonly loadStreams?: OpenLoadStream | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** See PickerEnv. */
  readonly local?: (() => LocalHosts | undefined) | undefined;
  /** Its hosts, or their health, have changed. */
  readonly onHostsChanged?: (() => void) | undefined;
  /** It was new, and the first health checks of its hosts are over. */
  readonly onWarm?: (() => void) | undefined;
}

const ANYWHERE: LocalitySpec = { locality: { region: '', zone: '', subZone: '' }, priority: 0, weight: 1, endpoints: [] };
const OVERRIDE_HOST_STATUS: ReadonlySet<HealthStatus> = new Set(['UNKNOWN', 'HEALTHY', 'DEGRADED']);
/** Hosts that an app dialled through a passthrough cluster; the oldest are forgotten beyond this. */
const MAX_PASSTHROUGH_HOSTS = 1024;

/** A cluster with its run-time state: counters, hosts, ejections. Configuration is replaced, state is kept. */
export class ClusterState implements Cluster {
  readonly name: string;
  readonly resources: ClusterResources;
  readonly highPriority: ClusterResources;
  private spec: ClusterSpec;
  private readonly env: ClusterEnv;
  private readonly pickerEnv: PickerEnv;
  private readonly hosts = new Map<string, EndpointState>();
  private list: readonly EndpointState[] = [];
  private localities: readonly LocalitySpec[] = [];
  private picker: HostPicker | undefined;
  private hostCounts: readonly PriorityHosts[] = [];
  private stale = true;
  private warm = true;
  private detector: OutlierDetector | undefined;
  private checker: HealthChecker | undefined;
  private used = false;
  private loadReports: LoadReports | undefined;
  private loadWatch: LoadWatch | undefined;

  constructor(spec: ClusterSpec, env: ClusterEnv) {
    this.name = spec.name;
    this.spec = spec;
    this.env = env;
    this.resources = new ClusterResources(spec.thresholds);
    this.highPriority = new ClusterResources(spec.highThresholds ?? DEFAULT_THRESHOLDS);
    const { clock, random, local } = env;
    this.pickerEnv = { clock, random, activeRequests: () => this.resources.requests.used + this.highPriority.requests.used, local };
    this.warm = spec.healthCheck === undefined || env.probe === undefined || spec.kind === 'strict_dns' || spec.kind === 'logical_dns';
    this.update(spec);
    // Without hosts there is nothing to wait for.
    if (!this.warm && this.checker?.hasAskedAll === true) this.warm = true;
  }

  get kind(): ClusterKind {
    return this.spec.kind;
  }
  get services(): readonly ServiceRef[] {
    return this.spec.services;
  }
  get subset(): string {
    return this.spec.subset;
  }
  get external(): boolean {
    return this.spec.external;
  }
  get connection(): ConnectionOptions {
    return this.spec.connection;
  }
  get source(): SourceRef | undefined {
    return this.spec.source;
  }
  get endpoints(): readonly Endpoint[] {
    return this.list;
  }

  /** Takes a new configuration; counters, ejections and loads of hosts that stay are kept. */
  update(spec: ClusterSpec): void {
    this.spec = spec;
    this.resources.limit(spec.thresholds);
    this.highPriority.limit(spec.highThresholds ?? DEFAULT_THRESHOLDS);
    if (spec.outlier === undefined) {
      this.detector?.close();
      this.detector = undefined;
      for (const host of this.hosts.values()) host.outlier.ejected = false;
    } else if (this.detector === undefined) {
      this.detector = new OutlierDetector(spec.outlier, this.env, () => this.list.map((host) => host.outlier), {
        onChange: () => this.invalidate(),
      });
    } else this.detector.update(spec.outlier);
    this.watchLoads(spec.balancer.kind === 'load_weighted' ? spec.balancer : undefined);
    this.checkBy(spec.healthCheck);
    if (spec.kind === 'eds' || spec.kind === 'static') this.setHosts(spec.localities);
    this.invalidate();
  }

  /** Replaces the hosts; for DNS clusters the resolver's caller does it. */
  setHosts(localities: readonly LocalitySpec[]): void {
    this.localities = localities;
    const list: EndpointState[] = [];
    const seen = new Set<string>();
    for (const locality of localities) {
      for (const endpoint of locality.endpoints) {
        const key = endpointKey(endpoint);
        if (seen.has(key)) continue;
        seen.add(key);
        list.push(this.host(key, endpoint, locality));
      }
    }
    for (const [key, host] of this.hosts) {
      if (seen.has(key)) continue;
      if (this.stays(host)) {
        list.push(host);
        continue;
      }
      host.present = false;
      this.hosts.delete(key);
    }
    this.list = list;
    this.checker?.update(list);
    this.loadWatch?.update(list);
    this.invalidate();
  }

  close(): void {
    this.detector?.close();
    this.checker?.close();
    this.loadWatch?.close();
    for (const host of this.hosts.values()) host.present = false;
    this.hosts.clear();
    this.list = [];
  }

  /** Hosts by priority, for aggregates. */
  get counts(): readonly PriorityHosts[] {
    this.rebuild();
    return this.hostCounts;
  }

  /** `level`: the priority that an aggregate has chosen. */
  acquire(x: Exchange, options?: AcquireOptions, level?: Level): Lease | LocalReply {
    const drop = this.spec.dropOverloadPercent ?? 0;
    // Asked once per request, not per attempt.
    if (drop > 0 && x.attempt <= 1 && this.env.random() * 100 < drop) return dropOverloadReply(drop);
    const host = this.select(x, options, level);
    if (host === undefined) return noHealthyUpstreamReply();
    const resources = resourcesOf(this, x);
    // Envoy counts a connection of bytes among the requests, and holds it to the limits of connections alone.
    if (x.protocol === 'tcp') this.resources.requests.take();
    else if (!resources.requests.tryTake()) return overflowReply(x.attempt);
    host.activeRequests++;
    this.used = true;
    return new ClusterLease(this, resources, host, this.detector, this.loadReports);
  }

  private select(x: Exchange, options: AcquireOptions | undefined, level: Level | undefined): EndpointState | undefined {
    if (this.spec.kind === 'original_dst') return this.dialled(x, this.spec.dialledPort ?? x.port);
    if (this.spec.kind === 'dynamic_forward_proxy') return this.dialled(x, namedPort(x, this.spec.transport));
    // Retries go where the balancer says.
    if (x.overrideHost !== undefined && x.attempt <= 1) {
      const { key, strict } = x.overrideHost;
      const wanted = this.hosts.get(key);
      if (wanted !== undefined && (this.spec.overrideHostStatus ?? OVERRIDE_HOST_STATUS).has(wanted.status)) return wanted;
      if (strict) return undefined;
    }
    const picker = this.rebuild();
    if (options === undefined) return picker.pick(x, 0, undefined, level);
    const tried = triedPriorities(options);
    const { avoid } = options;
    let host = picker.pick(x, 0, tried, level);
    if (avoid === undefined || avoid.length === 0) return host;
    // Repicks after the first one; the last pick is used anyway (host_selection_retry_max_attempts).
    const most = options.maxSelectionAttempts ?? 1;
    for (let attempt = 1; attempt <= most && host !== undefined && avoid.includes(host); attempt++)
      host = picker.pick(x, attempt, tried, level);
    return host;
  }

  private rebuild(): HostPicker {
    if (this.stale || this.picker === undefined) {
      this.stale = false;
      this.picker = buildPicker(this.spec, this.list, this.pickerEnv);
      this.hostCounts = countHosts(this.list);
    }
    return this.picker;
  }

  /** Passthrough: the host that the app named. For a headless service, the pod of that address. */
  private dialled(x: Exchange, port: number): EndpointState {
    const address = withoutPort(x.request.authority).replace(/^\[|\]$/g, '');
    const spec: EndpointSpec = {
      address,
      port,
      hostname: '',
      weight: 1,
      health: 'UNKNOWN',
      transport: this.spec.transport,
      workload: undefined,
    };
    const key = endpointKey(spec);
    const known = this.hosts.get(key);
    if (known !== undefined) return known;
    if (this.hosts.size >= MAX_PASSTHROUGH_HOSTS) {
      const [oldest, host] = this.hosts.entries().next().value!;
      host.present = false;
      this.hosts.delete(oldest);
    }
    return this.host(key, spec, ANYWHERE);
  }

  private host(key: string, spec: EndpointSpec, locality: LocalitySpec): EndpointState {
    let host = this.hosts.get(key);
    if (host === undefined) {
      host = new EndpointState(spec, new HostHealth(), this.env.clock.now());
      // A host waits for its first check, and a new cluster for those of all its hosts. Names have come by themselves: their first addresses do not wait.
      host.checkFailed = this.checker !== undefined && (this.list.length > 0 || !this.isWarm);
      this.hosts.set(key, host);
    }
    const { balancer } = this.spec;
    host.update(spec, locality, 'useHostname' in balancer && balancer.useHostname === true);
    return host;
  }

  private watchLoads(spec: LoadWeightsSpec | undefined): void {
    const { clock, random, loadStreams: open } = this.env;
    this.loadReports = spec === undefined || spec.outOfBand !== undefined ? undefined : { spec, clock };
    if (this.loadWatch?.spec === spec) return;
    this.loadWatch?.close();
    this.loadWatch = undefined;
    if (spec?.outOfBand === undefined) return;
    if (open === undefined || this.connection.protocol !== 'http2')
      this.env.log?.(`${this.name} is to be asked for its load, which takes HTTP/2 (http2_protocol_options): its hosts count alike`);
    else this.loadWatch = new LoadWatch(spec, this, { clock, random, open });
    this.loadWatch?.update(this.list);
  }

  private checkBy(spec: HealthCheckSpec | undefined): void {
    if (this.checker?.spec === spec) return;
    this.checker?.close();
    this.checker = undefined;
    // Until the first answer to another check a host is what it was.
    for (const host of spec === undefined ? this.hosts.values() : []) {
      host.checkFailed = false;
      host.checkDegraded = false;
    }
    if (spec === undefined) return;
    const { clock, random, probe, log } = this.env;
    if (probe === undefined) {
      log?.(`${this.name} has health checks, and nobody carries them out: its hosts count as EDS says`);
      return;
    }
    this.checker = new HealthChecker(spec, this, {
      clock,
      random,
      probe,
      hasTraffic: () => this.used,
      onChange: (host) => this.onChecked(host),
      onFirst: () => this.onAsked(),
      onPass: (host) => this.detector?.onHealthCheckPassed(host.outlier),
    });
  }

  /** False while a new cluster waits for the first health checks of its hosts; nobody is to be sent to it until then. */
  get isWarm(): boolean {
    return this.warm;
  }

  private onAsked(): void {
    if (this.warm || this.checker?.hasAskedAll !== true) return;
    this.warm = true;
    this.env.onWarm?.();
  }

  private onChecked(host: EndpointState): void {
    // EDS dropped it, and it stayed only as long as its checks passed.
    if (host.leaving && host.checkFailed) this.setHosts(this.localities);
    this.invalidate();
  }

  /** EDS dropped it; its health checks may keep it. */
  private stays(host: EndpointState): boolean {
    host.leaving = this.checker !== undefined && this.spec.dropWhenRemoved !== true && !host.checkFailed && !host.notChecked;
    return host.leaving;
  }

  private invalidate(): void {
    this.stale = true;
    this.env.onHostsChanged?.();
  }

  /** What it knows of other clusters has changed. */
  repick(): void {
    this.stale = true;
  }

  /** The hosts as they are now. */
  get current(): readonly EndpointState[] {
    return this.list;
  }
}

function triedPriorities({ tried, previousPrioritiesFrequency = 0 }: AcquireOptions): TriedPriorities | undefined {
  if (tried === undefined || tried.length === 0 || previousPrioritiesFrequency === 0) return undefined;
  return { tried: tried.map(({ priority }) => priority), frequency: previousPrioritiesFrequency };
}
