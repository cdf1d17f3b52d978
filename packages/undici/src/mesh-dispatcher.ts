import type { Socket } from 'node:net';
import { stringify } from 'node:querystring';
import {
  type Clock,
  DeadlineQueues,
  Exchange,
  type HealthProbe,
  type IdentitySource,
  isGrpcContentType,
  type Lease,
  NO_PEER,
  type NoAnswer,
  type OpenLoadStream,
  type Pipeline,
  ProcessHold,
  type Random,
  type SnapshotRef,
  type TelemetrySink,
  type UpstreamAnswer,
  type UpstreamHttpCall,
} from '@ripstop/core';
import { Dispatcher, Dispatcher1Wrapper, errors } from 'undici';
import { AttemptHandler } from './attempt-handler.ts';
import { DirectDispatch } from './direct-dispatch.ts';
import { EndpointPools } from './endpoint-pools.ts';
import type { ForwardEnvironment } from './forward-environment.ts';
import { createHealthProbe } from './health/health-probe.ts';
import type { OpenSocket } from './mtls-connector.ts';
import { createLoadStreams } from './orca/load-stream.ts';
import { type Origin, OriginCache } from './origin.ts';
import { OutboundHead } from './outbound-head.ts';
import type { CarriedEnds } from './proxy-header.ts';
import { hasContent } from './request-body.ts';
import { RequestError } from './request-error.ts';
import type { ConnectError } from './reset-reason.ts';
import { callUpstream } from './upstream-call.ts';

/** What a {@link MeshDispatcher} is made of. */
export interface MeshDispatcherOptions {
  readonly snapshots: SnapshotRef;
  readonly pipeline: Pipeline;
  /** Absent: no mTLS; endpoints that demand it answer 503 UF. */
  readonly identity?: IdentitySource | undefined;
  readonly telemetry: TelemetrySink;
  readonly clock: Clock;
  readonly random: Random;
  /** Carries `https:` requests, which the mesh doesn't decrypt; a plain undici Agent by default. */
  readonly direct?: Dispatcher | undefined;
  /** See EndpointPoolsInit. */
  readonly rotationJitterMs?: number | undefined;
  /** Where connections to endpoints come from; default node:net. */
  readonly open?: OpenSocket | undefined;
  /** How long `close` waits for requests in flight before it ends them. Default 5 s. */
  readonly closeTimeoutMs?: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

const DEFAULT_CLOSE_TIMEOUT_MS = 5_000;

const wrapHandler = (Dispatcher1Wrapper as unknown as { wrapHandler(handler: Dispatcher.DispatchHandler): Dispatcher.DispatchHandler })
  .wrapHandler;

/**
 * The outbound side of the mesh as one undici Dispatcher: pass it to `fetch` or `request` as `dispatcher`, or make it the global
 * one. The host and port of a URL are looked up in the mesh's configuration as a sidecar would, by destination port and Host.
 */
export class MeshDispatcher extends Dispatcher {
  readonly #options: MeshDispatcherOptions;
  readonly #env: ForwardEnvironment;
  readonly #pools: EndpointPools;
  readonly #direct: DirectDispatch;
  readonly #origins = new OriginCache();
  #closed = false;
  #running = 0;
  #whenIdle: (() => void)[] = [];

  constructor(options: MeshDispatcherOptions) {
    super();
    this.#options = options;
    const { clock, random, identity, pipeline, telemetry, rotationJitterMs, open } = options;
    const onError = (error: Error): void => options.log?.(`outbound request: ${error.message}`);
    this.#pools = new EndpointPools({ identity, clock, random, onError, rotationJitterMs, open });
    const onFinished = (): void => this.#onFinished();
    this.#env = {
      pipeline,
      pools: this.#pools,
      deadlines: new DeadlineQueues(clock),
      clock,
      random,
      telemetry,
      hold: new ProcessHold(),
      onError,
      onFinished,
    };
    this.#direct = new DirectDispatch(options.direct);
  }

