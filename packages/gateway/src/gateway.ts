import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Cancel, FilterChain, GatewayListener, Snapshot, Timer } from '@ripstop/core';
import type { Mesh } from '@ripstop/node';
import { type ListenerChains, MeshListener } from '@ripstop/server';
import { createForwarder } from './forwarder.ts';

export interface GatewayOptions {
  /** A mesh of role `router`; the Gateways whose selector matches its labels are served. */
  readonly mesh: Mesh;
  /** Where servers of Gateways listen that do not say it themselves (`bind`). Default 127.0.0.1. */
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
  /** Of the listener, as the control plane calls it: `0.0.0.0_8080`. */
  readonly name: string;
  /** Port of the Gateway's server as the listener has it (a Service may map it: 80 → 8080); 0 on a Unix socket. */
  readonly listenerPort: number;
  /** Of a Unix socket: its path. */
  readonly address: string;
  /** 0 on a Unix socket. */
  readonly port: number;
}

interface Served {
  readonly port: number;
  readonly listener: MeshListener;
  /** Undefined while it is being bound. */
  address: AddressInfo | undefined;
}

const DEFAULT_DRAIN_MS = 5_000;
/** A port that another process has is asked for again: mostly that one is on its way out. */
const RETRY_MS = 1_000;
/** Of a listener whose Gateway does not say where it listens. */
const ANYWHERE = '0.0.0.0';
const UNIX = 'unix://';
const MAX_TIMER_MS = 2 ** 31 - 1;

