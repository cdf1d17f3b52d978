import type { ResponseHead } from '@ripstop/core';

/** Response headers as undici parses them: lower-case names, several lines as a list. */
export type ResponseHeaders = Record<string, string | string[] | undefined>;

/** A view over undici's parsed response headers. `changed` tells whether the raw lines still say the same. */
export class UpstreamHead implements ResponseHead {
  readonly headers: ResponseHeaders;
  changed = false;
  #status: number;

  constructor(status: number, headers: ResponseHeaders) {
    this.#status = status;
    this.headers = headers;
  }

  get status(): number {
    return this.#status;
  }

  set status(value: number) {
    this.#status = value;
    this.changed = true;
  }

  header(name: string): string | undefined {
    return lineOf(this.headers, name);
  }

  firstLine(name: string): string | undefined {
    const value = this.headers[name];
    return typeof value === 'string' || value === undefined ? value : value[0];
  }

  setHeader(name: string, value: string): void {
    this.headers[name] = value;
    this.changed = true;
  }

  appendHeader(name: string, value: string): void {
    const before = this.headers[name];
    this.headers[name] = before === undefined ? value : typeof before === 'string' ? [before, value] : [...before, value];
    this.changed = true;
  }

  removeHeader(name: string): void {
    if (this.headers[name] === undefined) return;
    delete this.headers[name];
    this.changed = true;
  }

  /** Name, value, name, value …, for handlers that read raw headers. */
  flat(): string[] {
    const lines: string[] = [];
    for (const name of Object.keys(this.headers)) {
      const value = this.headers[name];
      if (typeof value === 'string') lines.push(name, value);
      else if (value !== undefined) for (const one of value) lines.push(name, one);
    }
    return lines;
  }
}

/** One value of headers or trailers, several lines joined as Envoy joins them. */
export function lineOf(headers: ResponseHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' || value === undefined ? value : value.join(',');
}

/** Of headers or trailers; undefined without a usable one. */
export function grpcStatusOf(headers: ResponseHeaders): number | undefined {
  const value = headers['grpc-status'];
  const status = Number(Array.isArray(value) ? value[0] : value);
  return value !== undefined && Number.isInteger(status) ? status : undefined;
}
