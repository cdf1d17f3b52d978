import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { ServerResponse as PlainResponse } from 'node:http';
import { Http2ServerRequest } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { Exchange, isGrpcContentType, type LocalReply, localReply, noRouteReply, type TelemetrySink } from '@ripstop/core';
import type { Http1AppServer } from './app-server.ts';
import { type ParserError, refuseBytes, replyToParserError } from './client-error.ts';
import type { ConnectionGate } from './connection-gate.ts';
import { HeadTimer } from './head-timer.ts';
import { dropBridgeHeaders, type Http1Bridge } from './http2/http1-bridge.ts';
import type { StreamExchange } from './http2/stream-exchange.ts';
import type { InboundConnection } from './inbound-connection.ts';
import { InboundExchange } from './inbound-exchange.ts';
import { InboundHead } from './inbound-head.ts';
import type { ListenerParts } from './listener-parts.ts';
import { hasBody } from './local-response.ts';
import { isH2cUpgrade, refusedUpgrade, settleTarget, settleUnderscores } from './request-target.ts';

/** Runs once the pipeline has let an exchange pass. */
type Proceed = (served: InboundExchange) => void;
type Verdict = LocalReply | undefined | Promise<LocalReply | undefined>;

const FILTER_FAILED = localReply({ status: 500, details: 'ripstop_filter_failed', body: 'a filter of the mesh failed' });

/**
 * Stands in front of every listener of a server that reads HTTP/1, whenever it was or will be added, for all ways in which node:http hands out a
 * request: `request`, `checkContinue`, `checkExpectation`, `upgrade`, `connect`. Middleware cannot run before it and cannot be left out.
 */
export class InboundGuard {
  private readonly parts: ListenerParts;
  private readonly gate: ConnectionGate;
  private readonly server: Http1AppServer;
  private readonly bridge: Http1Bridge | undefined;
  private readonly emit: (event: string, ...args: unknown[]) => boolean;

  /** `bridge`: how HTTP/2 reaches a server that does not speak it. */
  constructor(parts: ListenerParts, gate: ConnectionGate, server: Http1AppServer, bridge: Http1Bridge | undefined) {
    this.parts = parts;
    this.gate = gate;
    this.server = server;
    this.bridge = bridge;
    this.emit = server.emit.bind(server) as InboundGuard['emit'];
    // With a listener node:http asks before it says 100 Continue: the caller must not send a body that is refused.
    server.on('checkContinue', saysContinue);
    server.on('checkExpectation', isAnsweredHere);
    server.on('connect', isAnsweredHere);
    (server as { maxHeaderSize?: number }).maxHeaderSize ??= MAX_HEADER_BYTES;
    keepH2cOnHttp1(server);
    if (parts.forwarder !== undefined) server.on('upgrade', isAnsweredHere);
    server.emit = ((event: string, ...args: unknown[]) => this.onEvent(event, args)) as Server['emit'];
  }

  /** Leaves the server as it was, but for its limits. */
  detach(): void {
    const { server } = this;
    server.off('checkContinue', saysContinue);
    server.off('checkExpectation', isAnsweredHere);
    server.off('connect', isAnsweredHere);
    server.off('upgrade', isAnsweredHere);
    server.emit = this.emit as Server['emit'];
  }

  /** Counts the time of heads on a connection that node:http reads already. */
  timeHeads(socket: Duplex, connection: InboundConnection): void {
    const { snapshots, clock } = this.parts;
    connection.heads = HeadTimer.of(connection, clock, (reply) => refuseBytes(reply, connection, snapshots, clock));
    connection.heads?.watch(socket);
  }

  private onEvent(event: string, args: unknown[]): boolean {
    switch (event) {
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
        this.onRequest(event, args[0] as IncomingMessage, args[1] as ServerResponse);
        return true;
      case 'clientError':
        return this.onClientError(args[0] as ParserError, args[1] as Socket);
      case 'upgrade':
      case 'connect':
        this.onSocket(event, args[0] as IncomingMessage, args[1] as Duplex, args[2] as Buffer);
        return true;
      default:
        return this.emit(event, ...args);
    }
  }

