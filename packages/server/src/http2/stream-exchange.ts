import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import {
  type BodyStart,
  bodyIdleMs,
  type ContentCoding,
  type Exchange,
  type LocalReply,
  maxDurationReply,
  PREMATURE_MS,
  type RequestBody,
  ResponseFlag,
  resetReply,
  streamIdleReply,
  streamLimitOf,
  type Timer,
} from '@ripstop/core';
import { BodyEncoder, type EncodedBody } from '../body-encoder.ts';
import { readBodyInTime } from '../body-start.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import type { ListenerParts } from '../listener-parts.ts';
import { UNSENDABLE_REPLY } from '../local-response.ts';
import { timeRequest } from '../request-timer.ts';
import { sizeOf } from '../response-hooks.ts';
import { headersOf, StreamResponseHead } from './stream-heads.ts';
import { replyOnStream } from './stream-reply.ts';

type Call = (...args: unknown[]) => unknown;

/** One HTTP/2 stream that this process answers, from its verdict to its end. */
export class StreamExchange implements RequestBody {
  readonly x: Exchange;
  readonly stream: ServerHttp2Stream;
  private readonly parts: ListenerParts;
  private readonly connection: InboundConnection;
  private target: EncodedBody | undefined = undefined;
  private encoder: BodyEncoder | undefined = undefined;
  private timer: Timer | undefined = undefined;
  private requestBytes = 0;
  private responseBytes = 0;
  private grpcStatus: number | undefined = undefined;
  /** The mesh answers: its head has passed the filters before it is written. */
  private local = false;
  private handed = false;
  /** 100 Continue was said already. */
  private continued = false;
  private requestTimer: Timer | undefined = undefined;
  private requestEnded = false;
  private done = false;
  /** The app let go of the caller. */
  private appReset = false;

  constructor(parts: ListenerParts, connection: InboundConnection, x: Exchange, stream: ServerHttp2Stream) {
    this.parts = parts;
    this.connection = connection;
    this.x = x;
    this.stream = stream;
    connection.begin();
    stream.once('close', () => this.onClosed());
    if (!stream.endAfterHeaders) this.requestTimer = timeRequest(this, parts.clock);
    if (this.requestTimer !== undefined) this.watchEnd(this.requestTimer);
  }

  /** See RequestBody. */
  read(bytes: number): Promise<BodyStart> {
    const { stream } = this;
    if (this.x.request.header('expect')?.toLowerCase() === '100-continue' && !stream.headersSent && !this.continued) {
      this.continued = true;
      stream.additionalHeaders({ ':status': 100 });
    }
    return readBodyInTime(stream, bytes, {
      clock: this.parts.clock,
      idleMs: bodyIdleMs(this.x),
      onIdle: () => this.reply(streamIdleReply(false)),
    });
  }

  /** See InboundExchange. */
  get answered(): boolean {
    return this.local;
  }

  /** The app answers, in time or not: its response is seen on its way out. */
  serve(): void {
    this.handed = true;
    this.watchReset();
    this.watchResponse();
    this.watchBody();
    const action = this.x.route?.action;
    if (action?.kind !== 'inbound') return;
    const { timeoutMs } = action;
    const maxStreamDurationMs = streamLimitOf(this.x, action);
    if (timeoutMs > 0 && (maxStreamDurationMs === 0 || timeoutMs <= maxStreamDurationMs))
      this.limit(timeoutMs, resetReply('global-timeout', 1, ''));
    else if (maxStreamDurationMs > 0) this.limit(maxStreamDurationMs, maxDurationReply());
  }

  /** Another driver forwards the exchange and ends it; only the connection's own book is kept here. */
  handOver(): void {
    this.done = true;
    this.handed = true;
    this.requestTimer?.cancel(); // The forwarder keeps the time from here.
    this.watchReset();
  }

  /** Answers in the app's place. */
  reply(reply: LocalReply): void {
    const { x, stream } = this;
    x.flags |= reply.flags;
    x.details = reply.details;
    if (stream.destroyed || stream.closed) return;
    if (stream.headersSent) {
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      return;
    }
    this.local = true;
    const { clock, pipeline } = this.parts;
    try {
      replyOnStream(x, reply, pipeline, stream, clock.wallTime());
    } catch (error) {
      this.tell('reply', error);
      if (reply === UNSENDABLE_REPLY || stream.headersSent) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else this.reply(UNSENDABLE_REPLY);
      return;
    }
    if (this.handed) mute(stream);
  }

  /** Lets go of a caller that does not speak HTTP. */
  reset(code: number): void {
    this.local = true;
    this.x.flags |= ResponseFlag.DownstreamProtocolError;
    this.x.details = 'http2.violation.of.messaging.rule';
    this.stream.close(code);
  }

  /** See TimedRequest. */
  get awaitsRequest(): boolean {
    const { stream } = this;
    return !this.requestEnded && !this.done && !this.local && !stream.headersSent && !stream.destroyed && !stream.closed;
  }

