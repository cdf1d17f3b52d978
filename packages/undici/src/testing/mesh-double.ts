import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type AcquireOptions,
  type AttemptOutcome,
  type Clock,
  type Cluster,
  type Endpoint,
  Exchange,
  type Filter,
  type ForwardAction,
  type HttpConnectionManager,
  type IdentitySource,
  type Lease,
  type LocalReply,
  localReply,
  NO_PEER,
  type Outcome,
  Pipeline,
  PLAIN_MANAGER,
  plainForward,
  type RequestHead,
  type ResourceCounter,
  type Resources,
  ResponseFlag,
  type RetryPolicy,
  type Route,
  type Snapshot,
  SnapshotRef,
  type TelemetrySink,
  type TransportSocket,
} from '@ripstop/core';
import { MeshDispatcher, type MeshDispatcherOptions } from '../mesh-dispatcher.ts';
import { OutboundHead } from '../outbound-head.ts';

/** What became of a lease: its answer, once that came to its end. */
type TestOutcome = AttemptOutcome | { readonly kind: 'response'; readonly status: number; readonly grpcStatus: number | undefined };

/** A clock for tests over real sockets. */
export const realClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(run, delayMs) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

export class Counter implements ResourceCounter {
  readonly limit: number;
  used = 0;
  peak = 0;
  constructor(limit: number) {
    this.limit = limit;
  }
  tryTake(): boolean {
    if (this.used >= this.limit) return false;
    this.used++;
    this.peak = Math.max(this.peak, this.used);
    return true;
  }
  give(): void {
    this.used--;
  }
}

export interface TestEndpoint extends Endpoint {
  activeRequests: number;
  present: boolean;
  transport: TransportSocket;
}

export function testEndpoint(port: number, transport: TransportSocket = { kind: 'raw' }, address = '127.0.0.1'): TestEndpoint {
  return {
    key: `${address}:${port}`,
    address,
    port,
    hostname: '',
    locality: { region: '', zone: '', subZone: '' },
    priority: 0,
    weight: 1,
    health: 'HEALTHY',
    transport,
    workload: undefined,
    activeRequests: 0,
    present: true,
    ejected: false,
  };
}

/** Round robin over its endpoints; remembers what every attempt came to. */
export class TestCluster implements Cluster {
  readonly name: string;
  readonly kind = 'static' as const;
  readonly services: Cluster['services'] = [];
  readonly subset: string = '';
  readonly external: boolean = false;
  readonly source: undefined = undefined;
  readonly endpoints: TestEndpoint[];
  connection: Cluster['connection'] = {
    connectTimeoutMs: 1_000,
    protocol: 'http1',
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 0,
    maxConnectionDurationMs: 0,
    keepAliveTimeMs: 0,
    maxConcurrentStreams: 0,
  };
  resources: { connections: Counter; pending: Counter; requests: Counter; retries: Counter } = {
    connections: new Counter(1_000),
    pending: new Counter(1_000),
    requests: new Counter(1_000),
    retries: new Counter(3),
  };
  readonly highPriority: Resources = this.resources;
  readonly outcomes: TestOutcome[] = [];
  /** Attempts that went on after their per-try timeout. */
  lateCount = 0;
  #next = 0;

  constructor(name: string, endpoints: TestEndpoint[]) {
    this.name = name;
    this.endpoints = endpoints;
  }

