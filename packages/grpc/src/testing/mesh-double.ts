import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type AcquireOptions,
  type AttemptOutcome,
  type Clock,
  type Cluster,
  type ClusterSpec,
  ClusterStates,
  type ConnectionOptions,
  DEFAULT_THRESHOLDS,
  type EndpointSpec,
  type Exchange,
  type Filter,
  type FilterChain,
  type ForwardAction,
  type HttpConnectionManager,
  type IdentitySource,
  isLease,
  type Lease,
  type LocalReply,
  type Outcome,
  Pipeline,
  PLAIN_MANAGER,
  plainForward,
  type Random,
  type RetryPolicy,
  type Route,
  type Snapshot,
  SnapshotRef,
  type TelemetrySink,
  type TransportSocket,
} from '@ripstop/core';
import type { GrpcParts } from '../grpc-parts.ts';

/** What became of a lease: its answer, once that came to its end. */
type TestOutcome = AttemptOutcome | { readonly kind: 'response'; readonly status: number; readonly grpcStatus: number | undefined };

/** For tests over real sockets. */
export const realClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(run, delayMs) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

const CONNECTION: ConnectionOptions = {
  connectTimeoutMs: 1_000,
  protocol: 'http2',
  maxRequestsPerConnection: 0,
  idleTimeoutMs: 0,
  maxConnectionDurationMs: 0,
  keepAliveTimeMs: 0,
  maxConcurrentStreams: 0,
};

export function endpointSpec(port: number, transport: TransportSocket = { kind: 'raw' }): EndpointSpec {
  return { address: '127.0.0.1', port, hostname: '', weight: 1, health: 'HEALTHY', transport, workload: undefined };
}

export function clusterSpec(name: string, endpoints: readonly EndpointSpec[], changes: Partial<ClusterSpec> = {}): ClusterSpec {
  return {
    name,
    kind: 'static',
    services: [],
    subset: '',
    external: false,
    connection: CONNECTION,
    thresholds: DEFAULT_THRESHOLDS,
    balancer: { kind: 'round_robin' },
    outlier: undefined,
    panicThreshold: 0,
    localityWeighted: false,
    localities: [{ locality: { region: '', zone: '', subZone: '' }, priority: 0, weight: 1, endpoints }],
    dnsRefreshMs: 0,
    transport: { kind: 'raw' },
    source: undefined,
    ...changes,
  };
}

/** Core's own cluster; remembers what every lease came to and refuses a second release. */
export class WatchedCluster implements Cluster {
  readonly outcomes: TestOutcome[] = [];
  leased = 0;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get name(): string {
    return this.#cluster.name;
  }
  get kind(): Cluster['kind'] {
    return this.#cluster.kind;
  }
  get services(): Cluster['services'] {
    return this.#cluster.services;
  }
  get subset(): string {
    return this.#cluster.subset;
  }
  get external(): boolean {
    return this.#cluster.external;
  }
  get connection(): ConnectionOptions {
    return this.#cluster.connection;
  }
  get resources(): Cluster['resources'] {
    return this.#cluster.resources;
  }
  get highPriority(): Cluster['highPriority'] {
    return this.#cluster.highPriority;
  }
  get source(): Cluster['source'] {
    return this.#cluster.source;
  }
  get endpoints(): Cluster['endpoints'] {
    return this.#cluster.endpoints;
  }

  acquire(x: Exchange, options?: AcquireOptions): Lease | LocalReply {
    const lease = this.#cluster.acquire(x, options);
    if (!isLease(lease)) return lease;
    this.leased++;
    let released = false;
    let answer: TestOutcome | undefined;
    return {
      endpoint: lease.endpoint,
      cluster: lease.cluster,
      resources: lease.resources,
      wantsLoad: lease.wantsLoad,
      reportLoad: (header) => lease.reportLoad(header),
      answered: (status, grpcStatus) => {
        answer = { kind: 'response', status, grpcStatus };
        lease.answered(status, grpcStatus);
      },
      late: () => lease.late(),
      release: (outcome) => {
        if (released) throw new Error('a lease was released twice');
        released = true;
        this.outcomes.push(outcome.kind === 'complete' ? (answer ?? outcome) : outcome);
        lease.release(outcome);
      },
    };
  }
}

export function forwardTo(choose: string | ((x: Exchange) => string), changes: Partial<ForwardAction> = {}): ForwardAction {
  const chooseCluster = typeof choose === 'string' ? () => choose : choose;
  return { ...plainForward(''), chooseCluster, clusterNames: [], ...changes };
}

