import type { IncomingHttpHeaders } from 'node:http';
import { type RequestHead, readsAsMeshHeader } from '@ripstop/core';

/** The part of node:http's IncomingMessage that a head stands on. */
export interface HeadMessage {
  method?: string | undefined;
  url?: string | undefined;
  headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
}

/**
 * A request's head over node:http's own `rawHeaders`, whose names become lower-case as Envoy's are. Changes show in `req.headers`,
 * `req.rawHeaders` and `req.url`: what was authorised is what the app sees.
 */
export class InboundHead implements RequestHead {
  readonly connectionScheme: 'http' | 'https';
  /** A listener that was connected to by its own address restores none. */
  readonly originalDestination = '';
  /** Of a target in absolute form, or of an HTTP/2 stream. */
  givenScheme: 'http' | 'https' | undefined = undefined;
  readonly meshHeaders: readonly string[];
  private readonly message: HeadMessage;
  private readonly lines: string[];
  private host: string;

  constructor(message: HeadMessage, scheme: 'http' | 'https') {
    this.message = message;
    this.connectionScheme = scheme;
    const lines = message.rawHeaders;
    let host: string | undefined;
    let meshHeaders: string[] | undefined;
    let folded: string[] | undefined;
    let ofTheHop = false;
    for (let at = 0; at < lines.length; at += 2) {
      const name = lines[at]!.toLowerCase();
      lines[at] = name;
      if (name === 'host') host = host === undefined ? lines[at + 1]! : `${host},${lines[at + 1]}`;
      else if (name.startsWith('x-envoy-') || name === 'x-istio-attributes' || name === 'x-ripstop-explain') {
        meshHeaders ??= [];
        meshHeaders.push(name);
      } else if (name === 'te' || name === 'proxy-connection') ofTheHop = true;
      else if (readsAsMeshHeader(name)) {
        folded ??= [];
        folded.push(name);
      }
    }
    this.lines = lines;
    this.host = host ?? '';
    this.meshHeaders = meshHeaders ?? NO_NAMES;
    // Many programs read `x_envoy_internal` as `x-envoy-internal`. Envoy lets it pass (docs/reference/differences.md).
    if (folded !== undefined) for (const name of folded) this.removeHeader(name);
    if (ofTheHop) this.dropHop();
  }

  /** As Envoy: what the request line says, else what the first proxy said, else the connection's. */
  get scheme(): 'http' | 'https' {
    if (this.givenScheme !== undefined) return this.givenScheme;
    const forwarded = this.message.headers['x-forwarded-proto'];
    if (forwarded === undefined) return this.connectionScheme;
    const told = String(forwarded).toLowerCase();
    return told === 'http' || told === 'https' ? told : this.connectionScheme;
  }

  get authority(): string {
    return this.host;
  }

  set authority(value: string) {
    this.host = value;
    this.setHeader('host', value);
  }

  get method(): string {
    return this.message.method ?? '';
  }

  set method(value: string) {
    this.message.method = value;
  }

  get path(): string {
    return this.message.url ?? '';
  }

  set path(value: string) {
    this.message.url = value;
  }

  header(name: string): string | undefined {
    // Node's own object answers quickly what is absent; its values are joined otherwise than Envoy's.
    if (this.message.headers[name] === undefined) return name.charCodeAt(0) === 58 ? this.pseudo(name) : undefined;
    const { lines } = this;
    let value: string | undefined;
    for (let at = 0; at < lines.length; at += 2) {
      if (lines[at] === name) value = value === undefined ? lines[at + 1]! : `${value},${lines[at + 1]}`;
    }
    return value;
  }

  headerLines(name: string): readonly string[] {
    if (name.charCodeAt(0) === 58) {
      const value = this.pseudo(name);
      return value === undefined ? [] : [value];
    }
    const found: string[] = [];
    const { lines } = this;
    for (let at = 0; at < lines.length; at += 2) if (lines[at] === name) found.push(lines[at + 1]!);
    return found;
  }

  /** In its place, as Envoy's `setCopy`; lines beyond the first go. */
  setHeader(name: string, value: string): void {
    const { lines } = this;
    const { headers } = this.message;
    const at = headers[name] === undefined ? lines.length : lineOf(lines, name);
    if (at === lines.length) lines.push(name, value);
    else {
      lines[at + 1] = value;
      removeFrom(lines, name, at + 2);
    }
    headers[name] = value;
  }

  appendHeader(name: string, value: string): void {
    this.lines.push(name, value);
    this.message.headers[name] = this.header(name) ?? value;
  }

  removeHeader(name: string): void {
    const { lines } = this;
    removeFrom(lines, name, lineOf(lines, name));
    this.forget(name);
  }

  /** Takes headers away whose names hold a `_`; false = there is none. */
  dropUnderscores(): boolean {
    const { lines } = this;
    const names = new Set<string>();
    for (let at = 0; at < lines.length; at += 2) if (lines[at]!.includes('_')) names.add(lines[at]!);
    for (const name of names) this.removeHeader(name);
    return names.size > 0;
  }

  /** Of `te` only the word `trailers` concerns who comes behind a proxy; `proxy-connection` nothing at all. */
  private dropHop(): void {
    this.removeHeader('proxy-connection');
    const te = this.header('te');
    if (te === undefined || te === 'trailers') return;
    if (te.split(',').some((value) => value.trim() === 'trailers')) this.setHeader('te', 'trailers');
    else this.removeHeader('te');
  }

  /**
   * By a copy: `delete` takes longer than that, and makes the object a slow dictionary for everybody who reads it later, the app included.
   * (Of the property that came last, too, since V8 13.)
   */
  private forget(name: string): void {
    const { headers } = this.message;
    if (headers[name] === undefined) return;
    const rest: IncomingHttpHeaders = {};
    for (const key in headers) if (key !== name) rest[key] = headers[key];
    this.message.headers = rest;
  }

  /** Every line but host. */
  pairs(): string[] {
    const pairs: string[] = [];
    const { lines } = this;
    for (let at = 0; at < lines.length; at += 2) if (lines[at] !== 'host') pairs.push(lines[at]!, lines[at + 1]!);
    return pairs;
  }

  private pseudo(name: string): string | undefined {
    if (name === ':authority') return this.host;
    if (name === ':path') return this.path;
    if (name === ':method') return this.method;
    return name === ':scheme' ? this.scheme : undefined;
  }
}

const NO_NAMES: readonly string[] = [];

/** Where the first line of this name stands; the length of all when there is none. */
function lineOf(lines: readonly string[], name: string): number {
  let at = 0;
  while (at < lines.length && lines[at] !== name) at += 2;
  return at;
}

/** Takes lines of this name away, beginning at `from`. */
function removeFrom(lines: string[], name: string, from: number): void {
  let kept = from;
  for (let at = from; at < lines.length; at += 2) {
    if (lines[at] === name) continue;
    lines[kept] = lines[at]!;
    lines[kept + 1] = lines[at + 1]!;
    kept += 2;
  }
  while (lines.length > kept) lines.pop(); // Setting its length calls into the runtime.
}
