import type { Exchange } from '../exchange.ts';
import { streamIdleReply } from '../local-replies.ts';
import type { LocalReply } from '../local-reply.ts';
import type { Clock } from '../ports.ts';
import type { Snapshot } from '../snapshot.ts';
import type { RouteTable, VirtualHost } from './route.ts';
import { createRouteTable } from './route-table.ts';

/** `Clock.now()` at which something was used last; one object, shared by whatever stands for that thing. */
export interface LastUse {
  at: number;
}

/** Asks for hosts that a route table does not have (Envoy's on_demand filter and VHDS). */
export interface HostRequests {
  /**
   * Undefined: there is nothing to wait for. Else resolves when the answer is in force, with the snapshot that is in force then; never
   * rejects, and stays open while nobody answers.
   */
  ask(authority: string): Promise<Snapshot | undefined> | undefined;
}

/** The virtual hosts of a table that grows and shrinks between two snapshots. */
export interface HostSource {
  /** Changes with the hosts. */
  readonly version: number;
  hosts(): readonly VirtualHost[];
}

/**
 * A route table whose hosts come and go one by one (VHDS): made again, from hosts that are compiled already, at the first look-up behind
 * a change. Without `onDemand` it only takes what it is given unasked.
 */
export function createOnDemandTable(name: string, source: HostSource, ignorePort: boolean, onDemand: HostRequests | undefined): RouteTable {
  let version = source.version;
  let table = createRouteTable(name, source.hosts(), ignorePort);
  const current = (): RouteTable => {
    if (version !== source.version) {
      version = source.version;
      table = createRouteTable(name, source.hosts(), ignorePort);
    }
    return table;
  };
  return {
    name,
    onDemand,
    get version() {
      return source.version;
    },
    get virtualHosts() {
      return current().virtualHosts;
    },
    virtualHost: (authority) => current().virtualHost(authority),
  };
}

/**
 * Of a request without a route: waits until its host is known, or known not to be, for as long as a stream may be idle. Undefined: there
 * is nothing to wait for; else a reply when it took too long.
 */
export function awaitHost(x: Exchange, clock: Clock): Promise<LocalReply | undefined> | undefined {
  const { authority } = x.request;
  const asked = authority === '' ? undefined : x.manager.routes.onDemand?.ask(authority);
  if (asked === undefined) return undefined;
  const limitMs = x.manager.streamIdleTimeoutMs;
  return new Promise((resolve) => {
    const timer = limitMs > 0 ? clock.setTimer(() => resolve(streamIdleReply(true)), limitMs) : undefined;
    void asked.then((snapshot) => {
      timer?.cancel();
      // What the host leads to may have come with it.
      if (snapshot !== undefined) x.snapshot = snapshot;
      resolve(undefined);
    });
  });
}
