import {
  type Clock,
  type Cluster,
  Exchange,
  type LocalReply,
  NO_PEER,
  Pipeline,
  type RequestHead,
  type RouteTable,
  type Snapshot,
} from '@ripstop/core';
import { fromProtoJson, RouteConfiguration } from '@ripstop/xds-api';
import { HttpFilters } from '../http-filters.ts';
import { passthroughManager } from '../outbound-tables.ts';
import { compileRouteConfiguration } from '../route-configuration.ts';

export const clock: Clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };

export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Head implements RequestHead {
  readonly scheme = 'http';
  authority = 'shop';
  method = 'GET';
  path = '/';
  lines: [string, string][];
  constructor(path: string, headers: Readonly<Record<string, string | readonly string[]>>) {
    this.path = path;
    const { host, ':method': method, ...rest } = headers;
    if (typeof host === 'string') this.authority = host;
    if (typeof method === 'string') this.method = method;
    this.lines = Object.entries(rest).flatMap(([name, values]) =>
      [values].flat().map((value): [string, string] => [name, value as string]),
    );
  }
  header(name: string): string | undefined {
    const lines = this.headerLines(name);
    return lines.length === 0 ? undefined : lines.join(',');
  }
  headerLines(name: string): readonly string[] {
    return this.lines.filter(([other]) => other === name).map(([, value]) => value);
  }
  setHeader(name: string, value: string): void {
    this.removeHeader(name);
    this.lines.push([name, value]);
  }
  appendHeader(name: string, value: string): void {
    this.lines.push([name, value]);
  }
  removeHeader(name: string): void {
    this.lines = this.lines.filter(([other]) => other !== name);
  }
}

export const random: () => number = seeded(1);
export const filters: HttpFilters = new HttpFilters([], new Map(), {
  clock,
  random,
  direction: 'outbound',
  state: (_key, create) => create(),
});
export const clusters: ReadonlyMap<string, Cluster> = new Map(['a', 'b', 'c'].map((name) => [name, { name } as Cluster]));
export const snapshot: Snapshot = { version: '1', clusters } as unknown as Snapshot;

export function table(config: unknown, draws: () => number = random): RouteTable {
  return compileRouteConfiguration(fromProtoJson(RouteConfiguration, config), { random: draws, filters, direction: 'outbound' });
}

/** A table of one virtual host for everybody. */
export function routes(list: readonly unknown[], more: Readonly<Record<string, unknown>> = {}, draws?: () => number): RouteTable {
  return table({ name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes: list, ...more }] }, draws);
}

export interface Walked {
  readonly x: Exchange;
  readonly reply: LocalReply | undefined;
  readonly head: Head;
  /** The cluster, or the status of the reply. */
  readonly to: string | number | undefined;
}

export function walk(through: RouteTable, path: string, headers: Readonly<Record<string, string | readonly string[]>> = {}): Walked {
  const head = new Head(path, headers);
  const manager = { ...passthroughManager(undefined, []), routes: through };
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request: head,
    snapshot,
    manager,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
  });
  const reply = new Pipeline({ clock, random }).begin(x) as LocalReply | undefined;
  return { x, reply, head, to: reply?.status ?? x.cluster?.name };
}

export const to = (cluster: string, more: Readonly<Record<string, unknown>> = {}): { readonly route: object } => ({
  route: { cluster, ...more },
});
export const add = (key: string, value: string, append_action?: string): object => ({
  header: { key, value },
  ...(append_action === undefined ? {} : { append_action }),
});
export const location = ({ reply }: Walked): string | undefined => reply?.headers.find(([name]) => name === 'location')?.[1];
