import type { Listener } from '@ripstop/xds-api';
import { isHttp, type Protocol } from '../push/protocol.ts';
import type { NetworkFilterFields } from './tcp-proxy.ts';
import type { FieldsOf } from './values.ts';

type ChainFields = NonNullable<FieldsOf<typeof Listener>['filterChains']>[number];

/** A filter chain in the making. */
export interface ListenerChain {
  readonly serverNames: readonly string[];
  /** Destination addresses, as CIDR or plain. */
  readonly ranges: readonly string[];
  /** HTTP by its first bytes. */
  readonly sniffsHttp?: boolean;
  readonly filters: readonly NetworkFilterFields[];
  readonly metadata?: ChainFields['metadata'];
}

/** Where connections are taken. */
export interface Binding {
  readonly address: string;
  /** Further addresses of the same listener. */
  readonly others: readonly string[];
  /** It stands for every address. */
  readonly anywhere: boolean;
  /** Nothing is captured: the listener has a socket of its own. */
  readonly opens: boolean;
}

export interface ListenerEntry {
  readonly at: Binding;
  readonly port: number;
  /** What is found by its first bytes is `Auto`. */
  protocol: Protocol;
  chains: ListenerChain[];
  /** Belongs to an egress listener with a port of its own: the catch-all one adds nothing. */
  locked: boolean;
}

/** What happens to the services of a port whose protocols do not agree (Istio: buildSidecarOutboundListener). */
export class ListenerEntries {
  private readonly entries = new Map<string, ListenerEntry>();

  get all(): ListenerEntry[] {
    return [...this.entries.values()];
  }

  lock(): void {
    for (const entry of this.entries.values()) entry.locked = true;
  }

  /**
   * `protocol`: of the service port. Chains are made only when they are wanted: an HTTP listener that is there serves further services by
   * its routes.
   */
  add(at: Binding, port: number, protocol: Protocol, chains: (key: string) => ListenerChain[]): void {
    const key = `${at.address}_${port}`;
    const current = this.entries.get(key);
    const http = isHttp(protocol);
    const auto = protocol === 'Auto';
    // An HTTP chain on the wildcard address has bytes beside it, so it is a sniffed one.
    const entry = (): ListenerEntry => ({
      at,
      port,
      protocol: http && at.anywhere && protocol !== 'HTTP_PROXY' ? 'Auto' : protocol,
      chains: chains(key),
      locked: false,
    });
    if (current === undefined) {
      this.entries.set(key, entry());
      return;
    }
    const stream = !isHttp(current.protocol) && current.protocol !== 'Auto';
    if (current.locked || ((http || auto) && !stream && !(auto && isHttp(current.protocol)))) return;
    if (serverFirst(protocol, current.protocol)) return;
    if (auto && isHttp(current.protocol)) {
      this.entries.set(key, entry());
      return;
    }
    current.chains = merged(current.chains, chains(key));
    if (http || auto || isHttp(current.protocol)) current.protocol = 'Auto';
  }
}

/** Sniffing would wait for a client that waits itself. */
function serverFirst(incoming: Protocol, existing: Protocol): boolean {
  const waits = (protocol: Protocol): boolean => protocol === 'Mongo' || protocol === 'MySQL';
  return incoming !== existing && (waits(incoming) || waits(existing));
}

/** Chains with distinct conditions; of two with the same the first stays. */
function merged(current: readonly ListenerChain[], incoming: readonly ListenerChain[]): ListenerChain[] {
  const chains = [...current];
  for (const chain of incoming) if (!chains.some((other) => condition(other) === condition(chain))) chains.push(chain);
  return chains;
}

function condition({ serverNames, ranges, sniffsHttp = false }: ListenerChain): string {
  const names = serverNames.filter((name) => name !== '*').sort();
  return JSON.stringify([names, [...ranges].sort(), sniffsHttp]);
}
