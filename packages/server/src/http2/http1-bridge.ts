import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { constants } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import type { InboundHead } from '../inbound-head.ts';
import { type InboundPeer, introduce } from '../peer.ts';
import { CODEC_ERROR } from '../request-target.ts';
import type { StreamExchange } from './stream-exchange.ts';
import type { JudgedStream } from './stream-guard.ts';
import { headersOf } from './stream-heads.ts';

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = constants;
/** Of an app's response; node:http's own limit of 16 KiB is for strangers. */
const MAX_RESPONSE_HEADER_BYTES = 128 * 1024;
const BODIES_EXPECTED: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);
/** They belong to one connection (RFC 9113 §8.2.2). */
const CONNECTION_HEADERS: readonly string[] = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'];
const NOT_OF_FILTERS: ReadonlySet<string> = new Set([...CONNECTION_HEADERS, 'content-length']);

type Close = (code: number) => void;

/**
 * Serves HTTP/2 streams by an app that reads HTTP/1.1, as a sidecar does: each becomes a request on a connection of its own, inside the
 * process. node:http writes and reads both sides, so that no framing is made by hand.
 */
export class Http1Bridge {
  private readonly connect: (socket: Duplex) => void;
  private readonly carried = new WeakMap<object, StreamExchange>();

  /** `connect` hands a connection to the app's server, past the gate. */
  constructor(connect: (socket: Duplex) => void) {
    this.connect = connect;
  }

  /** The stream that a request of the app's server came on, judged already; undefined = it came from elsewhere, or is a second one. */
  takeStream({ socket }: IncomingMessage): StreamExchange | undefined {
    const stream = this.carried.get(socket);
    this.carried.delete(socket);
    return stream;
  }

  serve({ served, head, contentLength, connection }: JudgedStream): void {
    const { stream } = served;
    const [near, far] = duplexPair();
    const upstream = this.open(near, served, head, contentLength);
    if (upstream === undefined) return;
    this.carried.set(far, served);
    introduce(far, connection.peer);
    lookLikeSocket(far, connection.peer, connection.secure);
    for (const side of [near, far]) side.on('error', () => {});
    const close: Close = (code) => {
      if (!stream.destroyed && !stream.closed) stream.close(code);
      upstream.destroy();
      near.destroy();
      far.destroy();
    };
    upstream.on('continue', () => {
      if (!stream.destroyed && !stream.headersSent) stream.additionalHeaders({ ':status': 100 });
    });
    upstream.on('response', (response) => respond(response, served, close));
    upstream.on('error', () => close(NGHTTP2_INTERNAL_ERROR));
    stream.once('close', () => close(NGHTTP2_CANCEL));
    if (stream.endAfterHeaders) upstream.end();
    else stream.pipe(upstream);
    this.connect(far);
  }

  /** Undefined = this head cannot be said in HTTP/1.1, and was refused. */
  private open(near: Duplex, served: StreamExchange, head: InboundHead, length: string | undefined): ClientRequest | undefined {
    try {
      return request({
        createConnection: () => near as never,
        method: head.method,
        path: head.path,
        headers: ['host', head.authority, ...unframed(head.pairs()), ...framing(served.stream.endAfterHeaders, head.method, length)],
        setHost: false,
        maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
      });
    } catch {
      served.reply(CODEC_ERROR);
      return undefined;
    }
  }
}

/** What of node:http's client is not the caller's: it may ask for one request per connection, the app need not know. */
export function dropBridgeHeaders({ headers, rawHeaders }: IncomingMessage): void {
  delete headers.connection;
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) if (rawHeaders[at]!.toLowerCase() === 'connection') rawHeaders.splice(at, 2);
}

/**
 * Without the headers that say where a request ends: a filter that writes one (an authorizer's answer, say) would turn the rest of the
 * body into a request that nobody has judged.
 */
function unframed(pairs: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < pairs.length; at += 2) if (!NOT_OF_FILTERS.has(pairs[at]!)) kept.push(pairs[at]!, pairs[at + 1]!);
  return kept;
}

/** HTTP/2 needs no length; HTTP/1.1 needs one of two ways to tell where a body ends. */
function framing(bodiless: boolean, method: string, length: string | undefined): readonly string[] {
  if (length !== undefined) return ['content-length', length];
  if (!bodiless) return ['transfer-encoding', 'chunked'];
  return BODIES_EXPECTED.has(method) ? ['content-length', '0'] : [];
}

function respond(response: IncomingMessage, { stream, x }: StreamExchange, close: Close): void {
  if (stream.destroyed || stream.closed) return;
  const headers = headersOf(response.rawHeaders);
  const chunked = headers['transfer-encoding'] !== undefined;
  for (const name of CONNECTION_HEADERS) delete headers[name];
  headers[':status'] = response.statusCode ?? 500;
  response.on('error', () => close(NGHTTP2_INTERNAL_ERROR));
  if (x.request.method === 'HEAD') {
    stream.respond(headers, { endStream: true });
    response.resume();
    return;
  }
  stream.respond(headers, { waitForTrailers: chunked });
  if (chunked)
    stream.once('wantTrailers', () => {
      if (response.rawTrailers.length > 0) stream.sendTrailers(headersOf(response.rawTrailers));
      else stream.close();
    });
  response.pipe(stream);
}

/** What frameworks read of a socket (Express: `req.ip`, `req.secure`), and what node:http calls on one. */
function lookLikeSocket(far: Duplex, { address, port, localAddress, localPort }: InboundPeer, tls: boolean): void {
  const itself = (): Duplex => far;
  Object.assign(far, {
    remoteAddress: address,
    remotePort: port,
    remoteFamily: address.includes(':') ? 'IPv6' : 'IPv4',
    localAddress,
    localPort,
    ...(tls ? { encrypted: true } : {}),
    setTimeout: itself,
    setNoDelay: itself,
    setKeepAlive: itself,
    ref: itself,
    unref: itself,
    destroySoon: () => far.end(),
  });
}