  /** Carries out the active health checks of clusters; for `ClusterStates`. */
  get healthProbe(): HealthProbe {
    return createHealthProbe((target, done) => this.#pools.connect(target, done), this.#env.onError);
  }

  /** Asks hosts for their load; for `ClusterStates`. */
  get loadStreams(): OpenLoadStream {
    return createLoadStreams((target, done) => this.#pools.connect(target, done), this.#env.onError);
  }

  /** Connections now open to endpoints. */
  get connections(): number {
    return this.#pools.size;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.dispatchVia(undefined, options, handler);
  }

  /** As `dispatch`; what the mesh doesn't decrypt goes out through `next` (the interceptor's own dispatcher). */
  dispatchVia(next: Dispatcher.Dispatch | undefined, options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    // Built-in fetch of Node 22 and 24 hands an old-shape handler to an explicit dispatcher; unwrapped it would hang.
    const app = wrapHandler(handler);
    if (this.#closed) return refuse(app, new errors.ClientClosedError());
    const origin = options.origin == null ? undefined : this.#origins.parse(options.origin);
    if (origin === undefined)
      return refuse(app, new errors.InvalidArgumentError(`invalid origin ${String(options.origin)}: an http: or https: URL is needed`));
    const snapshot = this.#options.snapshots.current;
    if (snapshot === undefined)
      return refuse(app, new RequestError('RIPSTOP_NOT_READY', 'the mesh has no configuration yet; await mesh.ready() first', 0, ''));
    if (origin.scheme === 'https') return this.#direct.dispatch(snapshot, origin, options, app, next);
    const { clock, telemetry } = this.#env;
    let head: OutboundHead;
    try {
      head = headOf(origin, options);
    } catch (error) {
      return refuse(app, error as Error);
    }
    const x = new Exchange({
      direction: 'outbound',
      protocol: isGrpcContentType(head.header('content-type')) ? 'grpc' : 'http1',
      request: head,
      snapshot,
      manager: snapshot.outbound.forPort(origin.port) ?? snapshot.outbound.catchAll,
      peer: NO_PEER,
      port: origin.port,
      startedAt: clock.now(),
      parent: telemetry.current(),
    });
    this.#running++;
    const exchange = new AttemptHandler(this.#env, x, app, options.body, typeof options.upgrade === 'string' ? options.upgrade : undefined);
    if (hasContent(options.body)) x.body = exchange;
    exchange.begin();
    return true;
  }

  /** Sends on an exchange that a listener has begun: its route is chosen and its filters have run. */
  forward(x: Exchange, body: Dispatcher.DispatchOptions['body'], handler: Dispatcher.DispatchHandler, upgrade?: string): void {
    this.#running++;
    new AttemptHandler(this.#env, x, handler, body, upgrade).forward();
  }

  /** A connection that carries bytes, to a leased endpoint. It is in no pool, counts for no limit, and is the caller's to end. */
  openStream(
    { endpoint, cluster }: Lease,
    carried: CarriedEnds,
    done: (error: ConnectError | undefined, socket: Socket | undefined) => void,
  ): void {
    const { address, otherAddresses, port, transport } = endpoint;
    const { connection } = cluster;
    this.#pools.connect({ address, otherAddresses, port, transport, connection, protocol: 'bytes', authorityHost: '', carried }, done);
  }

  /** A call of a filter's own (see UpstreamCalls), over the same connections. */
  call(call: UpstreamHttpCall): Promise<UpstreamAnswer | NoAnswer> {
    return callUpstream(this.#env, call);
  }

  /** Refuses new requests, lets the running ones finish (for `closeTimeoutMs`), then closes the connections. */
  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    this.#closed = true;
    const timer = this.#env.clock.setTimer(() => this.#pools.destroy(), this.#options.closeTimeoutMs ?? DEFAULT_CLOSE_TIMEOUT_MS);
    const closed = this.#idle().then(() => {
      timer.cancel();
      this.#pools.close();
      return this.#direct.close();
    });
    if (callback === undefined) return closed;
    void closed.then(callback, callback);
    return undefined;
  }

  /** Ends every connection now. */
  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    this.#closed = true;
    this.#pools.destroy();
    const then = typeof error === 'function' ? error : callback;
    const destroyed = this.#direct.destroy(typeof error === 'function' ? null : (error ?? null));
    if (then === undefined) return destroyed;
    void destroyed.then(then, then);
    return undefined;
  }

  #idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #onFinished(): void {
    if (--this.#running > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

function refuse(app: Dispatcher.DispatchHandler, error: Error): true {
  app.onResponseError?.(undefined as never, error);
  return true;
}

function headOf(origin: Origin, options: Dispatcher.DispatchOptions): OutboundHead {
  const path = options.query == null ? options.path : withQuery(options.path, options.query);
  return new OutboundHead('http', origin.authority, options.method, path, options.headers);
}

/** undici's `query` option, which routes must see as part of the path. */
function withQuery(path: string, query: Record<string, unknown>): string {
  if (path.includes('?') || path.includes('#'))
    throw new errors.InvalidArgumentError('query cannot be passed when the path already contains "?" or "#"');
  const text = stringify(query as Record<string, string>);
  return text === '' ? path : `${path}?${text}`;
}
