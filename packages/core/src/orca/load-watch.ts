import type { Cluster } from '../cluster/cluster.ts';
import type { EndpointState } from '../cluster/endpoint-state.ts';
import type { Clock, Random, Timer } from '../ports.ts';
import type { LoadWeightsSpec } from './host-load.ts';
import type { LoadReport } from './load-report.ts';
import type { LoadStream, LoadStreamListener, OpenLoadStream, OutOfBandSpec } from './load-stream.ts';

const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 60_000;

export interface LoadWatchEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly open: OpenLoadStream;
}

/** Keeps a stream of load reports open to every host of a cluster. */
export class LoadWatch {
  readonly spec: LoadWeightsSpec;
  private readonly cluster: Cluster;
  private readonly env: LoadWatchEnv;
  private readonly watches = new Map<EndpointState, HostWatch>();

  constructor(spec: LoadWeightsSpec, cluster: Cluster, env: LoadWatchEnv) {
    this.spec = spec;
    this.cluster = cluster;
    this.env = env;
  }

  /** The hosts as they are now. */
  update(hosts: readonly EndpointState[]): void {
    const now = new Set(hosts);
    for (const [host, watch] of this.watches) {
      if (now.has(host)) continue;
      watch.close();
      this.watches.delete(host);
    }
    for (const host of hosts) if (!this.watches.has(host)) this.watches.set(host, new HostWatch(this.spec, host, this.cluster, this.env));
  }

  close(): void {
    this.update([]);
  }
}

class HostWatch implements LoadStreamListener {
  private readonly weights: LoadWeightsSpec;
  private readonly host: EndpointState;
  private readonly cluster: Cluster;
  private readonly env: LoadWatchEnv;
  private stream: LoadStream | undefined;
  private timer: Timer | undefined;
  private backoffMs = FIRST_BACKOFF_MS;

  constructor(weights: LoadWeightsSpec, host: EndpointState, cluster: Cluster, env: LoadWatchEnv) {
    this.weights = weights;
    this.host = host;
    this.cluster = cluster;
    this.env = env;
    this.start();
  }

  close(): void {
    this.stream?.close();
    this.timer?.cancel();
  }

  /** Headers alone prove nothing: only a report ends the back-off. */
  onReport(report: LoadReport): void {
    this.backoffMs = FIRST_BACKOFF_MS;
    this.host.load.report(report, this.weights, this.env.clock.now());
  }

  onEnd(unsupported: boolean): void {
    this.stream = undefined;
    if (unsupported) return;
    const { clock, random } = this.env;
    this.timer = clock.setTimer(() => this.start(), random() * this.backoffMs);
    this.backoffMs = Math.min(2 * this.backoffMs, LONGEST_BACKOFF_MS);
  }

  private start(): void {
    this.timer = undefined;
    this.stream = this.env.open(this.weights.outOfBand as OutOfBandSpec, this.host, this.cluster, this);
  }
}
