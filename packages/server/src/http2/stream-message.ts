import type { IncomingHttpHeaders } from 'node:http';
import type { IncomingHttpHeaders as StreamHeaders } from 'node:http2';
import type { HeadMessage, InboundHead } from '../inbound-head.ts';

/**
 * The head of an HTTP/2 request in the form of node:http: the authority as a `host` line, cookie crumbs joined as Envoy joins them. What
 * the filters change is written back into the objects that the app's listeners get.
 */
export class StreamMessage implements HeadMessage {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  /** As it came; RFC 9113 allows any. */
  readonly scheme: string;
  /** Header fields, pseudo headers included. */
  readonly fields: number;
  /** Of all names and values. */
  readonly bytes: number;
  /** As it came: nghttp2 holds the body to it, whatever a filter writes. */
  readonly contentLength: string | undefined;
  private readonly appHeaders: StreamHeaders;
  private readonly appLines: string[];

  constructor(headers: StreamHeaders, lines: string[]) {
    this.appHeaders = headers;
    this.appLines = lines;
    this.fields = lines.length / 2;
    this.method = headers[':method'] ?? '';
    this.url = headers[':path'] ?? '';
    this.scheme = headers[':scheme'] ?? '';
    this.contentLength = headers['content-length'];
    const authority = headers[':authority'] ?? headers.host;
    const known: IncomingHttpHeaders = Object.create(null);
    for (const name of Object.keys(headers)) if (!isPseudo(name)) known[name] = headers[name];
    this.rawHeaders = [];
    if (authority !== undefined) {
      known.host = authority;
      this.rawHeaders.push('host', authority);
    }
    this.headers = known;
    let cookie = -1;
    let bytes = 0;
    for (let at = 0; at < lines.length; at += 2) {
      const name = lines[at]!;
      bytes += name.length + lines[at + 1]!.length;
      if (isPseudo(name) || name === 'host') continue; // `:authority` wins over `host`.
      if (name === 'cookie' && cookie !== -1) {
        const before = this.rawHeaders[cookie]!;
        this.rawHeaders[cookie] = before === '' ? lines[at + 1]! : `${before}; ${lines[at + 1]}`;
        continue;
      }
      this.rawHeaders.push(name, lines[at + 1]!);
      if (name === 'cookie') cookie = this.rawHeaders.length - 1;
    }
    this.bytes = bytes;
    if (cookie !== -1) this.settleCookie(cookie);
  }

  /** As the codec of Envoy: no cookie is none. */
  private settleCookie(at: number): void {
    const { headers, rawHeaders } = this;
    if (rawHeaders[at] !== '') headers.cookie = rawHeaders[at];
    else {
      rawHeaders.splice(at - 1, 2);
      delete headers.cookie;
    }
  }

  /** What was authorised becomes what the app sees. */
  handOver(head: InboundHead): void {
    const { appHeaders, appLines } = this;
    const pseudo: Record<string, string> = {
      ':method': this.method,
      ':scheme': head.scheme,
      ':authority': head.authority,
      ':path': this.url,
    };
    if (this.method === 'CONNECT') {
      delete pseudo[':scheme'];
      delete pseudo[':path'];
    }
    for (const name of Object.keys(appHeaders)) {
      if (pseudo[name] === undefined && (name === 'host' || this.headers[name] === undefined)) delete appHeaders[name];
    }
    for (const name of Object.keys(this.headers)) {
      if (name !== 'host' && appHeaders[name] !== this.headers[name]) appHeaders[name] = this.headers[name];
    }
    appLines.length = 0;
    for (const [name, value] of Object.entries(pseudo)) {
      appHeaders[name] = value;
      appLines.push(name, value);
    }
    appLines.push(...head.pairs());
  }
}

function isPseudo(name: string): boolean {
  return name.charCodeAt(0) === 58;
}
