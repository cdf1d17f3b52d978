import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type BodyStart,
  bodyIdleMs,
  type ContentCoding,
  type Exchange,
  isGrpcContentType,
  type LocalReply,
  maxDurationReply,
  type RequestBody,
  ResponseFlag,
  resetReply,
  streamIdleReply,
  streamLimitOf,
  type Timer,
} from '@ripstop/core';
import { BodyEncoder } from './body-encoder.ts';
import { readBodyInTime } from './body-start.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { ListenerParts } from './listener-parts.ts';
import { hasBody, isSending, UNSENDABLE_REPLY, writeLocalReply } from './local-response.ts';
import { timeRequest } from './request-timer.ts';
import { AppResponseHead } from './response-heads.ts';
import { endPlain, muteResponse, type ResponseWatcher, watchRequestBody, watchResponse, writePlain } from './response-hooks.ts';
import { closeSoftlyAtLast } from './soft-close.ts';
import { watchStatusLine } from './upgrade-status.ts';

const UNCOUNTED_BYTES = 65_536;

/** One request that this process answers, from its verdict to the end of the response. */
export class InboundExchange implements ResponseWatcher, RequestBody {
  readonly x: Exchange;
  /** 100 Continue was said already: a filter wanted to see the body. */
  continued = false;
  private readonly parts: ListenerParts;
  private readonly connection: InboundConnection;
  /** See ResponseWatcher. */
  encoder: BodyEncoder | undefined = undefined;
  private timer: Timer | undefined = undefined;
  private requestTimer: Timer | undefined = undefined;
  private response: ServerResponse | undefined = undefined;
  private requestBytes = 0;
  private responseBytes = 0;
  /** The mesh answers: its head has passed the filters before it is written. */
  private local = false;
  private done = false;
  private left = false;
  /** The app, or a forwarder, has the response in hand. */
  private handed = false;

  constructor(parts: ListenerParts, connection: InboundConnection, x: Exchange) {
    this.parts = parts;
    this.connection = connection;
    this.x = x;
    connection.begin();
  }

  /** Watches the response and its end, whoever makes it. */
  watch(request: IncomingMessage, response: ServerResponse): void {
    this.response = response;
    this.connection.latest = this;
    watchResponse(response, this);
    if (hasBody(request)) this.requestTimer = timeRequest(this, this.parts.clock);
    const length = request.headers['content-length'];
    if (this.x.manager.keepsTimes && hasBody(request)) {
      watchRequestBody(request, this);
      return;
    }
    // A caller that breaks off has not sent what it announced; for small bodies that is not worth a count.
    if (length !== undefined && Number(length) <= UNCOUNTED_BYTES) this.requestBytes = Number(length);
    else if (length !== undefined) watchRequestBody(request, this);
    else if (request.headers['transfer-encoding'] !== undefined) watchRequestBody(request, this);
  }

  /** See RequestBody. */
  read(bytes: number): Promise<BodyStart> {
    const response = this.response!;
    if (!this.continued && response.req.headers.expect?.toLowerCase() === '100-continue') {
      this.continued = true;
      response.writeContinue();
    }
    return readBodyInTime(response.req, bytes, {
      clock: this.parts.clock,
      idleMs: bodyIdleMs(this.x),
      onIdle: () => this.reply(streamIdleReply(false)),
    });
  }

  /** The mesh has answered: whoever waited for a verdict waited in vain. */
  get answered(): boolean {
    return this.local;
  }

  /** The app answers, in time or not. */
  serve(): void {
    this.handed = true;
    const action = this.x.route?.action;
    if (action?.kind !== 'inbound') return;
    // The sooner of the two decides; the timeout belongs to the route, the duration to the stream.
    const { timeoutMs } = action;
    const maxStreamDurationMs = streamLimitOf(this.x, action);
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
    const { clock, pipeline } = this.parts;
    if (isSending(response.req)) {
      this.connection.ended = true;
      closeSoftlyAtLast(this.connection.socket, clock);
    }
    try {
      writeLocalReply(x, reply, pipeline, response, clock.wallTime());
    } catch (error) {
      this.replyFailed(reply, error, response);
    }
    // The app does not know yet: what it writes now is for nobody, and must not throw.
    if (this.handed) muteResponse(response);
  }

  /** An authorizer may answer what no response can carry: nobody else is to pay for it. */
  private replyFailed(reply: LocalReply, error: unknown, response: ServerResponse): void {
    this.tell('reply', error);
    if (reply !== UNSENDABLE_REPLY && !response.headersSent) this.reply(UNSENDABLE_REPLY);
    else response.destroy();
  }

