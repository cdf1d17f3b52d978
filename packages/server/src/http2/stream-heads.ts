import type { OutgoingHttpHeaders } from 'node:http2';
import type { ResponseHead } from '@ripstop/core';

/** The head of a stream's response, over the object that the app gave. */
export class StreamResponseHead implements ResponseHead {
  readonly headers: OutgoingHttpHeaders;

  constructor(headers: OutgoingHttpHeaders) {
    this.headers = headers;
  }

  get status(): number {
    return Number(this.headers[':status'] ?? 200);
  }

  set status(value: number) {
    this.headers[':status'] = value;
  }

  header(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value.join(',') : value?.toString();
  }

  firstLine(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value[0] : value?.toString();
  }

  setHeader(name: string, value: string): void {
    this.headers[name] = value;
  }

  appendHeader(name: string, value: string): void {
    const before = this.headers[name];
    if (before !== undefined && SENT_ONCE.has(name)) return;
    this.headers[name] = before === undefined ? value : [before, value].flat().map(String);
  }

  removeHeader(name: string): void {
    delete this.headers[name];
  }
}

/** node:http2 resets a stream whose response has one of these twice (its `kSingleValueHeaders`, without those of requests). */
const SENT_ONCE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'age',
  'content-encoding',
  'content-language',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'user-agent',
  'x-content-type-options',
]);

/** `:status` and lower-case names, whatever form the app chose: nothing, an object, or a flat list. */
export function headersOf(given: unknown): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = Object.create(null);
  if (Array.isArray(given)) {
    const head = new StreamResponseHead(headers);
    for (let at = 0; at + 1 < given.length; at += 2) head.appendHeader(String(given[at]).toLowerCase(), String(given[at + 1]));
    return headers;
  }
  if (typeof given !== 'object' || given === null) return headers;
  for (const [name, value] of Object.entries(given as OutgoingHttpHeaders)) headers[name.toLowerCase()] = value;
  // Names of values that HPACK must not index.
  for (const symbol of Object.getOwnPropertySymbols(given))
    (headers as Record<symbol, unknown>)[symbol] = (given as Record<symbol, unknown>)[symbol];
  return headers;
}
