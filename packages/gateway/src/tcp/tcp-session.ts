import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  type Clock,
  type Cluster,
  ConnectionAdmission,
  createTcpExchange,
  type Exchange,
  isLease,
  type Lease,
  type LocalReply,
  type Outcome,
  ResponseFlag,
  type TcpProxy,
  type TelemetrySink,
  type Timer,
} from '@ripstop/core';
import type { StreamConnection } from '@ripstop/server';
import type { ConnectError, MeshDispatcher } from '@ripstop/undici';
import { carryBytes } from './byte-flow.ts';

export interface TcpEnvironment {
  readonly dispatcher: Pick<MeshDispatcher, 'openStream'>;
  readonly clock: Clock;
  readonly telemetry: TelemetrySink;
  readonly log?: ((line: string) => void) | undefined;
}

/** Of limits of connections and of their rate. */
const LIMITED_STATUS = 503;

/**
 * One connection through a chain of bytes, as Envoy's tcp_proxy carries it: judged by the filters, led to an endpoint of a drawn
 * cluster, then copied both ways until both sides have said that they are done. Told to telemetry once, at its end.
 */
export class TcpSession {
  private readonly env: TcpEnvironment;
  private readonly proxy: TcpProxy;
  private readonly x: Exchange;
  private readonly admission: ConnectionAdmission;
  private readonly downstream: Socket;
  private readonly timers = new Set<Timer>();
  private upstream: Socket | undefined;
  /** Gives the endpoint and its place among the cluster's connections back. */
  private giveBack: (() => void) | undefined;
  private requestBytes = 0;
  private responseBytes = 0;
  private lastByteAt = 0;
  private ended = false;

  constructor(env: TcpEnvironment, { chain, snapshot, peer, facts, socket }: StreamConnection) {
    this.env = env;
    this.proxy = chain.tcp;
    this.downstream = socket;
    this.x = createTcpExchange({ proxy: chain.tcp, snapshot, peer, port: facts.port, startedAt: env.clock.now() });
    this.admission = new ConnectionAdmission(chain.tcp.filters, this.x, (line) => env.log?.(line));
  }

  begin(): void {
    const { downstream, proxy } = this;
    downstream.once('error', (error) => {
      if (isReset(error) && this.upstream !== undefined) reset(this.upstream);
    });
    downstream.once('close', () => this.onDownstreamClosed());
    const { maxDurationMs } = proxy;
    if (maxDurationMs > 0) this.after(maxDurationMs, () => this.fail(ResponseFlag.DurationTimeout));
    this.admission.judge((denied) => {
      if (downstream.destroyed) this.end();
      else if (denied === undefined) this.connect();
      else this.deny(denied);
    });
  }

  private deny({ status, flags, details }: LocalReply): void {
    const { x } = this;
    x.flags |= flags;
    // Envoy tells an authorizer's verdict as of a response, a policy's as of the end of a connection, and nothing of a limit.
    if ((flags & ResponseFlag.UnauthorizedExternalService) !== 0) x.details = details;
    else if (status !== LIMITED_STATUS) x.terminationDetails = details;
    if (this.downstream.destroyed) this.end();
    else this.downstream.destroy();
  }

  /** Envoy: establishUpstreamConnection. The cluster is drawn again for each attempt. */
  private connect(): void {
    const { proxy, x } = this;
    const cluster = x.snapshot.clusters.get(proxy.chooseCluster(x));
    if (cluster === undefined) {
      this.fail(ResponseFlag.NoClusterFound);
      return;
    }
    x.cluster = cluster;
    const { connections } = cluster.resources;
    if (!connections.tryTake()) {
      this.fail(ResponseFlag.UpstreamOverflow);
      return;
    }
    if (x.attempt >= proxy.maxConnectAttempts) {
      connections.give();
      this.fail(ResponseFlag.UpstreamRetryLimitExceeded);
      return;
    }
    x.attempt++;
    proxy.hash?.(x);
    const leased = cluster.acquire(x);
    if (isLease(leased)) this.dial(leased, cluster);
    else {
      connections.give();
      this.fail(leased.flags);
    }
  }