export function retryOn(tokens: string, changes: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    retryOn: new Set(tokens.split(',')),
    numRetries: 2,
    perTryTimeoutMs: 0,
    perTryIdleTimeoutMs: 0,
    retriableStatusCodes: new Set(),
    backOffBaseMs: 1,
    backOffMaxMs: 10,
    avoidPreviousHosts: true,
    previousPrioritiesFrequency: 0,
    hostSelectionMaxAttempts: 5,
    ...changes,
  };
}

export function routeOf(action: Route['action'], changes: Partial<Route> = {}): Route {
  return { name: '', matches: () => true, action, filters: [], headers: undefined, operation: '', source: undefined, ...changes };
}

export function managerOf(routes: readonly Route[], changes: Partial<HttpConnectionManager> = {}): HttpConnectionManager {
  const host = { name: 'all', domains: ['*'], routes, includeAttemptCount: true, requireTls: false };
  return {
    ...PLAIN_MANAGER,
    name: 'test',
    routes: { name: 'test', virtualHosts: [host], virtualHost: () => host },
    normalizePath: true,
    forwardClientCert: 'APPEND_FORWARD',
    clientCertDetails: { subject: true, cert: false, chain: false, dns: false, uri: true },
    serverName: 'istio-envoy',
    ...changes,
  };
}

/** Filter chain of a workload port whose one route is served by the app behind these filters. */
export function inboundChain(port: number, filters: readonly Filter[], changes: Partial<FilterChain> = {}): FilterChain {
  const action: Route['action'] = { kind: 'inbound', clusterName: `inbound|${port}||`, timeoutMs: 0, maxStreamDurationMs: 0 };
  return {
    name: `${port}`,
    match: { destinationPort: port, serverNames: [], transportProtocol: '', applicationProtocols: [] },
    tls: undefined,
    http: managerOf([routeOf(action, { filters })]),
    tcp: undefined,
    ...changes,
  };
}

/** One finished exchange as telemetry sees it. */
export interface Finished {
  readonly x: Exchange;
  readonly outcome: Outcome;
}

export interface DoubleInit {
  readonly clusters?: readonly ClusterSpec[];
  readonly routes?: readonly Route[];
  readonly inbound?: readonly FilterChain[];
  /** Of calls that go out. */
  readonly manager?: Partial<HttpConnectionManager>;
  readonly identity?: IdentitySource;
  readonly random?: Random;
  readonly clock?: Clock;
  /** False: the mesh waits for its first `push`. */
  readonly configured?: boolean;
}

/** A mesh of one snapshot, with core's own pipeline and clusters. */
export class MeshDouble implements GrpcParts {
  readonly finished: Finished[] = [];
  readonly snapshots: SnapshotRef = new SnapshotRef();
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly random: Random;
  readonly identity: IdentitySource | undefined;
  readonly telemetry: TelemetrySink;
  readonly logged: string[] = [];
  readonly log = (line: string): void => void this.logged.push(line);
  readonly #clusters: ReadonlyMap<string, WatchedCluster>;
  readonly #running = new AsyncLocalStorage<Exchange>();
  #sequence = 0;

  constructor(init: DoubleInit) {
    this.random = init.random ?? Math.random;
    this.clock = init.clock ?? realClock;
    this.identity = init.identity;
    this.pipeline = new Pipeline({ clock: this.clock, random: this.random });
    this.telemetry = {
      onStart() {},
      run: (x, handler) => this.#running.run(x, handler),
      current: () => this.#running.getStore(),
      onEnd: (x, outcome) => this.finished.push({ x, outcome }),
    };
    const states = new ClusterStates({ clock: this.clock, random: this.random }).adopt(init.clusters ?? []);
    this.#clusters = new Map([...states].map(([name, cluster]) => [name, new WatchedCluster(cluster)]));
    if (init.configured !== false) this.push(init);
  }

  cluster(name: string): WatchedCluster {
    return this.#clusters.get(name)!;
  }

  /** Swaps in a snapshot with these routes and chains. */
  push({ routes = [], inbound = [], manager: changes }: Pick<DoubleInit, 'routes' | 'inbound' | 'manager'>): void {
    const manager = managerOf(routes, changes);
    const snapshot: Snapshot = {
      version: String(++this.#sequence),
      sequence: this.#sequence,
      inbound,
      gateways: [],
      clusters: this.#clusters,
      outbound: { forPort: () => manager, catchAll: manager, ports: [] },
    };
    this.snapshots.swap(snapshot);
  }
}