/** An ingress gateway: listeners come and go with the configuration, requests are forwarded by the same pipeline as a service's own. */
export class Gateway implements AsyncDisposable {
  private readonly options: GatewayOptions;
  /** By the listener's name. */
  private readonly served = new Map<string, Served>();
  /** Why a listener is not opened, as it was told. */
  private readonly told = new Map<string, string>();
  /** Why a listener could not be opened when it was tried last. */
  private readonly unopened = new Map<string, string>();
  private retry: Timer | undefined;
  /** The listener that stands for a port in the mesh: one of several at different addresses. */
  private readonly adopted = new Map<number, string>();
  private cancel: Cancel = () => {};
  /** A gateway is a server also while no Gateway is configured: without a socket the process would end. */
  private hold: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: GatewayOptions) {
    this.options = options;
  }

  /** Waits for configuration and binds its listeners. Rejects when a port cannot be bound; later ones are logged, and tried again every second. */
  async start(): Promise<void> {
    const { mesh } = this.options;
    this.hold = setInterval(() => {}, MAX_TIMER_MS);
    await mesh.ready();
    const { snapshots } = mesh.parts;
    this.cancel = snapshots.onSwap((next) => this.followLater(next));
    if (snapshots.current !== undefined) await this.follow(snapshots.current, (listener) => this.serve(listener));
  }

  /** In order of the listeners' ports. */
  addresses(): readonly GatewayAddress[] {
    return [...this.served]
      .sort(([, a], [, b]) => a.port - b.port)
      .flatMap(([name, { port: listenerPort, address }]) =>
        address === undefined ? [] : [{ name, listenerPort, address: address.address, port: address.port }],
      );
  }

  /** Stops listening and lets requests in flight end. */
  async close({ drainMs = DEFAULT_DRAIN_MS }: GatewayCloseOptions = {}): Promise<void> {
    this.closed = true;
    this.cancel();
    this.retry?.cancel();
    clearInterval(this.hold);
    const listeners = [...this.served.values()].map(({ listener }) => listener);
    // Nobody is to come to a socket that closes; a mesh that closes with it has withdrawn everything already.
    if (this.options.mesh.health().state !== 'draining') for (const port of this.adopted.keys()) this.options.mesh.disown(port);
    this.adopted.clear();
    this.served.clear();
    for (const listener of listeners) listener.drain();
    await Promise.all(listeners.map((listener) => listener.close({ drainMs })));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private followLater(snapshot: Snapshot): void {
    this.follow(snapshot, (listener) => this.serveOrRetry(listener)).catch((error: unknown) =>
      this.options.mesh.parts.settings.log(`gateway: ${messageOf(error)}`),
    );
  }

  private async follow(snapshot: Snapshot, open: (listener: GatewayListener) => Promise<void>): Promise<void> {
    const wanted = this.wanted(snapshot);
    for (const name of this.unopened.keys()) if (!wanted.has(name)) this.unopened.delete(name);
    const gone = [...this.served].filter(([name]) => !wanted.has(name));
    for (const [name, { port, listener }] of gone) {
      this.served.delete(name);
      this.disown(name, port);
      listener.drain();
    }
    const fresh = [...wanted.values()].filter(({ name }) => !this.served.has(name));
    await Promise.all([...gone.map(([, { listener }]) => listener.close({ drainMs: DEFAULT_DRAIN_MS })), ...fresh.map(open)]);
  }

  /** A port with nothing that could be served is not opened; one that is open stays, for its connections' sake. */
  private wanted({ gateways }: Snapshot): ReadonlyMap<string, GatewayListener> {
    const listeners = new Map<string, GatewayListener>();
    for (const gateway of gateways) {
      const { name, filterChains, defaultFilterChain } = gateway;
      const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
      const closed = chains.filter((chain) => closedBecause(chain) !== '');
      const open = closed.length < chains.length || this.served.has(name);
      if (open) listeners.set(name, gateway);
      const reasons = closed.map((chain) => `${chain.match.serverNames.join(', ') || 'any host'}: ${closedBecause(chain)}`);
      this.tell(gateway, reasons.length === 0 ? '' : `${open ? 'refuses connections for' : 'is not opened, for'} ${reasons.join('; ')}`);
    }
    return listeners;
  }

  /** Each state of a listener once; '' = all is well. */
  private tell(gateway: GatewayListener, line: string): void {
    if (line === (this.told.get(gateway.name) ?? '')) return;
    this.told.set(gateway.name, line);
    if (line !== '') this.options.mesh.parts.settings.log(`gateway: ${placeOf(gateway)} ${line}`);
  }

  private async serveOrRetry(gateway: GatewayListener): Promise<void> {
    const { name } = gateway;
    const { settings, snapshots, clock } = this.options.mesh.parts;
    try {
      await this.serve(gateway);
      this.unopened.delete(name);
    } catch (error) {
      if (this.closed) return;
      const reason = messageOf(error);
      if (this.unopened.get(name) !== reason) settings.log(`gateway: ${placeOf(gateway)} cannot be opened, and is tried again: ${reason}`);
      this.unopened.set(name, reason);
      this.retry ??= clock.setTimer(() => {
        this.retry = undefined;
        if (snapshots.current !== undefined) this.followLater(snapshots.current);
      }, RETRY_MS);
    }
  }

  private async serve(gateway: GatewayListener): Promise<void> {
    const { name, port } = gateway;
    const listener = this.createListener(gateway);
    const served: Served = { port, listener, address: undefined };
    this.served.set(name, served);
    try {
      served.address = await listener.listen();
    } catch (error) {
      if (this.served.get(name) === served) this.served.delete(name);
      throw error;
    }
    if (this.closed || this.served.get(name) !== served) await listener.close({ drainMs: 0 });
    else this.adopt(name, served);
  }

  /** In the mesh a gateway is an endpoint of its Service like any workload; a Unix socket is nobody's endpoint. */
  private adopt(name: string, { port, listener, address }: Served): void {
    if (port === 0 || address === undefined || this.adopted.has(port)) return;
    this.adopted.set(port, name);
    this.options.mesh.adopt(listener, port, 'http', address.port);
  }

  /** Another listener of the port takes its place. */
  private disown(name: string, port: number): void {
    if (this.adopted.get(port) !== name) return;
    this.adopted.delete(port);
    this.options.mesh.disown(port);
    for (const [other, served] of this.served) if (served.port === port) this.adopt(other, served);
  }

  private createListener({ name, address, port }: GatewayListener): MeshListener {
    const { mesh, bindHost = '127.0.0.1', ports = {} } = this.options;
    const { snapshots, pipeline, identity, telemetry, clock, settings, environment, dispatcher } = mesh.parts;
    return new MeshListener({
      // Envoy has no limit on how long an upload takes; node:http's is five minutes.
      app: createServer({ requestTimeout: 0 }),
      bind: address.startsWith(UNIX)
        ? { host: '', port: 0, path: address.slice(UNIX.length) }
        : { host: address === ANYWHERE ? bindHost : address, port: ports[port] ?? port },
      bindServer: environment.bindServer,
      workloadPort: port,
      find: (snapshot) => chainsOf(snapshot.gateways.find((listener) => listener.name === name)),
      forwarder: createForwarder({ dispatcher, clock, telemetry, log: settings.log }, name),
      snapshots,
      pipeline,
      identity,
      telemetry,
      clock,
      log: settings.log,
    });
  }
}

function placeOf({ name, address, port }: GatewayListener): string {
  return address === ANYWHERE ? `port ${port}` : name;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why connections of a chain are refused; '' = they are served. */
function closedBecause({ refused = '', tls }: FilterChain): string {
  return refused === '' ? (tls?.secrets?.missing ?? '') : refused;
}

function chainsOf(listener: GatewayListener | undefined): ListenerChains | undefined {
  if (listener === undefined) return undefined;
  const { filterChains: chains, defaultFilterChain: defaultChain, readsProxyProtocol } = listener;
  return { chains, defaultChain, readsProxyProtocol };
}

/** A gateway that is not started yet. */
export function createGateway(options: GatewayOptions): Gateway {
  return new Gateway(options);
}
