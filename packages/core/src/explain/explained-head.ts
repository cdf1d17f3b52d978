import type { RequestHead } from '../exchange.ts';

/** A request that is asked about, not sent. */
export interface AskedRequest {
  readonly method?: string | undefined;
  /** Absolute: `http://reviews:9080/reviews/1?verbose`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
}

/** Port of a URL by its scheme when it names none. */
export function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}

/** A head over plain lists. A `host` header counts as the authority, as in a request. */
export class ExplainedHead implements RequestHead {
  readonly scheme: 'http' | 'https';
  readonly originalDestination: string;
  authority: string;
  method: string;
  path: string;
  private readonly byName = new Map<string, string[]>();

  /** Throws a TypeError when the URL is none. */
  constructor({ method = 'GET', url, headers = {} }: AskedRequest) {
    const parsed = new URL(url);
    this.scheme = parsed.protocol === 'https:' ? 'https' : 'http';
    this.originalDestination = parsed.host;
    this.authority = parsed.host;
    this.method = method;
    // Not the URL's own path: that one is normalised already, and what it is made of is part of the question.
    this.path = /^[a-z]+:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] || '/';
    if (!this.path.startsWith('/')) this.path = `/${this.path}`;
    for (const [name, values] of Object.entries(headers)) {
      const lower = name.toLowerCase();
      if (lower === 'host') this.authority = [values].flat()[0] ?? this.authority;
      else this.byName.set(lower, [...[values].flat()]);
    }
  }

  header(name: string): string | undefined {
    return this.byName.get(name)?.join(',');
  }

  headerLines(name: string): readonly string[] {
    return this.byName.get(name) ?? [];
  }

  setHeader(name: string, value: string): void {
    this.byName.set(name, [value]);
  }

  appendHeader(name: string, value: string): void {
    this.byName.set(name, [...this.headerLines(name), value]);
  }

  removeHeader(name: string): void {
    this.byName.delete(name);
  }

  /** Every header line. */
  lines(): [name: string, value: string][] {
    return [...this.byName].flatMap(([name, values]) => values.map((value): [string, string] => [name, value]));
  }
}