  private dial(lease: Lease, cluster: Cluster): void {
    const { x } = this;
    x.endpoint = lease.endpoint;
    this.env.dispatcher.openStream(lease, x.peer, (failure, socket) => {
      if (failure !== undefined) {
        lease.release({ kind: 'reset', reason: failure.reason });
        cluster.resources.connections.give();
        this.onConnectFailure(failure);
        return;
      }
      lease.answered(200, undefined); // A connection that stands counts as a success (Envoy: LOCAL_ORIGIN_CONNECT_SUCCESS_FINAL).
      this.giveBack = () => {
        lease.release({ kind: 'complete' });
        cluster.resources.connections.give();
      };
      this.carry(socket!);
    });
  }

  private onConnectFailure({ transportFailure }: ConnectError): void {
    const { x } = this;
    x.flags |= ResponseFlag.UpstreamConnectionFailure;
    x.transportFailure = transportFailure;
    if (this.downstream.destroyed) this.end();
    else this.connect();
  }

  private carry(upstream: Socket): void {
    const { downstream, x, proxy } = this;
    this.upstream = upstream;
    upstream.once('error', (error) => this.onUpstreamError(error));
    upstream.once('close', () => this.onUpstreamClosed());
    if (downstream.destroyed) {
      upstream.destroy();
      return;
    }
    if (upstream.localAddress !== undefined) x.upstreamLocalAddress = `${upstream.localAddress}:${upstream.localPort}`;
    this.env.telemetry.onOpen?.(x, () => this.outcome());
    this.lastByteAt = this.env.clock.now();
    carryBytes(downstream, upstream, (count) => {
      this.requestBytes += count;
      this.lastByteAt = this.env.clock.now();
    });
    carryBytes(upstream, downstream, (count) => {
      this.responseBytes += count;
      this.lastByteAt = this.env.clock.now();
    });
    if (proxy.idleTimeoutMs > 0) this.watchIdle(proxy.idleTimeoutMs);
  }

  private watchIdle(timeoutMs: number): void {
    const leftMs = this.lastByteAt + timeoutMs - this.env.clock.now();
    if (leftMs > 0) this.after(leftMs, () => this.watchIdle(timeoutMs));
    else this.downstream.destroy();
  }

  private fail(flag: number): void {
    this.x.flags |= flag;
    this.downstream.destroy();
  }

  /** A reset goes on as a reset: what came is not all there was. */
  private onUpstreamError(error: Error): void {
    if (!isReset(error) || this.downstream.destroyed) return;
    this.x.flags |= ResponseFlag.UpstreamRemoteReset;
    reset(this.downstream);
  }

  /** What came from there is still handed on. */
  private onUpstreamClosed(): void {
    this.giveBack?.();
    this.giveBack = undefined;
    if (this.downstream.destroyed) this.end();
    else this.downstream.destroySoon();
  }

  private onDownstreamClosed(): void {
    if (this.upstream === undefined || this.upstream.destroyed) this.end();
    else this.upstream.destroy();
  }

  /** When both sides are gone. While an endpoint is dialled, its answer comes first. */
  private end(): void {
    if (this.ended) return;
    this.ended = true;
    for (const timer of this.timers) timer.cancel();
    const outcome = this.outcome();
    this.admission.end(outcome);
    this.env.telemetry.onEnd(this.x, outcome);
  }

  private outcome(): Outcome {
    const { requestBytes, responseBytes } = this;
    return { status: 0, grpcStatus: undefined, requestBytes, responseBytes, endedAt: this.env.clock.now() };
  }

  private after(delayMs: number, run: () => void): void {
    const timer = this.env.clock.setTimer(() => {
      this.timers.delete(timer);
      run();
    }, delayMs);
    this.timers.add(timer);
  }
}

function isReset(error: Error): boolean {
  return (error as { readonly code?: unknown }).code === 'ECONNRESET';
}

/** Over TLS only an end without its notice is possible. */
function reset(socket: Socket): void {
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
