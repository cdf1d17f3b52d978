import type { AddressInfo } from 'node:net';
import { DECISION_HEADER, type DecisionRecord, type Explanation, PathBinding, type RouterTraits, type Svid } from '@ripstop/core';
import { type AppServer, MeshListener, Probes, readsHttp1 } from '@ripstop/server';
import { createMeshFetch, createMeshInterceptor, type MeshDispatcher } from '@ripstop/undici';
import type { Dispatcher } from 'undici';
import { type MeshApp, serverOf } from './app.ts';
import type { MeshFilter } from './app-filter.ts';
import type { ConfigOrigin } from './config-source.ts';
import type { MeshEnvironment } from './environment.ts';
import { MeshError } from './errors.ts';
import { type ExplainQuestion, explain } from './explain.ts';
import { onTermination } from './lifecycle.ts';
import { MeshGrpc, type MeshServing } from './mesh-grpc.ts';
import { checkCloseOptions, checkListenOptions, checkMeshOptions } from './option-checks.ts';
import { routerTraits } from './router-traits.ts';
import { Runtime } from './runtime.ts';
import { type MeshOptions, resolveSettings } from './settings.ts';
import { showAs } from './shown-as.ts';

export interface CreateMeshOptions extends MeshOptions {
  /** The app's own filters (see {@link appFilter}), and factories for filter types that the configuration names. */
  readonly filters?: readonly MeshFilter[];
}

export interface ListenOptions {
  /** Port name for Services that name their targetPort. Default `http`. */
  readonly name?: string;
  /** Port to bind; default: the workload port, or any free one with RIPSTOP_PORTS=auto. */
  readonly bindPort?: number;
  /** How the app's router reads paths. Default: known for Express and Fastify; otherwise as they are. */
  readonly router?: RouterTraits;
  /**
   * Paths that the platform's health checks may GET by plaintext, without a certificate and past every policy, whatever the port demands of
   * others: exactly as they stand in the request line. Default: none. Whoever reaches the port can ask them, so they should tell nothing.
   */
  readonly probes?: readonly string[];
}

export interface CloseOptions {
  /** Time for requests in flight, ms. Default 5,000. */
  readonly drainMs?: number;
}

/** How the mesh is doing. */
export interface MeshHealth {
  readonly state: 'starting' | 'ready' | 'draining';
  readonly config: ConfigOrigin;
  /** Serial number of the workload certificate; '' without one. */
  readonly certificateSerial: string;
}

/** Time for peers to learn that this instance is withdrawn, before its socket closes: at least this long … */
const WITHDRAW_MS = 300;
/** … and until nobody has called for this long. */
const QUIET_MS = 200;
const LOOK_MS = 25;

const DECISION: unique symbol = Symbol.for('ripstop.decision');

/** The decision record of a response of `mesh.fetch`; undefined when none was kept. It is complete once the body was read. */
export function decisionOf(response: Response): DecisionRecord | undefined {
  return (response as { readonly [DECISION]?: DecisionRecord })[DECISION];
}

/** One service's membership in a mesh. */
export class Mesh implements AsyncDisposable {
  /** `fetch` through the mesh: routing, balancing, retries, mTLS. Replies that the mesh makes are ordinary Responses. */
  readonly fetch: typeof globalThis.fetch;
  /** Clients and servers of grpc-js. */
  readonly grpc: MeshGrpc;
  private readonly runtime: Runtime;
  private readonly started: Promise<void>;
  private readonly listeners = new Map<number, MeshServing>();
  /** How the apps' routers read paths, by workload port. */
  private readonly bindings = new Map<number, PathBinding>();
  private cancelTermination: (() => void) | undefined;
  private closed: Promise<void> | undefined;

  constructor(options: CreateMeshOptions = {}, environment?: MeshEnvironment) {
    checkMeshOptions(options);
    this.runtime = new Runtime(resolveSettings(options, process.env), options.filters, environment);
    showAs(this, () => this.runtime.text);
    this.started = this.runtime.start();
    this.started.catch(() => {}); // ready() and listen() hand the error to whoever waits.
    this.grpc = new MeshGrpc({
      runtime: this.runtime,
      ready: () => this.readyToServe(),
      serve: (serving, workloadPort, name, port) => this.adopt(serving, workloadPort, name, port),
      withdraw: (workloadPort) => {
        if (this.closed === undefined) this.disown(workloadPort);
      },
    });
    const fetchOnMesh = createMeshFetch(this.runtime.dispatcher);
    this.fetch = (async (input: Parameters<typeof globalThis.fetch>[0], init?: RequestInit) => {
      if (this.runtime.snapshots.current === undefined) await this.ready();
      const response = await fetchOnMesh(input, init);
      return this.runtime.decisions === undefined ? response : this.withDecision(response);
    }) as typeof globalThis.fetch;
  }