  acquire(_x: Exchange, options?: AcquireOptions): Lease | LocalReply {
    if (this.endpoints.length === 0) {
      return localReply({
        status: 503,
        flags: ResponseFlag.NoHealthyUpstream,
        details: 'no_healthy_upstream',
        body: 'no healthy upstream',
      });
    }
    let endpoint = this.endpoints[this.#next++ % this.endpoints.length]!;
    for (let n = 0; n < this.endpoints.length && options?.avoid?.includes(endpoint); n++)
      endpoint = this.endpoints[this.#next++ % this.endpoints.length]!;
    endpoint.activeRequests++;
    let released = false;
    let answer: TestOutcome | undefined;
    return {
      endpoint,
      cluster: this,
      resources: this.resources,
      wantsLoad: false,
      reportLoad: () => {},
      answered: (status, grpcStatus) => {
        answer = { kind: 'response', status, grpcStatus };
      },
      late: () => this.lateCount++,
      release: (outcome) => {
        if (released) throw new Error('a lease was released twice');
        released = true;
        endpoint.activeRequests--;
        this.outcomes.push(outcome.kind === 'complete' ? (answer ?? outcome) : outcome);
      },
    };
  }
}

export function forwardTo(cluster: TestCluster | (() => string), changes: Partial<ForwardAction> = {}): ForwardAction {
  const choose = typeof cluster === 'function' ? cluster : () => cluster.name;
  return { ...plainForward(''), chooseCluster: choose, clusterNames: [], ...changes };
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

const MANAGER: HttpConnectionManager = { ...PLAIN_MANAGER, name: 'outbound', serverName: 'istio-envoy', upgrades: ['websocket'] };

/** One finished exchange as telemetry sees it. */
export interface Finished {
  readonly x: Exchange;
  readonly outcome: Outcome;
}

/** A dispatcher over one catch-all route, with what telemetry saw. */
export class MeshDouble {
  readonly finished: Finished[] = [];
  readonly dispatcher: MeshDispatcher;
  action: ForwardAction | ((x: Exchange) => LocalReply);
  readonly clusters: Map<string, TestCluster>;
  /** Of the route, for requests that begin from now on. */
  filters: readonly Filter[] = [];

  constructor(
    clusters: readonly TestCluster[],
    action: ForwardAction | ((x: Exchange) => LocalReply),
    options: Partial<MeshDispatcherOptions> & { identity?: IdentitySource } = {},
  ) {
    this.clusters = new Map(clusters.map((cluster) => [cluster.name, cluster]));
    this.action = action;
    const telemetry: TelemetrySink = {
      onStart() {},
      run: (_x, handler) => handler(),
      current: () => undefined,
      onEnd: (x, outcome) => this.finished.push({ x, outcome }),
    };
    const snapshots = new SnapshotRef();
    snapshots.swap(this.#snapshot());
    this.dispatcher = new MeshDispatcher({
      snapshots,
      pipeline: new Pipeline({ clock: realClock, random: Math.random }),
      telemetry,
      clock: realClock,
      random: Math.random,
      log: (line) => {
        throw new Error(line);
      },
      ...options,
    });
  }

  /** Sends a request on as a gateway does; answers the body. */
  async forward(authority: string, path: string, rawHeaders: string[], protocol: Exchange['protocol'] = 'http1'): Promise<string> {
    const snapshot = this.#snapshot();
    const manager = snapshot.outbound.catchAll;
    const request = new OutboundHead('http', authority, 'GET', path, rawHeaders);
    // A head of another driver: only the interface of the contract.
    const foreign = {
      scheme: 'http',
      authority,
      method: 'GET',
      path,
      header: (name: string) => request.header(name),
      headerLines: (name: string) => request.headerLines(name),
      setHeader: (name: string, value: string) => request.setHeader(name, value),
      appendHeader: (name: string, value: string) => request.appendHeader(name, value),
      removeHeader: (name: string) => request.removeHeader(name),
      pairs: () => request.pairs(),
    } satisfies RequestHead;
    const x = new Exchange({
      direction: 'outbound',
      protocol,
      request: foreign,
      snapshot,
      manager,
      peer: NO_PEER,
      port: 80,
      startedAt: realClock.now(),
    });
    x.route = snapshot.outbound.catchAll.routes.virtualHosts[0]!.routes[0]!;
    x.cluster = [...this.clusters.values()][0]!;
    let body = '';
    await new Promise<void>((resolve, reject) => {
      this.dispatcher.forward(x, null, {
        onRequestStart() {},
        onResponseData: (_controller, chunk) => {
          body += chunk;
        },
        onResponseEnd: () => resolve(),
        onResponseError: (_controller, error) => reject(error),
      });
    });
    return body;
  }

  /** One catch-all virtual host whose only route does what `action` says at that moment. */
  #snapshot(): Snapshot {
    const mesh = this;
    const route: Route = {
      name: '',
      matches: () => true,
      get action(): Route['action'] {
        return typeof mesh.action === 'function' ? { kind: 'reply', reply: mesh.action } : mesh.action;
      },
      get filters(): readonly Filter[] {
        return mesh.filters;
      },
      headers: undefined,
      operation: '',
      source: undefined,
    };
    const host = { name: 'all', domains: ['*'], routes: [route], includeAttemptCount: true, requireTls: false };
    const routes = { name: 'test', virtualHosts: [host], virtualHost: () => host };
    const manager = { ...MANAGER, routes };
    return {
      version: '1',
      sequence: 1,
      inbound: [],
      gateways: [],
      clusters: this.clusters,
      outbound: { forPort: () => manager, catchAll: manager, ports: [] },
    };
  }
}

/** A server on a free loopback port, closed with its connections by `close`. */
export async function listen(
  listener: RequestListener,
  tune: (server: Server) => void = () => {},
): Promise<{ port: number; server: Server; close(): Promise<void> }> {
  const server = createServer(listener);
  tune(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