  private onRequest(event: string, request: IncomingMessage, response: ServerResponse): void {
    // Of the compatibility API: its stream was judged before this was made of it.
    if (request instanceof Http2ServerRequest) {
      this.hand(event, request, response);
      return;
    }
    const stream = this.bridge?.takeStream(request);
    if (stream !== undefined) {
      this.onStream(event, stream, request, response);
      return;
    }
    const connection = this.gate.connectionOf(request.socket);
    connection?.heads?.onRequest();
    if (connection !== undefined && connection.active > 0)
      connection.defer(request, () => this.takeRequest(connection, event, request, response));
    else this.takeRequest(connection, event, request, response);
  }

  /** All before it on its connection were answered. */
  private takeRequest(connection: InboundConnection | undefined, event: string, request: IncomingMessage, response: ServerResponse): void {
    const { forwarder, probes, telemetry } = this.parts;
    if (probes !== undefined && event === 'request' && this.mayProbe(connection, request.socket) && probes.has(request)) {
      this.answerProbe(connection, request, response);
      return;
    }
    this.begin(connection, request, response, (served) => {
      if (forwarder !== undefined) {
        served.handOver(response);
        if (event === 'checkContinue' && !served.continued) response.writeContinue();
        forwarder.request(served.x, request, response);
        return;
      }
      served.serve();
      if (hasBody(request)) keepContext(request, served.x, telemetry);
      const next = served.continued ? 'request' : event;
      // Behind it node:http does nothing more in this callback.
      if (telemetry.enter?.(served.x)) this.hand(next, request, response);
      else telemetry.run(served.x, () => this.hand(next, request, response));
    });
  }

  /** By the app, and nothing behind it: a connection gets one answer. */
  private answerProbe(connection: InboundConnection | undefined, request: IncomingMessage, response: ServerResponse): void {
    if (connection?.ended) return;
    if (connection !== undefined) {
      connection.ended = true;
      connection.begin();
      response.once('close', () => connection.release());
    }
    response.shouldKeepAlive = false;
    this.emit('request', request, response);
  }

  /** Who comes by plaintext; of the mesh, nobody is a probe. */
  private mayProbe(connection: InboundConnection | undefined, socket: Socket): boolean {
    return connection === undefined ? this.gate.takeProbing(socket) : !connection.secure;
  }

  /** It was judged as it came in by HTTP/2, and is watched there. */
  private onStream(event: string, { x }: StreamExchange, request: IncomingMessage, response: ServerResponse): void {
    const { forwarder, telemetry } = this.parts;
    dropBridgeHeaders(request);
    if (forwarder !== undefined) {
      if (event === 'checkContinue') response.writeContinue();
      forwarder.request(x, request, response);
      return;
    }
    if (hasBody(request)) keepContext(request, x, telemetry);
    telemetry.run(x, () => this.hand(event, request, response));
  }

  /** To the app's own listeners; ours count for none, and node:http's default takes their place. */
  private hand(event: string, request: IncomingMessage, response: ServerResponse): void {
    if (event === 'request' || this.server.listenerCount(event) > 1) {
      this.emit(event, request, response);
    } else if (event === 'checkContinue') {
      response.writeContinue();
      this.emit('request', request, response);
    } else response.writeHead(417).end();
  }

  /** As behind a sidecar, an app never hears of bytes that are no request. */
  private onClientError(error: ParserError, socket: Socket): boolean {
    const connection = this.gate.connectionOf(socket);
    const reply = replyToParserError(error);
    if (connection === undefined) socket.destroy();
    else if (reply !== undefined) refuseBytes(reply, connection, this.parts.snapshots, this.parts.clock);
    else socket.destroy();
    return true;
  }

  private onSocket(event: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.gate.connectionOf(request.socket);
    connection?.heads?.onRequest();
    if (connection !== undefined && connection.active > 0)
      connection.defer(request, () => this.takeSocket(connection, event, request, socket, head));
    else this.takeSocket(connection, event, request, socket, head);
  }

  private takeSocket(
    connection: InboundConnection | undefined,
    event: string,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): void {
    const response = responseFor(request, socket);
    const { forwarder, telemetry } = this.parts;
    this.begin(connection, request, response, (served) => {
      if (event === 'connect') {
        served.reply(noRouteReply());
        return;
      }
      if (forwarder !== undefined) {
        served.handOver(socket);
        forwarder.upgrade(served.x, request, response, head);
        return;
      }
      response.detachSocket(request.socket);
      served.watchSocket(socket);
      telemetry.run(served.x, () => this.emit(event, request, socket, head));
    });
  }

