import type { IncomingMessage, ServerResponse } from 'node:http';

/** Sees a response on its way out. */
export interface ResponseWatcher {
  /** Whether the head that the app writes may be changed; otherwise it is written as it comes. */
  readonly watchesHead: boolean;
  /** The head is about to be written. */
  onHead(response: ServerResponse): void;
  onResponseBytes(bytes: number): void;
  onRequestBytes(bytes: number): void;
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

/** Counts the bytes of a request body whose length no header tells. */
export function watchRequestBody(request: IncomingMessage, watcher: ResponseWatcher): void {
  (request as CountedRequest)[WATCHER] = watcher;
  request.push = countedPush as IncomingMessage['push'];
}

/** What the response's methods were before. Looked up late: Express puts its own prototype in between. */
function inherited(response: ServerResponse): ServerResponse {
  return Object.getPrototypeOf(response) as ServerResponse;
}

type HeaderArgument = Record<string, string | number | readonly string[] | undefined> | readonly unknown[];

function writeHead(this: WatchedResponse, status: number, ...rest: unknown[]): ServerResponse {
  const watcher = this[WATCHER]!;
  const base = inherited(this).writeHead as (this: ServerResponse, status: number, ...rest: unknown[]) => ServerResponse;
  if (!watcher.watchesHead) {
    watcher.onHead(this);
    return base.call(this, status, ...rest);
  }
  const reason = typeof rest[0] === 'string' ? rest[0] : undefined;
  const headers = (reason === undefined ? rest[0] : rest[1]) as HeaderArgument | undefined;
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
  const flat = headers.flat() as string[];
  const seen = new Set<string>();
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = flat[at]!;
    // As node:http: the first line replaces what setHeader said before, later ones are added.
    if (seen.has(name.toLowerCase())) response.appendHeader(name, flat[at + 1]!);
    else response.setHeader(name, flat[at + 1]!);
    seen.add(name.toLowerCase());
  }
}

function write(this: WatchedResponse, chunk: unknown, ...rest: unknown[]): boolean {
  this[WATCHER]!.onResponseBytes(sizeOf(chunk, rest[0]));
  return (inherited(this).write as (...all: unknown[]) => boolean).call(this, chunk, ...rest);
}

function end(this: WatchedResponse, chunk?: unknown, ...rest: unknown[]): ServerResponse {
  if (chunk !== undefined && chunk !== null && typeof chunk !== 'function' && !this.writableEnded)
    this[WATCHER]!.onResponseBytes(sizeOf(chunk, rest[0]));
  return (inherited(this).end as (...all: unknown[]) => ServerResponse).call(this, chunk, ...rest);
}

function countedPush(this: CountedRequest, chunk: unknown, encoding?: unknown): boolean {
  if (chunk !== null && chunk !== undefined) this[WATCHER]!.onRequestBytes(sizeOf(chunk, encoding));
  return (Object.getPrototypeOf(this) as { push(...all: unknown[]): boolean }).push.call(this, chunk, encoding);
}

function onClose(this: WatchedResponse): void {
  this[WATCHER]!.onResponseClosed(this);
}

function sizeOf(chunk: unknown, encoding: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : undefined);
  return chunk instanceof Uint8Array ? chunk.byteLength : 0;
}
