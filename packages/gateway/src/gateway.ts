import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cancel, FilterChain, GatewayListener, Snapshot } from '@ripstop/core';
import type { Mesh } from '@ripstop/node';
import { type Forwarder, MeshListener } from '@ripstop/server';
import { createForwarder } from './forwarder.ts';

export interface GatewayOptions {
  /** A mesh of role `router`; the Gateways whose selector matches its labels are served. */
  readonly mesh: Mesh;
  /** Default 127.0.0.1. */
  readonly bindHost?: string;
  /** Listener port → port to bind, where they differ; 0 = any free one. */
  readonly ports?: Readonly<Record<number, number>>;
}

export interface GatewayCloseOptions {
  /** Time for requests in flight, milliseconds. Default 5,000. */
  readonly drainMs?: number;
}

/** Where one listener is reached. */
export interface GatewayAddress {
  /** Port of the Gateway's server as the listener has it (a Service may map it: 80 → 8080). */
  readonly listenerPort: number;
  readonly address: string;
  readonly port: number;
}

interface Served {
  readonly listener: MeshListener;
  /** Undefined while it is being bound. */
  address: AddressInfo | undefined;
}

const DEFAULT_DRAIN_MS = 5_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** An ingress gateway: listeners come and go with the configuration, requests are forwarded by the same pipeline as a service's own. */
export class Gateway implements AsyncDisposable {
  private readonly options: GatewayOptions;
  private readonly forwarder: Forwarder;
  private readonly served = new Map<number, Served>();
  /** Why a port is not opened, as it was told. */
  private readonly told = new Map<number, string>();
  private cancel: Cancel = () => {};
  /** A gateway is a server also while no Gateway is configured: without a socket the process would end. */
  private hold: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: GatewayOptions) {
    this.options = options;
    this.forwarder = createForwarder(options.mesh.parts);
  }

  /** Waits for configuration and binds its listeners. Rejects when a port cannot be bound; later ones are logged. */
  async start(): Promise<void> {
    const { mesh } = this.options;
    this.hold = setInterval(() => {}, MAX_TIMER_MS);
    await mesh.ready();
    const { snapshots, settings } = mesh.parts;
    this.cancel = snapshots.onSwap((next) => {
      this.follow(next).catch((error: unknown) => settings.log(`gateway: ${error instanceof Error ? error.message : error}`));
    });
    if (snapshots.current !== undefined) await this.follow(snapshots.current);
  }

  /** In order of the listeners' ports. */
  addresses(): readonly GatewayAddress[] {
    return [...this.served]
      .sort(([a], [b]) => a - b)
      .flatMap(([listenerPort, { address }]) =>
        address === undefined ? [] : [{ listenerPort, address: address.address, port: address.port }],
      );
  }

  /** Stops listening and lets requests in flight end. */
  async close({ drainMs = DEFAULT_DRAIN_MS }: GatewayCloseOptions = {}): Promise<void> {
    this.closed = true;
    this.cancel();
    clearInterval(this.hold);
    const listeners = [...this.served.values()].map(({ listener }) => listener);
    // Nobody is to come to a socket that closes; a mesh that closes with it has withdrawn everything already.
    if (this.options.mesh.health().state !== 'draining') for (const port of this.served.keys()) this.options.mesh.disown(port);
    this.served.clear();
    for (const listener of listeners) listener.drain();
    await Promise.all(listeners.map((listener) => listener.close({ drainMs })));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async follow(snapshot: Snapshot): Promise<void> {
    const wanted = this.wanted(snapshot);
    const gone = [...this.served].filter(([port]) => !wanted.has(port));
    for (const [port, { listener }] of gone) {
      this.served.delete(port);
      this.options.mesh.disown(port);
      listener.drain();
    }
    const fresh = [...wanted].filter((port) => !this.served.has(port));
    await Promise.all([
      ...gone.map(([, { listener }]) => listener.close({ drainMs: DEFAULT_DRAIN_MS })),
      ...fresh.map((port) => this.serve(port)),
    ]);
  }

  /** A port with nothing that could be served is not opened; one that is open stays, for its connections' sake. */
  private wanted({ gateways }: Snapshot): ReadonlySet<number> {
    const ports = new Set<number>();
    for (const { port, filterChains, defaultFilterChain } of gateways) {
      const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
      const closed = chains.filter((chain) => closedBecause(chain) !== '');
      const open = closed.length < chains.length || this.served.has(port);
      if (open) ports.add(port);
      const reasons = closed.map((chain) => `${chain.match.serverNames.join(', ') || 'any host'}: ${closedBecause(chain)}`);
      this.tell(port, reasons.length === 0 ? '' : `${open ? 'refuses connections for' : 'is not opened, for'} ${reasons.join('; ')}`);
    }
    return ports;
  }

  /** Each state of a port once; '' = all is well. */
  private tell(port: number, line: string): void {
    if (line === (this.told.get(port) ?? '')) return;
    this.told.set(port, line);
    if (line !== '') this.options.mesh.parts.settings.log(`gateway: port ${port} ${line}`);
  }

  private async serve(port: number): Promise<void> {
    const listener = this.createListener(port);
    const served: Served = { listener, address: undefined };
    this.served.set(port, served);
    try {
      served.address = await listener.listen();
    } catch (error) {
      // The next configuration tries again.
      this.served.delete(port);
      throw error;
    }
    if (this.closed || this.served.get(port) !== served) await listener.close({ drainMs: 0 });
    // In the mesh a gateway is an endpoint of its Service like any workload.
    else this.options.mesh.adopt(listener, port, 'http', served.address.port);
  }

  private createListener(port: number): MeshListener {
    const { mesh, bindHost = '127.0.0.1', ports = {} } = this.options;
    const { snapshots, pipeline, identity, telemetry, clock, settings, environment } = mesh.parts;
    return new MeshListener({
      // Envoy has no limit on how long an upload takes; node:http's is five minutes.
      app: createServer({ requestTimeout: 0 }),
      bind: { host: bindHost, port: ports[port] ?? port },
      bindServer: environment.bindServer,
      workloadPort: port,
      find: (snapshot) => chainsOf(snapshot.gateways.find((listener) => listener.port === port)),
      forwarder: this.forwarder,
      snapshots,
      pipeline,
      identity,
      telemetry,
      clock,
      log: settings.log,
    });
  }
}

/** Why connections of a chain are refused; '' = they are served. */
function closedBecause({ refused = '', tls }: FilterChain): string {
  return refused === '' ? (tls?.secrets?.missing ?? '') : refused;
}

function chainsOf(
  listener: GatewayListener | undefined,
): { chains: GatewayListener['filterChains']; defaultChain: GatewayListener['defaultFilterChain'] } | undefined {
  return listener === undefined ? undefined : { chains: listener.filterChains, defaultChain: listener.defaultFilterChain };
}

/** A gateway that is not started yet. */
export function createGateway(options: GatewayOptions): Gateway {
  return new Gateway(options);
}
