import type { ServerResponse } from 'node:http';
import type { ResponseHead } from '@ripstop/core';

/** The app's response head, over node:http's own; filters change it before it is written. */
export class AppResponseHead implements ResponseHead {
  private readonly response: ServerResponse;

  constructor(response: ServerResponse) {
    this.response = response;
  }

  get status(): number {
    return this.response.statusCode;
  }

  set status(value: number) {
    this.response.statusCode = value;
  }

  header(name: string): string | undefined {
    const value = this.response.getHeader(name);
    return Array.isArray(value) ? value.join(',') : value?.toString();
  }

  firstLine(name: string): string | undefined {
    const value = this.response.getHeader(name);
    return Array.isArray(value) ? value[0] : value?.toString();
  }

  setHeader(name: string, value: string): void {
    this.response.setHeader(name, value);
  }

  appendHeader(name: string, value: string): void {
    this.response.appendHeader(name, value);
  }

  removeHeader(name: string): void {
    this.response.removeHeader(name);
  }
}

/** A local reply's head as a flat list of name, value pairs, in the order in which it is written. */
export class ReplyHead implements ResponseHead {
  status: number;
  readonly lines: string[];

  constructor(status: number, lines: string[]) {
    this.status = status;
    this.lines = lines;
  }

  header(name: string): string | undefined {
    let value: string | undefined;
    for (let at = 0; at < this.lines.length; at += 2) {
      if (this.lines[at] === name) value = value === undefined ? this.lines[at + 1] : `${value},${this.lines[at + 1]}`;
    }
    return value;
  }

  firstLine(name: string): string | undefined {
    for (let at = 0; at < this.lines.length; at += 2) if (this.lines[at] === name) return this.lines[at + 1];
    return undefined;
  }

  setHeader(name: string, value: string): void {
    this.removeHeader(name);
    this.lines.push(name, value);
  }

  appendHeader(name: string, value: string): void {
    this.lines.push(name, value);
  }

  removeHeader(name: string): void {
    for (let at = this.lines.length - 2; at >= 0; at -= 2) if (this.lines[at] === name) this.lines.splice(at, 2);
  }
}
