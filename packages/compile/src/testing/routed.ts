import { type Clock, type Cluster, Exchange, type LocalReply, NO_PEER, Pipeline, type RouteTable, type Snapshot } from '@ripstop/core';
import { fromProtoJson, RouteConfiguration } from '@ripstop/xds-api';
import { FakeHead, seeded } from '../../../core/src/testing/fakes.ts';
import { HttpFilters } from '../http-filters.ts';
import { passthroughManager } from '../outbound-tables.ts';
import { compileRouteConfiguration } from '../route-configuration.ts';

export const clock: Clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };

/** A head with its host and its method among the headers. */
export function headOf(path: string, headers: Readonly<Record<string, string | readonly string[]>>): FakeHead {
  const { host, ':method': method, ...lines } = headers;
  const head = new FakeHead(lines, { path });
  if (typeof host === 'string') head.authority = host;
  if (typeof method === 'string') head.method = method;
  return head;
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
  readonly head: FakeHead;
  /** The cluster, or the status of the reply. */
  readonly to: string | number | undefined;
}

export function walk(through: RouteTable, path: string, headers: Readonly<Record<string, string | readonly string[]>> = {}): Walked {
  const head = headOf(path, headers);
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