  /** An undici Dispatcher: `request(url, { dispatcher: mesh.dispatcher })`. Until `ready()` it refuses. */
  get dispatcher(): MeshDispatcher {
    return this.runtime.dispatcher;
  }

  /** For `agent.compose(mesh.interceptor())`. */
  interceptor(): Dispatcher.DispatcherComposeInterceptor {
    return createMeshInterceptor(this.runtime.dispatcher);
  }

  /** Resolves when configuration (and a certificate, when a CA is configured) is here; rejects with what is missing. */
  async ready(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    await this.started;
    await this.runtime.ready(options.timeoutMs ?? this.runtime.settings.bootTimeoutMs);
  }

  /**
   * What would become of a request, and why, by the rules that are in force now: with `from` a request to this service, else a call of
   * its app. The data plane's own evaluator runs; nothing is sent, counted or waited for. `String(explanation)` is for people.
   */
  async explain(question: ExplainQuestion): Promise<Explanation> {
    await this.ready();
    return explain(this.runtime, question, this.bindings);
  }

  /** Serves an app as a workload port of this mesh; answers the address of the socket. */
  async listen(app: MeshApp, workloadPort: number, options: ListenOptions = {}): Promise<AddressInfo> {
    checkListenOptions(workloadPort, options);
    await this.readyToServe();
    if (this.listeners.has(workloadPort)) throw new MeshError('RIPSTOP_PORT_SERVED', `workload port ${workloadPort} is served already`);
    const { settings } = this.runtime;
    const server = await serverOf(app);
    if (server.listening)
      throw new MeshError(
        'RIPSTOP_UNSUPPORTED_APP',
        'this server listens already, or stands behind a mesh already: give it to mesh.listen once, in the place of listen()',
      );
    const listener = this.createListener(
      server,
      workloadPort,
      {
        host: settings.bind,
        port: options.bindPort ?? (settings.ports === 'auto' ? 0 : workloadPort),
      },
      options.router ?? routerTraits(app),
      options.probes,
    );
    this.listeners.set(workloadPort, listener);
    let address: AddressInfo;
    try {
      address = await listener.listen();
    } catch (cause) {
      this.listeners.delete(workloadPort);
      throw new MeshError('RIPSTOP_CANNOT_LISTEN', (cause as Error).message, { cause });
    }
    if (this.closed !== undefined) {
      await listener.close({ drainMs: 0 });
      throw new MeshError('RIPSTOP_CLOSED', 'this mesh was closed');
    }
    this.announce(workloadPort, options.name ?? 'http', address.port);
    return address;
  }

  /** Registers a workload port whose socket is at `port` of the bind address. For adapters whose framework owns the socket. */
  announce(workloadPort: number, name: string, port: number): void {
    this.runtime.node.serve({ workloadPort, name, address: this.runtime.node.address, port });
    this.runtime.register();
    this.cancelTermination ??= onTermination(() => this.close());
  }

  /** Puts the mesh in front of a server that the app itself listens. For adapters; see @ripstop/fastify. */
  protect(
    server: AppServer,
    workloadPort: number,
    router: RouterTraits | undefined = routerTraits(server),
    probes?: ListenOptions['probes'],
  ): void {
    if (this.listeners.has(workloadPort)) throw new MeshError('RIPSTOP_PORT_SERVED', `workload port ${workloadPort} is served already`);
    const listener = this.createListener(server, workloadPort, { host: this.runtime.settings.bind, port: 0 }, router, probes);
    listener.attach();
    this.listeners.set(workloadPort, listener);
  }

  /** Takes in a listener that was made elsewhere (a gateway's): registered now, drained and closed with this mesh. */
  adopt(listener: MeshServing, workloadPort: number, name: string, port: number): void {
    this.listeners.set(workloadPort, listener);
    this.announce(workloadPort, name, port);
  }

  /** Gives a listener back; the workload port is served no more. */
  disown(workloadPort: number): void {
    this.listeners.delete(workloadPort);
    this.runtime.node.withdraw(workloadPort);
    this.runtime.register();
  }

  health(): MeshHealth {
    const config = this.runtime.configOrigin;
    return {
      state: this.closed !== undefined ? 'draining' : config === 'none' ? 'starting' : 'ready',
      config,
      certificateSerial: this.runtime.identity?.current()?.serialNumber ?? '',
    };
  }

