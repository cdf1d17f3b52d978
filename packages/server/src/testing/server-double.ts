import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer, type RequestListener } from 'node:http';
import {
  type DownstreamTls,
  type Exchange,
  type Filter,
  type FilterChain,
  type HttpConnectionManager,
  type IdentitySource,
  type InboundAction,
  type Outcome,
  Pipeline,
  PLAIN_MANAGER,
  type Route,
  type Snapshot,
  SnapshotRef,
  type TelemetrySink,
} from '@ripstop/core';
import type { AppServer } from '../app-server.ts';
import type { Forwarder } from '../listener-parts.ts';
import { MeshListener } from '../mesh-listener.ts';
import type { Probes } from '../probes.ts';
import { FakeClock } from './fake-clock.ts';

/** The workload port that chains name; the socket is another one. */
const PORT = 9080;

/** A workload port's mutual TLS as istiod configures it. */
export const MESH_TLS: DownstreamTls = {
  requireClientCertificate: true,
  alpn: ['h2', 'http/1.1'],
  minVersion: 'TLSv1.2',
  ciphers: [],
  acceptsSans: (uris) => uris.some((uri) => uri.startsWith('spiffe://cluster.local/')),
  certificateName: 'default',
  validationName: 'ROOTCA',
};

const MESH_ALPN: readonly string[] = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'];

export type ManagerSettings = Partial<Omit<HttpConnectionManager, 'routes'>>;

/** What requests of a port meet. */
export interface RouteSettings {
  readonly filters?: readonly Filter[];
  readonly headers?: Route['headers'];
  readonly timeoutMs?: number;
  /** Default: everything. */
  readonly matches?: Route['matches'];
  readonly manager?: ManagerSettings;
  /** Default: the app serves it. */
  readonly action?: Route['action'];
}

/** istiod's inbound connection manager with one route to the app. */
function inboundManager({ filters = [], headers, timeoutMs = 0, matches, manager = {}, action }: RouteSettings): HttpConnectionManager {
  const inbound: InboundAction = { kind: 'inbound', clusterName: `inbound|${PORT}||`, timeoutMs, maxStreamDurationMs: 0 };
  const route: Route = {
    name: 'default',
    matches: matches ?? (() => true),
    action: action ?? inbound,
    filters,
    headers,
    operation: '',
    source: undefined,
  };
  const host = { name: 'inbound', domains: ['*'], routes: [route], includeAttemptCount: false, requireTls: false };
  return {
    ...PLAIN_MANAGER,
    name: 'inbound',
    routes: { name: 'inbound', virtualHosts: [host], virtualHost: () => host },
    defaultFilters: filters,
    normalizePath: true,
    forwardClientCert: 'APPEND_FORWARD',
    clientCertDetails: { subject: true, cert: false, chain: false, dns: true, uri: true },
    serverName: 'istio-envoy',
    upgrades: ['websocket'],
    ...manager,
  };
}

/** PERMISSIVE = TLS of the mesh and plaintext on one port; STRICT = any TLS with a certificate, nothing else; DISABLE = plaintext. */
export function chainsOf(
  mode: 'PERMISSIVE' | 'STRICT' | 'DISABLE',
  settings: RouteSettings = {},
  tls: DownstreamTls = MESH_TLS,
): FilterChain[] {
  const any = { destinationPort: PORT, serverNames: [], applicationProtocols: [] };
  const http = inboundManager(settings);
  const alpn = mode === 'PERMISSIVE' ? MESH_ALPN : [];
  const mutual: FilterChain = {
    name: 'mutual',
    match: { ...any, transportProtocol: 'tls', applicationProtocols: alpn },
    tls,
    http,
    tcp: undefined,
  };
  const plain: FilterChain = {
    name: 'plain',
    match: { ...any, transportProtocol: 'raw_buffer' },
    tls: undefined,
    http,
    tcp: undefined,
  };
  return mode === 'STRICT' ? [mutual] : mode === 'DISABLE' ? [plain] : [mutual, plain];
}

/** One finished exchange as telemetry sees it. */
export interface Finished {
  readonly x: Exchange;
  readonly outcome: Outcome;
}

export interface DoubleOptions extends RouteSettings {
  readonly mode?: 'PERMISSIVE' | 'STRICT' | 'DISABLE';
  readonly chains?: FilterChain[];
  readonly identity?: IdentitySource;
  readonly forwarder?: Forwarder;
  readonly clusters?: Snapshot['clusters'];
  readonly probes?: Probes | undefined;
  /** Of the socket; default: any free one. */
  readonly port?: number;
  /** Called before the mesh stands in front of the server. */
  readonly tune?: (server: AppServer) => void;
}

/** A mesh listener on a free loopback port, its configuration made by hand, and what telemetry saw. */
export class ServerDouble implements AsyncDisposable {
  readonly clock: FakeClock = new FakeClock();
  readonly app: AppServer;
  readonly snapshots: SnapshotRef = new SnapshotRef();
  readonly listener: MeshListener;
  readonly started: Exchange[] = [];
  readonly finished: Finished[] = [];
  readonly log: string[] = [];
  port = 0;
  private readonly storage = new AsyncLocalStorage<Exchange>();
  private readonly clusters: Snapshot['clusters'];
  private sequence = 0;

  static async start(app: RequestListener | AppServer, options: DoubleOptions = {}): Promise<ServerDouble> {
    const double = new ServerDouble(app, options);
    double.port = (await double.listener.listen()).port;
    return double;
  }

  private constructor(app: RequestListener | AppServer, options: DoubleOptions) {
    this.app = typeof app === 'function' ? createServer(app) : app;
    options.tune?.(this.app);
    this.clusters = options.clusters ?? new Map();
    this.swap(options.chains ?? chainsOf(options.mode ?? 'PERMISSIVE', options));
    this.listener = new MeshListener({
      app: this.app,
      bind: { host: '127.0.0.1', port: options.port ?? 0 },
      workloadPort: PORT,
      snapshots: this.snapshots,
      pipeline: new Pipeline({ clock: this.clock, random: () => 0.5, ownSpiffeId: () => 'spiffe://cluster.local/ns/default/sa/server' }),
      telemetry: this.telemetry(),
      clock: this.clock,
      identity: options.identity,
      forwarder: options.forwarder,
      probes: options.probes,
      log: (line) => this.log.push(line),
    });
  }

  /** The exchange of the handler that runs now. */
  current(): Exchange | undefined {
    return this.storage.getStore();
  }

  swap(inbound: readonly FilterChain[]): void {
    const http = inboundManager({});
    const outbound = { forPort: () => undefined, catchAll: http, ports: [] };
    const sequence = ++this.sequence;
    const snapshot: Snapshot = { version: String(sequence), sequence, inbound, outbound, gateways: [], clusters: this.clusters };
    this.snapshots.swap(snapshot);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.listener.close({ drainMs: 0 });
    this.clock.advance(1);
    await closed;
  }

  private telemetry(): TelemetrySink {
    return {
      onStart: (x) => this.started.push(x),
      run: (x, handler) => this.storage.run(x, handler),
      current: () => this.storage.getStore(),
      onEnd: (x, outcome) => this.finished.push({ x, outcome }),
    };
  }
}
