import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Exchange } from '@ripstop/core';
import { BodyEncoder, type EncodedBody } from '@ripstop/server';
import type { MeshDispatcher } from '@ripstop/undici';

/** What the dispatcher reports to. */
type Handler = Parameters<MeshDispatcher['forward']>[2];
type Controller = Parameters<NonNullable<Handler['onResponseData']>>[0];
type Upstream = Parameters<NonNullable<Handler['onRequestUpgrade']>>[3];
type Headers = Parameters<NonNullable<Handler['onResponseStart']>>[2];

/** Headers that belong to one connection; node:http writes its own for the caller's. */
const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

const CALLER_GONE = 'the caller closed the connection';

/** Carries an exchange's response from the dispatcher to the caller: head, chunks with backpressure, trailers, upgrades, resets. */
export class DownstreamResponse implements Handler, EncodedBody {
  private readonly x: Exchange;
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;
  private readonly firstBytes: Buffer | undefined;
  private controller: Controller | undefined;
  private ended = false;
  private encoder: BodyEncoder | undefined;

  /** `firstBytes`: what came behind the head of an upgrade request. */
  constructor(x: Exchange, request: IncomingMessage, response: ServerResponse, firstBytes?: Buffer) {
    this.x = x;
    this.request = request;
    this.response = response;
    this.firstBytes = firstBytes;
    response.on('close', () => {
      // The caller went away, or was refused in the middle of its body: nobody waits for the rest.
      if (!this.ended) this.controller?.abort(new Error(CALLER_GONE));
      this.encoder?.destroy();
    });
    response.on('drain', () => {
      if (this.encoder === undefined) this.controller?.resume();
      else this.encoder.resume();
    });
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller;
    if (this.response.destroyed) controller.abort(new Error(CALLER_GONE));
  }

  onResponseStart(_controller: Controller, status: number, headers: Headers, statusMessage?: string): void {
    if (status < 200) return; // The caller has its 100 already; Envoy's router sends no other one on.
    this.response.writeHead(status, statusMessage ?? '', this.downstreamHeaders(headers));
    const { responseCoding } = this.x;
    if (responseCoding !== undefined) this.encoder = new BodyEncoder(responseCoding, this);
  }

  // ── where the encoded body goes ──

  write(chunk: Buffer): boolean {
    return this.response.write(chunk);
  }

  end(): void {
    this.response.end();
  }

  onDrain(): void {
    this.controller?.resume();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (!(this.encoder ?? this.response).write(chunk)) controller.pause();
  }

  onResponseEnd(_controller: Controller, trailers: Headers): void {
    if (Object.keys(trailers).length > 0) this.response.addTrailers(trailers as Record<string, string>);
    this.ended = true;
    (this.encoder ?? this.response).end();
  }

  /** Only after the head was sent; everything before is a response that the mesh made. The caller must see that the body is cut short. */
  onResponseError(): void {
    this.ended = true;
    this.response.destroy();
  }

  onRequestUpgrade(_controller: Controller, status: number, headers: Headers, upstream: Upstream): void {
    const { socket } = this.request;
    this.response.detachSocket(socket);
    this.controller = undefined;
    this.ended = true;
    const lines = Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().map((one) => `${name}: ${one}`));
    socket.write(`HTTP/1.1 ${status} Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
    if (this.firstBytes !== undefined && this.firstBytes.length > 0) upstream.write(this.firstBytes);
    upstream.pipe(socket);
    socket.pipe(upstream);
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => socket.destroy());
    socket.once('error', () => upstream.destroy());
    upstream.once('error', () => socket.destroy());
  }

  private downstreamHeaders(headers: Headers): Record<string, string | string[]> {
    const kept: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(headers)) if (value !== undefined && !HOP_BY_HOP.has(name)) kept[name] = value;
    // Envoy's server_header_transformation is OVERWRITE unless configured.
    if (this.x.manager.serverName !== '') kept.server = this.x.manager.serverName;
    // The mesh answers in the middle of the request: its rest is not read. What an upstream answers then leaves the connection open.
    if (this.x.details !== '' && !this.request.complete) kept.connection = 'close';
    return kept;
  }
}
