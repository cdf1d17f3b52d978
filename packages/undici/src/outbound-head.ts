import { endsAtFirstProxy, type RequestHead } from '@ripstop/core';
import type { Dispatcher } from 'undici';

/** Header forms that undici's dispatch takes. */
export type AppHeaders = Dispatcher.DispatchOptions['headers'];

/**
 * A request's head over one flat array of name, value pairs, which is also what undici is given: nothing is copied per attempt.
 * The first pair is always `host`, so that a rewrite of the authority reaches the wire.
 */
export class OutboundHead implements RequestHead {
  readonly scheme: 'http' | 'https';
  readonly originalDestination: string;
  method: string;
  path: string;
  /** Lower-case names at even places. */
  readonly lines: string[];

  constructor(
    scheme: 'http' | 'https',
    authority: string,
    method: string,
    path: string,
    headers?: AppHeaders,
    originalDestination: string = authority,
  ) {
    this.scheme = scheme;
    this.originalDestination = originalDestination;
    this.method = method;
    this.path = path;
    this.lines = ['host', authority];
    if (headers != null) appendAll(this.lines, headers);
  }

  get authority(): string {
    return this.lines[1]!;
  }

  set authority(value: string) {
    this.lines[1] = value;
  }

  header(name: string): string | undefined {
    const { lines } = this;
    for (let at = 0; at < lines.length; at += 2) {
      if (lines[at] === name) return this.#joined(name, at);
    }
    return name.charCodeAt(0) === 58 ? this.#pseudo(name) : undefined;
  }

  headerLines(name: string): readonly string[] {
    const found: string[] = [];
    const { lines } = this;
    for (let at = 0; at < lines.length; at += 2) if (lines[at] === name) found.push(lines[at + 1]!);
    if (found.length === 0 && name.charCodeAt(0) === 58) {
      const pseudo = this.#pseudo(name);
      if (pseudo !== undefined) found.push(pseudo);
    }
    return found;
  }

  setHeader(name: string, value: string): void {
    const { lines } = this;
    for (let at = 0; at < lines.length; at += 2) {
      if (lines[at] !== name) continue;
      lines[at + 1] = value;
      removeFrom(lines, name, at + 2);
      return;
    }
    lines.push(name, value);
  }

  appendHeader(name: string, value: string): void {
    this.lines.push(name, value);
  }

  removeHeader(name: string): void {
    removeFrom(this.lines, name, 2);
  }

  /** Every line but host, as {@link RequestHead.pairs} demands. */
  pairs(): string[] {
    return this.lines.slice(2);
  }

  #joined(name: string, first: number): string {
    const { lines } = this;
    let value = lines[first + 1]!;
    for (let at = first + 2; at < lines.length; at += 2) if (lines[at] === name) value += `,${lines[at + 1]}`;
    return value;
  }

  #pseudo(name: string): string | undefined {
    if (name === ':authority') return this.authority;
    if (name === ':path') return this.path;
    if (name === ':method') return this.method;
    return name === ':scheme' ? this.scheme : undefined;
  }
}

function removeFrom(lines: string[], name: string, from: number): void {
  let kept = from;
  for (let at = from; at < lines.length; at += 2) {
    if (lines[at] === name) continue;
    lines[kept] = lines[at]!;
    lines[kept + 1] = lines[at + 1]!;
    kept += 2;
  }
  if (kept < lines.length) lines.length = kept;
}

function appendAll(lines: string[], headers: NonNullable<AppHeaders>): void {
  if (Array.isArray(headers)) {
    // Flat pairs (request, old handlers) or a list of pairs (fetch-like callers).
    if (headers.length > 0 && Array.isArray(headers[0]))
      for (const [name, value] of headers as unknown as Iterable<[string, unknown]>) append(lines, name, value);
    else for (let at = 0; at + 1 < headers.length; at += 2) append(lines, headers[at]!, headers[at + 1]);
    return;
  }
  if (typeof (headers as Iterable<unknown>)[Symbol.iterator] === 'function') {
    for (const [name, value] of headers as Iterable<[string, unknown]>) append(lines, name, value);
    return;
  }
  const named = headers as Record<string, unknown>;
  for (const name in named) append(lines, name, named[name]);
}

function append(lines: string[], rawName: string, value: unknown): void {
  if (value === undefined) return;
  const name = String(rawName).toLowerCase();
  if (name === 'host') {
    lines[1] = String(value);
  } else if (endsHere(name, value)) {
    // A sidecar would not let it through either.
  } else if (typeof value === 'string') {
    lines.push(name, value);
  } else if (Array.isArray(value)) {
    for (const one of value) append(lines, name, one);
  } else {
    lines.push(name, value === null ? '' : String(value));
  }
}

/** Envoy's own control headers, which an app may not set, and what belongs to the app's connection. */
function endsHere(name: string, value: unknown): boolean {
  return endsAtFirstProxy(name) || name === 'proxy-connection' || (name === 'te' && typeof value === 'string' && value !== 'trailers');
}