  private begin(connection: InboundConnection | undefined, request: IncomingMessage, response: ServerResponse, proceed: Proceed): void {
    if (connection?.ended) return; // Behind the last response: Envoy does not read it any more.
    const snapshot = this.parts.snapshots.current;
    const manager = snapshot === undefined ? undefined : connection?.manager(snapshot);
    if (connection === undefined || snapshot === undefined || manager === undefined) {
      // Its chain is gone: as a connection that is refused at the door.
      request.socket.destroy();
      return;
    }
    const { parts } = this;
    if (isH2cUpgrade(request)) dropUpgrade(request);
    const head = new InboundHead(request, connection.secure ? 'https' : 'http');
    const x = new Exchange({
      direction: parts.forwarder === undefined ? 'inbound' : 'outbound',
      protocol: isGrpcContentType(request.headers['content-type']) ? 'grpc' : 'http1',
      request: head,
      snapshot,
      manager,
      peer: connection.peer,
      port: connection.facts.port,
      startedAt: parts.clock.now(),
      binding: parts.binding,
    });
    this.gate.lastRequestAt = x.startedAt;
    x.encodesResponses = true;
    const served = new InboundExchange(parts, connection, x);
    served.watch(request, response);
    if (hasBody(request)) x.body = served;
    const verdict = this.judge(x, request, head);
    if (verdict === undefined) proceed(served);
    else if (verdict instanceof Promise) this.settle(verdict, served, response, proceed);
    else served.reply(verdict);
  }

  /** Everything before the app: the request line, then the pipeline. A filter that throws refuses. */
  private judge(x: Exchange, request: IncomingMessage, head: InboundHead): Verdict {
    try {
      const refused =
        settleTarget(request, head, x.manager.maxHeaders) ??
        settleUnderscores(head, x.manager.underscores) ??
        refusedUpgrade(request, x.manager.upgrades);
      this.parts.telemetry.onStart(x);
      return refused ?? this.parts.pipeline.begin(x);
    } catch (error) {
      return this.failed(x, error);
    }
  }

  private settle(verdict: Promise<LocalReply | undefined>, served: InboundExchange, response: ServerResponse, proceed: Proceed): void {
    verdict
      .catch((error: unknown) => this.failed(served.x, error))
      .then((reply) => {
        if (served.answered) return; // the body did not come in time
        if (reply !== undefined) served.reply(reply);
        else if (!response.destroyed) proceed(served);
      });
  }

  private failed(x: Exchange, error: unknown): LocalReply {
    this.parts.log?.(`inbound ${x.request.method} ${x.request.path}: ${error instanceof Error ? error.message : String(error)}`);
    return FILTER_FAILED;
  }
}

/** Only for replies: an upgraded connection has no response of node:http's any more. */
function responseFor(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new PlainResponse(request);
  response.assignSocket(request.socket);
  response.shouldKeepAlive = false;
  response.once('finish', () => (socket as Socket).destroySoon());
  return response;
}

/**
 * Listeners of a body run in the context of the connection, whoever added them: what they call would not know its request. Only bodies
 * need it, and only they pay.
 */
export function keepContext(body: Readable, x: Exchange, telemetry: TelemetrySink): void {
  const { emit } = body;
  body.emit = (event: string, ...args: unknown[]) => telemetry.run(x, () => emit.call(body, event, ...args));
}

/** HTTP/2 by upgrade is not taken up: such a request is served as the HTTP/1.1 that it is, also by an app that takes upgrades. */
function keepH2cOnHttp1(server: Http1AppServer): void {
  const upgradable = server as { shouldUpgradeCallback?: (request: IncomingMessage) => boolean }; // Node 24.9 and later
  const decide = upgradable.shouldUpgradeCallback;
  if (decide === undefined) return;
  upgradable.shouldUpgradeCallback = (request) => !isH2cUpgrade(request) && decide.call(server, request);
}

function dropUpgrade(request: IncomingMessage): void {
  const { headers, rawHeaders } = request;
  for (const name of ['upgrade', 'http2-settings']) delete headers[name];
  const kept = rawHeaders.filter((_text, at) => !/^(?:upgrade|http2-settings)$/i.test(rawHeaders[at - (at % 2)]!));
  rawHeaders.splice(0, rawHeaders.length, ...kept);
}

/** Envoy's max_request_headers_kb. */
const MAX_HEADER_BYTES = 60 * 1024;

/** Stands only for node:http to count; the guard answers in its place. */
function saysContinue(): void {}
function isAnsweredHere(): void {}
