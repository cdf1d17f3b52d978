import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Exchange, type LocalReply, maxDurationReply, ResponseFlag, resetReply, type Timer } from '@ripstop/core';
import type { InboundConnection } from './inbound-connection.ts';
import type { ListenerParts } from './listener-parts.ts';
import { isGrpc, writeLocalReply } from './local-response.ts';
import { AppResponseHead } from './response-heads.ts';
import { type ResponseWatcher, watchRequestBody, watchResponse } from './response-hooks.ts';

/** One request that this process answers, from its verdict to the end of the response. */
export class InboundExchange implements ResponseWatcher {
  readonly x: Exchange;
  private readonly parts: ListenerParts;
  private readonly connection: InboundConnection;
  private timer: Timer | undefined = undefined;
  private response: ServerResponse | undefined = undefined;
  private requestBytes = 0;
  private responseBytes = 0;
  /** The mesh answers: its head has passed the filters before it is written. */
  private local = false;
  private done = false;

  constructor(parts: ListenerParts, connection: InboundConnection, x: Exchange) {
    this.parts = parts;
    this.connection = connection;
    this.x = x;
    connection.active++;
  }

  /** Watches the response and its end, whoever makes it. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    this.response = response;
    watchResponse(response, this);
    const length = request.headers['content-length'];
    if (length !== undefined) this.requestBytes = Number(length);
    else if (request.headers['transfer-encoding'] !== undefined) watchRequestBody(request, this);
  }

  /** The app answers, in time or not. */
  serve(): void {
    const action = this.x.route?.action;
    if (action?.kind !== 'inbound') return;
    // The sooner of the two decides; the timeout belongs to the route, the duration to the stream.
    const { timeoutMs, maxStreamDurationMs } = action;
    if (timeoutMs > 0 && (maxStreamDurationMs === 0 || timeoutMs <= maxStreamDurationMs))
      this.limit(timeoutMs, resetReply('global-timeout', 1, ''));
    else if (maxStreamDurationMs > 0) this.limit(maxStreamDurationMs, maxDurationReply());
  }

  /** Answers in the app's place. */
  reply(reply: LocalReply): void {
    const { x, response } = this;
    x.flags |= reply.flags;
    x.details = reply.details;
    if (response === undefined || response.headersSent || response.destroyed) {
      response?.destroy();
      return;
    }
    this.local = true;
    writeLocalReply(x, reply, this.parts.pipeline, response, this.parts.clock.wallTime());
  }

  /** An upgraded connection: it ends with its socket. */
  watchSocket(socket: Duplex): void {
    socket.once('close', () => {
      const { bytesRead, bytesWritten } = socket as { bytesRead?: number; bytesWritten?: number };
      this.requestBytes = bytesRead ?? 0;
      this.responseBytes = bytesWritten ?? 0;
      this.finish(101);
    });
  }

  /** A forwarder took the exchange over: it ends it, and only the connection's own book is kept here. */
  handOver(stream: { once(event: 'close', run: () => void): unknown }): void {
    this.done = true;
    stream.once('close', () => this.leave());
  }

  /** Response headers are about to be written. */
  onHead(response: ServerResponse): void {
    if (this.connection.closing) response.shouldKeepAlive = false;
    if (this.watchesHead) this.parts.pipeline.respond(this.x, new AppResponseHead(response));
  }

  /** Whether anything wants to see or change the head that the app writes. */
  get watchesHead(): boolean {
    const { route, clusterHeaders } = this.x;
    if (this.local || this.done || route === undefined) return false;
    return route.headers !== undefined || clusterHeaders !== undefined || route.filters.some((filter) => filter.onResponse !== undefined);
  }

  onResponseBytes(bytes: number): void {
    this.responseBytes += bytes;
  }

  onRequestBytes(bytes: number): void {
    this.requestBytes += bytes;
  }

  onResponseClosed(response: ServerResponse): void {
    if (!response.writableFinished) {
      this.x.flags |= ResponseFlag.DownstreamConnectionTermination;
      this.x.details = 'downstream_remote_disconnect';
    }
    this.finish(response.headersSent ? response.statusCode : 0);
  }

  private limit(delayMs: number, reply: LocalReply): void {
    this.timer = this.parts.clock.setTimer(() => {
      if (!this.done) this.reply(reply);
    }, delayMs);
  }

  private finish(status: number): void {
    if (this.done) return;
    this.done = true;
    this.timer?.cancel();
    const { x, parts } = this;
    const grpcStatus = x.protocol === 'grpc' && this.response !== undefined ? grpcStatusOf(this.response) : undefined;
    const outcome = {
      status,
      grpcStatus,
      requestBytes: this.requestBytes,
      responseBytes: this.responseBytes,
      endedAt: parts.clock.now(),
    };
    parts.pipeline.end(x, outcome);
    parts.telemetry.onEnd(x, outcome);
    this.leave();
  }

  private leave(): void {
    this.connection.release();
    if (this.connection.closing && this.connection.active === 0) this.connection.retire();
  }
}

function grpcStatusOf(response: ServerResponse): number | undefined {
  const value = response.getHeader('grpc-status');
  const status = Number(value);
  return value !== undefined && isGrpc(String(response.getHeader('content-type') ?? '')) && Number.isInteger(status) ? status : undefined;
}