  private watchEnd(timer: Timer): void {
    const { stream } = this;
    const { push } = stream;
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null) {
        this.requestEnded = true;
        timer.cancel();
      }
      return push.call(stream, chunk, encoding);
    };
  }

  private watchReset(): void {
    const { stream } = this;
    const { close } = stream;
    stream.close = (...args) => {
      this.appReset = true;
      close.apply(stream, args);
    };
  }

  private watchResponse(): void {
    const { stream } = this;
    const wrap = (name: 'respond' | 'respondWithFile' | 'respondWithFD', at: number): void => {
      const base = stream[name] as Call;
      (stream as unknown as Record<string, Call>)[name] = (...args) => {
        args[at] = this.onHead(args[at]);
        return base.apply(stream, args);
      };
    };
    wrap('respond', 0);
    wrap('respondWithFile', 1);
    wrap('respondWithFD', 1);
    const { sendTrailers, write, end } = stream;
    stream.sendTrailers = (trailers) => {
      this.noteStatus(trailers);
      sendTrailers.call(stream, trailers);
    };
    const plain = (chunk: unknown, ...rest: unknown[]): boolean => {
      this.responseBytes += sizeOf(chunk, rest[0]);
      return (write as Call).call(stream, chunk, ...rest) as boolean;
    };
    this.target = { write: plain, end: () => void (end as Call).call(stream), onDrain: () => stream.emit('drain') };
    stream.write = ((chunk: unknown, ...rest: unknown[]) => {
      if (this.encoder !== undefined) return this.encoder.write(chunk, ...rest);
      return plain(chunk, ...rest);
    }) as typeof stream.write;
    stream.end = ((chunk?: unknown, ...rest: unknown[]) => {
      if (this.encoder !== undefined) {
        this.encoder.end(chunk, ...rest);
        return stream;
      }
      if (chunk !== undefined && chunk !== null && typeof chunk !== 'function') this.responseBytes += sizeOf(chunk, rest[0]);
      return (end as Call).call(stream, chunk, ...rest);
    }) as typeof stream.end;
  }

  private watchBody(): void {
    const { stream } = this;
    // What came together with the head is there already.
    this.requestBytes = stream.readableLength;
    const { push } = stream;
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      this.requestBytes += sizeOf(chunk, encoding);
      if (chunk === null && this.requestBytes > 0 && this.x.manager.keepsTimes) this.x.requestEndedAt = this.parts.clock.now();
      return push.call(stream, chunk, encoding);
    };
  }

  private onHead(given: unknown): OutgoingHttpHeaders {
    const headers = headersOf(given);
    if (!this.local && !this.done) {
      try {
        this.parts.pipeline.respond(this.x, new StreamResponseHead(headers));
        if (this.x.responseCoding !== undefined) this.encode(this.x.responseCoding);
      } catch (error) {
        // Half applied operations are not sent: what they should have removed may be in it.
        this.tell('response', error);
        this.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      }
    }
    this.noteStatus(headers);
    return headers;
  }

  private encode(coding: ContentCoding): void {
    const encoder = new BodyEncoder(coding, this.target!);
    this.stream.on('drain', () => encoder.resume());
    this.encoder = encoder;
  }

  private noteStatus(headers: OutgoingHttpHeaders): void {
    const status = headers['grpc-status'];
    if (this.x.protocol === 'grpc' && status !== undefined && Number.isInteger(Number(status))) this.grpcStatus = Number(status);
  }

  private limit(delayMs: number, reply: LocalReply): void {
    this.timer = this.parts.clock.setTimer(() => {
      if (!this.done) this.reply(reply);
    }, delayMs);
  }

  private onClosed(): void {
    const { stream, x, parts } = this;
    this.encoder?.destroy();
    this.requestTimer?.cancel();
    if (!this.done) {
      this.done = true;
      this.timer?.cancel();
      if (!this.local && (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR)) {
        x.flags |= ResponseFlag.DownstreamConnectionTermination;
        x.details = 'http2.remote_reset';
      }
      const status = Number(stream.sentHeaders?.[':status'] ?? 0);
      const outcome = {
        status,
        grpcStatus: this.grpcStatus,
        requestBytes: this.requestBytes,
        responseBytes: x.request.method === 'HEAD' || status === 204 || status === 304 ? 0 : this.responseBytes,
        endedAt: parts.clock.now(),
      };
      try {
        parts.pipeline.end(x, outcome);
      } catch (error) {
        this.tell('end', error);
      }
      parts.telemetry.onEnd(x, outcome);
    }
    this.connection.resets?.onEnded(this.premature);
    this.connection.release();
  }

  /** As Envoy counts it: the caller's fault, in the first second, before any response. What the app resets is not. */
  private get premature(): boolean {
    const { stream, x } = this;
    return (
      !this.appReset &&
      stream.sentHeaders?.[':status'] === undefined &&
      (stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR) &&
      this.parts.clock.now() - x.startedAt <= PREMATURE_MS
    );
  }

  private tell(phase: string, error: unknown): void {
    const { method, path } = this.x.request;
    this.parts.log?.(`inbound ${method} ${path}: a filter failed at ${phase}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The app does not know yet that its stream was answered: what it writes now is for nobody, and must not throw. */
function mute(stream: ServerHttp2Stream): void {
  Object.defineProperty(stream, 'headersSent', { value: false });
  const nothing = (): void => {};
  Object.assign(stream, {
    respond: nothing,
    respondWithFile: nothing,
    respondWithFD: nothing,
    additionalHeaders: nothing,
    sendTrailers: nothing,
    write: () => true,
    end: () => stream,
  });
}
