import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BodyEncoder } from './body-encoder.ts';

/** Sees a response on its way out. */
export interface ResponseWatcher {
  /** Whether the head that the app writes may be changed; otherwise it is written as it comes. */
  readonly watchesHead: boolean;
  /** The head is about to be written. */
  onHead(response: ServerResponse): void;
  /** The head may say that the body is encoded: it is written before any of it. */
  readonly encodes: boolean;
  /** Once the head is written: what encodes the body; absent = it goes out as it is. */
  readonly encoder: BodyEncoder | undefined;
  onResponseBytes(bytes: number): void;
  onRequestBytes(bytes: number): void;
  onRequestEnd(): void;
  onResponseClosed(response: ServerResponse): void;
}

const WATCHER = Symbol('ripstop.watcher');

/** The hooks find the watcher on the object itself, so that no request needs a closure. */
type WatchedResponse = ServerResponse & { [WATCHER]?: ResponseWatcher };
type CountedRequest = IncomingMessage & { [WATCHER]?: ResponseWatcher };

/**
 * Puts the hooks on the response object itself: frameworks exchange a response's prototype (Express), but not its own properties, and
 * what they wrap later (compression) calls on into these.
 */
export function watchResponse(response: ServerResponse, watcher: ResponseWatcher): void {
  const watched = response as WatchedResponse;
  watched[WATCHER] = watcher;
  watched.writeHead = writeHead as ServerResponse['writeHead'];
  watched.write = write as ServerResponse['write'];
  watched.end = end as ServerResponse['end'];
  response.on('close', onClose);
}

/** Counts the bytes of a request body whose length no header tells, and sees its end. */
export function watchRequestBody(request: IncomingMessage, watcher: ResponseWatcher): void {
  (request as CountedRequest)[WATCHER] = watcher;
  request.push = countedPush as IncomingMessage['push'];
}

/** What the response's methods were before. Looked up late: Express puts its own prototype in between. */
function inherited(response: ServerResponse): ServerResponse {
  return Object.getPrototypeOf(response) as ServerResponse;
}

type HeaderArgument = Record<string, string | number | readonly string[] | undefined> | readonly unknown[];

function writeHead(this: WatchedResponse, status: number, first?: unknown, second?: unknown): ServerResponse {
  const watcher = this[WATCHER]!;
  const base = inherited(this).writeHead as (this: ServerResponse, status: number, first?: unknown, second?: unknown) => ServerResponse;
  if (this.headersSent || !watcher.watchesHead) {
    if (!this.headersSent) watcher.onHead(this);
    return base.call(this, status, first, second);
  }
  const reason = typeof first === 'string' ? first : undefined;
  const headers = (reason === undefined ? first : second) as HeaderArgument | undefined;
  this.statusCode = status;
  if (headers !== undefined) setAll(this, headers);
  watcher.onHead(this);
  return base.call(this, this.statusCode, ...(reason === undefined ? [] : [reason]));
}

function setAll(response: ServerResponse, headers: HeaderArgument): void {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value as string);
    return;
  }
  const pairs = pairsOf(headers);
  // As node:http: these replace what setHeader said before, and may repeat among themselves.
  for (const [name] of pairs) response.removeHeader(name);
  for (const [name, value] of pairs) response.appendHeader(name, value);
}

type Pair = readonly [name: string, value: string | string[]];

/** `[name, value, …]` or `[[name, value], …]`. */
function pairsOf(headers: readonly unknown[]): readonly Pair[] {
  if (Array.isArray(headers[0])) return headers as readonly Pair[];
  const flat = headers as readonly string[];
  return flat.flatMap((name, at) => (at % 2 === 0 && at + 1 < flat.length ? [[name, flat[at + 1]!] as const] : []));
}

/** Makes a response that was sent already deaf to its app, which does not know yet: no call throws, none does anything. */
export function muteResponse(response: ServerResponse): void {
  const itself = (): ServerResponse => response;
  const finished = (...args: unknown[]): boolean => {
    const done = args.findLast((arg) => typeof arg === 'function') as ((error?: Error) => void) | undefined;
    if (done !== undefined) process.nextTick(done);
    return true;
  };
  const end = (...args: unknown[]): ServerResponse => {
    finished(...args);
    return response;
  };
  Object.assign(response, {
    writeHead: itself,
    setHeader: itself,
    setHeaders: itself,
    appendHeader: itself,
    removeHeader: () => {},
    flushHeaders: () => {},
    addTrailers: () => {},
    write: finished,
    end,
  });
}

function write(this: WatchedResponse, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
  const watcher = this[WATCHER]!;
  if (watcher.encodes && !this.headersSent) this.writeHead(this.statusCode);
  if (watcher.encoder !== undefined) return watcher.encoder.write(chunk, encoding, callback);
  return writePlain(this, chunk, encoding, callback);
}

/** What goes onto the connection. */
export function writePlain(response: ServerResponse, chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
  (response as WatchedResponse)[WATCHER]!.onResponseBytes(sizeOf(chunk, encoding));
  return (inherited(response).write as (...all: unknown[]) => boolean).call(response, chunk, encoding, callback);
}

export function endPlain(response: ServerResponse): void {
  (inherited(response).end as (...all: unknown[]) => ServerResponse).call(response);
}

function end(this: WatchedResponse, chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
  const watcher = this[WATCHER]!;
  if (watcher.encodes && !this.headersSent) writeWholeHead(this, chunk, encoding);
  if (watcher.encoder !== undefined) {
    watcher.encoder.end(chunk, encoding, callback);
    return this;
  }
  if (chunk !== undefined && chunk !== null && typeof chunk !== 'function' && !this.writableEnded)
    this[WATCHER]!.onResponseBytes(sizeOf(chunk, encoding));
  return (inherited(this).end as (...all: unknown[]) => ServerResponse).call(this, chunk, encoding, callback);
}

/** Of a body that is here at once; node:http would tell its length by itself, later. */
function writeWholeHead(response: ServerResponse, chunk: unknown, encoding: unknown): void {
  const isFramed = response.hasHeader('content-length') || response.hasHeader('transfer-encoding');
  if (!isFramed && response.statusCode !== 204 && response.statusCode !== 304)
    response.setHeader('content-length', sizeOf(chunk, encoding));
  response.writeHead(response.statusCode);
}

function countedPush(this: CountedRequest, chunk: unknown, encoding?: unknown): boolean {
  if (chunk === null) this[WATCHER]!.onRequestEnd();
  else if (chunk !== undefined) this[WATCHER]!.onRequestBytes(sizeOf(chunk, encoding));
  return (Object.getPrototypeOf(this) as { push(...all: unknown[]): boolean }).push.call(this, chunk, encoding);
}

function onClose(this: WatchedResponse): void {
  this[WATCHER]!.onResponseClosed(this);
}

export function sizeOf(chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : undefined);
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}