  /** `host:port` of /stats/prometheus; '' when it is off. */
  get adminAddress(): string {
    return this.runtime.adminAddress;
  }

  /** Asks the CA for a new certificate now. */
  async rotateIdentity(): Promise<Svid> {
    if (this.runtime.identity === undefined) throw new MeshError('RIPSTOP_NO_CA', 'no certificate authority is configured');
    return this.runtime.identity.rotateNow();
  }

  /** The wired parts, for the packages that stand on this one (gateway, grpc, testing). */
  get parts(): Runtime {
    return this.runtime;
  }

  /** Withdraws this instance, lets requests in flight end, closes everything. Safe to call twice. */
  close(options: CloseOptions = {}): Promise<void> {
    checkCloseOptions(options);
    this.closed ??= this.shutDown(options.drainMs ?? 5000);
    return this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * A socket that closes while a caller still believes in it costs that caller a request. At most `drainMs`. Looks are counted and not
   * milliseconds: a process that stood still for a second has not been quiet for a second.
   */
  private async untilQuiet(drainMs: number): Promise<void> {
    const { clock } = this.runtime;
    const end = clock.now() + drainMs;
    const lastRequestAt = (): number => Math.max(...[...this.listeners.values()].map(({ lastRequestAt: at = 0 }) => at));
    let last = lastRequestAt();
    let quiet = 0;
    for (let looks = 0; (looks * LOOK_MS < WITHDRAW_MS || quiet * LOOK_MS < QUIET_MS) && clock.now() < end; looks++) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, Math.max(0, end - clock.now()))));
      quiet = lastRequestAt() === last ? quiet + 1 : 0;
      last = lastRequestAt();
    }
  }

  /** The record of a request, at `Symbol.for('ripstop.decision')` of its response. */
  private withDecision(response: Response): Response {
    const id = response.headers.get(DECISION_HEADER)?.split(', ').at(-1);
    const record = id === undefined ? undefined : this.runtime.decisions?.get(id);
    return record === undefined ? response : Object.assign(response, { [DECISION]: record });
  }

  private async readyToServe(): Promise<void> {
    await this.ready();
    if (this.closed !== undefined) throw new MeshError('RIPSTOP_CLOSED', 'this mesh is closed');
  }

  private createListener(
    app: AppServer,
    workloadPort: number,
    bind: { host: string; port: number },
    router: RouterTraits | undefined,
    probes: ListenOptions['probes'],
  ): MeshListener {
    const { snapshots, pipeline, identity, telemetry, clock, settings, environment } = this.runtime;
    const asked = probesOf(probes, app);
    const binding = router === undefined ? undefined : new PathBinding(router);
    if (binding !== undefined) this.bindings.set(workloadPort, binding);
    return new MeshListener({
      workloadPort,
      bind,
      bindServer: environment.bindServer,
      snapshots,
      pipeline,
      ...(identity === undefined ? {} : { identity }),
      telemetry,
      clock,
      log: settings.log,
      app,
      binding,
      probes: asked,
    });
  }

  private async shutDown(drainMs: number): Promise<void> {
    this.cancelTermination?.();
    await this.started.catch(() => {}); // A mesh that never started has nothing to withdraw, but is closed all the same.
    if (this.listeners.size > 0) {
      this.runtime.withdraw('draining');
      for (const listener of this.listeners.values()) listener.drain();
      await this.untilQuiet(drainMs);
      await Promise.all([...this.listeners.values()].map((listener) => listener.close({ drainMs })));
    }
    await this.runtime.close();
  }
}

function probesOf(paths: readonly string[] | undefined, app: AppServer): Probes | undefined {
  if (paths === undefined || paths.length === 0) return undefined;
  if (!readsHttp1(app))
    throw new MeshError(
      'RIPSTOP_BAD_PROBE',
      "this server of node:http2 cannot be probed: health checks speak HTTP/1.1; leave probes out and let them ask the admin port's /healthz/ready",
    );
  try {
    return new Probes(paths);
  } catch (error) {
    throw new MeshError('RIPSTOP_BAD_PROBE', (error as Error).message);
  }
}

/** Joins the mesh. Nothing global is touched; two meshes in one process do not meet. `environment`: for tests, see @ripstop/testing. */
export function createMesh(options: CreateMeshOptions = {}, environment?: MeshEnvironment): Mesh {
  return new Mesh(options, environment);
}
