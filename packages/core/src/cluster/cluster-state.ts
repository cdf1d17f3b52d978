import type { Exchange } from '../exchange.ts';
import type { HealthCheckSpec } from '../health/health-check-spec.ts';
import { HealthChecker } from '../health/health-checker.ts';
import type { HealthProbe } from '../health/health-probe.ts';
import { dropOverloadReply, noHealthyUpstreamReply, overflowReply } from '../local-replies.ts';
import type { LocalReply } from '../local-reply.ts';
import type { LoadWeightsSpec } from '../orca/host-load.ts';
import type { OpenLoadStream } from '../orca/load-stream.ts';
import { LoadWatch } from '../orca/load-watch.ts';
import { OutlierDetector } from '../outlier/outlier-detector.ts';
import type { Clock, Random } from '../ports.ts';
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
import { ClusterHosts, type HostRules } from './cluster-hosts.ts';
import { ClusterLease, type LoadReports } from './cluster-lease.ts';
import type { ClusterSpec, LocalitySpec } from './cluster-spec.ts';
import { dialledEndpoint } from './dialled-endpoint.ts';
import type { EndpointState } from './endpoint-state.ts';
import { buildPicker, countHosts, type HostPicker, type Level, type PickerEnv } from './host-picker.ts';
import { selectHost } from './host-selection.ts';
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

const OVERRIDE_HOST_STATUS: ReadonlySet<HealthStatus> = new Set(['UNKNOWN', 'HEALTHY', 'DEGRADED']);

/** A cluster with its run-time state: counters, hosts, ejections. Configuration is replaced, state is kept. */
export class ClusterState implements Cluster, HostRules {
  readonly name: string;
  readonly resources: ClusterResources;
  readonly highPriority: ClusterResources;
  private spec: ClusterSpec;
  private readonly env: ClusterEnv;
  private readonly pickerEnv: PickerEnv;
  private readonly hosts: ClusterHosts;
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
    this.hosts = new ClusterHosts(clock, this);
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
    return this.hosts.list;
  }

  /** Takes a new configuration; counters, ejections and loads of hosts that stay are kept. */
  update(spec: ClusterSpec): void {
    this.spec = spec;
    this.resources.limit(spec.thresholds);
    this.highPriority.limit(spec.highThresholds ?? DEFAULT_THRESHOLDS);
    if (spec.outlier === undefined) {
      this.detector?.close();
      this.detector = undefined;
      for (const host of this.hosts.all()) host.outlier.ejected = false;
    } else if (this.detector === undefined) {
      this.detector = new OutlierDetector(spec.outlier, this.env, () => this.hosts.list.map((host) => host.outlier), {
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
    this.hosts.replace(localities);
    const { list } = this.hosts;
    this.checker?.update(list);
    this.loadWatch?.update(list);
    this.invalidate();
  }

  close(): void {
    this.detector?.close();
    this.checker?.close();
    this.loadWatch?.close();
    this.hosts.close();
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
    const { kind } = this.spec;
    if (kind === 'original_dst' || kind === 'dynamic_forward_proxy') {
      const dialled = dialledEndpoint(x, this.spec);
      return dialled && this.hosts.dialled(dialled);
    }
    // Retries go where the balancer says.
    if (x.overrideHost !== undefined && x.attempt <= 1) {
      const { key, strict } = x.overrideHost;
      const wanted = this.hosts.get(key);
      if (wanted !== undefined && (this.spec.overrideHostStatus ?? OVERRIDE_HOST_STATUS).has(wanted.status)) return wanted;
      if (strict) return undefined;
    }
    return selectHost(this.rebuild(), x, options, level);
  }

  private rebuild(): HostPicker {
    if (this.stale || this.picker === undefined) {
      this.stale = false;
      this.picker = buildPicker(this.spec, this.hosts.list, this.pickerEnv);
      this.hostCounts = countHosts(this.hosts.list);
    }
    return this.picker;
  }

  get hashesByHostname(): boolean {
    const { balancer } = this.spec;
    return 'useHostname' in balancer && balancer.useHostname === true;
  }

  /** One that joins others waits, and a new cluster for all its hosts. Names have come by themselves: their first addresses do not wait. */
  waitsForCheck(): boolean {
    return this.checker !== undefined && (this.hosts.list.length > 0 || !this.isWarm);
  }

  keepsDropped(host: EndpointState): boolean {
    return this.checker !== undefined && this.spec.dropWhenRemoved !== true && !host.checkFailed && !host.notChecked;
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
    this.loadWatch?.update(this.hosts.list);
  }

  private checkBy(spec: HealthCheckSpec | undefined): void {
    if (this.checker?.spec === spec) return;
    this.checker?.close();
    this.checker = undefined;
    // Until the first answer to another check a host is what it was.
    for (const host of spec === undefined ? this.hosts.all() : []) {
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
    if (host.leaving && host.checkFailed) this.setHosts(this.hosts.localities);
    this.invalidate();
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
    return this.hosts.list;
  }
}