  /** See TimedRequest. */
  get awaitsRequest(): boolean {
    return this.receiving && !this.done && this.response?.headersSent === false;
  }

  /** Whether the rest of its request is still to come. */
  get receiving(): boolean {
    return !this.left && this.response?.req.complete === false;
  }

  /** An upgraded connection: it ends with its socket. */
  watchSocket(socket: Duplex): void {
    const counted = socket as { readonly bytesRead?: number; readonly bytesWritten?: number };
    const { bytesRead: readBefore = 0, bytesWritten: writtenBefore = 0 } = counted;
    const statusOf = watchStatusLine(socket);
    socket.once('close', () => {
      this.requestBytes = (counted.bytesRead ?? 0) - readBefore;
      this.responseBytes = (counted.bytesWritten ?? 0) - writtenBefore;
      this.finish(statusOf());
    });
  }

  /** A forwarder took the exchange over: it ends it, and only the connection's own book is kept here. */
  handOver(stream: { once(event: 'close', run: () => void): unknown }): void {
    this.done = true;
    this.handed = true;
    this.requestTimer?.cancel(); // The forwarder keeps the time from here.
    stream.once('close', () => this.leave());
  }

  /** Response headers are about to be written. */
  onHead(response: ServerResponse): void {
    if (this.connection.closing) response.shouldKeepAlive = false;
    if (!this.watchesHead) return;
    try {
      this.parts.pipeline.respond(this.x, new AppResponseHead(response));
      if (this.x.responseCoding !== undefined) this.encode(response, this.x.responseCoding);
    } catch (error) {
      // Half applied operations are not sent: what they should have removed may be in it.
      this.tell('response', error);
      response.destroy();
    }
  }

  /** Whether anything wants to see or change the head that the app writes. */
  get watchesHead(): boolean {
    const { route, clusterHeaders } = this.x;
    if (this.local || this.done || route === undefined) return false;
    if (this.x.manager.keepsTimes) return true;
    if (route.headers !== undefined || clusterHeaders !== undefined) return true;
    const { filters } = route;
    for (let index = 0; index < filters.length; index++) if (filters[index]!.onResponse !== undefined) return true;
    return false;
  }

  get encodes(): boolean {
    return this.x.offeredCodings !== undefined && !this.local && !this.done;
  }

  private encode(response: ServerResponse, coding: ContentCoding): void {
    const encoder = new BodyEncoder(coding, {
      write: (chunk) => writePlain(response, chunk),
      end: () => endPlain(response),
      onDrain: () => response.emit('drain'),
    });
    response.on('drain', () => encoder.resume());
    this.encoder = encoder;
  }

  onResponseBytes(bytes: number): void {
    this.responseBytes += bytes;
  }

  onRequestBytes(bytes: number): void {
    this.requestBytes += bytes;
  }

  onRequestEnd(): void {
    if (this.x.manager.keepsTimes) this.x.requestEndedAt = this.parts.clock.now();
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
    this.encoder?.destroy();
    this.timer?.cancel();
    this.requestTimer?.cancel();
    const { x, parts } = this;
    const grpcStatus = x.protocol === 'grpc' && this.response !== undefined ? grpcStatusOf(this.response) : undefined;
    const bodiless = x.request.method === 'HEAD' || status === 204 || status === 304;
    const outcome = {
      status,
      grpcStatus,
      requestBytes: this.requestBytes,
      responseBytes: bodiless ? 0 : this.responseBytes,
      endedAt: parts.clock.now(),
    };
    try {
      parts.pipeline.end(x, outcome);
    } catch (error) {
      this.tell('end', error);
    }
    parts.telemetry.onEnd(x, outcome);
    this.leave();
  }

  private tell(phase: string, error: unknown): void {
    const { method, path } = this.x.request;
    this.parts.log?.(`inbound ${method} ${path}: a filter failed at ${phase}: ${error instanceof Error ? error.message : String(error)}`);
  }

  private leave(): void {
    if (this.left) return;
    this.left = true;
    if (this.connection.latest === this) this.connection.latest = undefined;
    this.connection.release();
  }
}

function grpcStatusOf(response: ServerResponse): number | undefined {
  const value = response.getHeader('grpc-status');
  const status = Number(value);
  return value !== undefined && isGrpcContentType(String(response.getHeader('content-type') ?? '')) && Number.isInteger(status)
    ? status
    : undefined;
}
