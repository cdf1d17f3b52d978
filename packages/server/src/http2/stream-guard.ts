import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Exchange, isGrpcContentType, type LocalReply, localReply, noRouteReply, ResetBudget } from '@ripstop/core';
import type { ConnectionGate } from '../connection-gate.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import { InboundHead } from '../inbound-head.ts';
import type { ListenerParts } from '../listener-parts.ts';
import { introduce } from '../peer.ts';
import { settleUnderscores } from '../request-target.ts';
import { type StreamRefusal, settleStream } from './settle-stream.ts';
import { StreamExchange } from './stream-exchange.ts';
import { StreamMessage } from './stream-message.ts';

/** A stream that may pass. `pass` hands it to the listeners of the session and of its server. */
export interface JudgedStream {
  readonly served: StreamExchange;
  readonly head: InboundHead;
  /** What the caller said of its body, and was held to. */
  readonly contentLength: string | undefined;
  readonly connection: InboundConnection;
  readonly pass: () => void;
}

type Emit = (event: string, ...args: unknown[]) => boolean;
type Verdict = StreamRefusal | undefined | Promise<LocalReply | undefined>;

const FILTER_FAILED = localReply({ status: 500, details: 'ripstop_filter_failed', body: 'a filter of the mesh failed' });

/**
 * Stands in front of every listener of an HTTP/2 session, whenever it was or will be added: those of the session, of the server's
 * `stream` event, and of the compatibility API, which hangs on it.
 */
export class StreamGuard {
  private readonly parts: ListenerParts;
  private readonly gate: ConnectionGate;
  private readonly http1App: boolean;
  private readonly proceed: (judged: JudgedStream) => void;

  constructor(parts: ListenerParts, gate: ConnectionGate, http1App: boolean, proceed: (judged: JudgedStream) => void) {
    this.parts = parts;
    this.gate = gate;
    this.http1App = http1App;
    this.proceed = proceed;
  }

  /** Call before anybody else hears of the session. */
  enter(session: ServerHttp2Session, connection: InboundConnection): void {
    introduce(session, connection.peer);
    connection.goAway = () => session.close();
    const resets = new ResetBudget(connection.suspect, () => {
      session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      this.gate.suspects.add(connection.peer);
    });
    connection.resets = resets;
    const emit = session.emit.bind(session) as Emit;
    session.emit = ((event: string, ...args: unknown[]) => {
      if (event !== 'stream') return emit(event, ...args);
      const [stream, headers, , lines] = args as [ServerHttp2Stream, IncomingHttpHeaders, number, string[]];
      // An error event without a listener would end the process, and any caller can provoke one.
      stream.on('error', () => {});
      // Reset behind its head, or nghttp2 found a fault there: nobody is left to answer, and an app's answer would throw.
      if (stream.destroyed || stream.closed) resets.onUnheard(this.parts.clock.now());
      else this.onStream(connection, stream, headers, lines, () => emit('stream', ...args));
      return true;
    }) as ServerHttp2Session['emit'];
    // A connection that began to drain while it was let in.
    if (connection.closing) session.close();
  }

  private onStream(
    connection: InboundConnection,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    lines: string[],
    pass: () => void,
  ): void {
    const { parts } = this;
    const snapshot = parts.snapshots.current;
    const manager = snapshot === undefined ? undefined : connection.manager(snapshot);
    if (snapshot === undefined || manager === undefined) {
      // Its chain is gone: as a connection that is refused at the door, save that responses which are due go out first.
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      connection.retire();
      return;
    }
    const message = new StreamMessage(headers, lines);
    const head = new InboundHead(message, connection.secure ? 'https' : 'http');
    const x = new Exchange({
      direction: parts.forwarder === undefined ? 'inbound' : 'outbound',
      protocol: isGrpcContentType(message.headers['content-type']) ? 'grpc' : 'http2',
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
    const served = new StreamExchange(parts, connection, x, stream);
    if (!stream.endAfterHeaders) x.body = served;
    const passed = (): void => {
      message.handOver(head);
      this.proceed({ served, head, contentLength: message.contentLength, connection, pass });
    };
    const verdict = this.judge(x, message, head);
    if (verdict === undefined) passed();
    else if (verdict instanceof Promise) this.settle(verdict, served, passed);
    else refuse(served, verdict);
  }

  private judge(x: Exchange, message: StreamMessage, head: InboundHead): Verdict {
    try {
      const refused = settleStream(message, head, this.http1App, x.manager.maxHeaders) ?? settleUnderscoresOf(head, x);
      this.parts.telemetry.onStart(x);
      if (refused !== undefined) return refused;
      const verdict = this.parts.pipeline.begin(x);
      if (verdict !== undefined || message.method !== 'CONNECT') return verdict;
      return noRouteReply();
    } catch (error) {
      return this.failed(x, error);
    }
  }

  private settle(verdict: Promise<LocalReply | undefined>, served: StreamExchange, passed: () => void): void {
    verdict
      .catch((error: unknown) => this.failed(served.x, error))
      .then((reply) => {
        if (served.answered) return; // the body did not come in time
        if (reply !== undefined) served.reply(reply);
        else if (served.x.request.method === 'CONNECT') served.reply(noRouteReply());
        else if (!served.stream.destroyed && !served.stream.closed) passed();
      });
  }

  private failed(x: Exchange, error: unknown): LocalReply {
    this.parts.log?.(`inbound ${x.request.method} ${x.request.path}: ${error instanceof Error ? error.message : String(error)}`);
    return FILTER_FAILED;
  }
}

/** Envoy's codec lets go of such a stream without a word. */
function settleUnderscoresOf(head: InboundHead, x: Exchange): StreamRefusal | undefined {
  return settleUnderscores(head, x.manager.underscores) === undefined ? undefined : constants.NGHTTP2_INTERNAL_ERROR;
}

function refuse(served: StreamExchange, refusal: StreamRefusal): void {
  if (typeof refusal !== 'number') served.reply(refusal);
  else served.reset(refusal);
}
