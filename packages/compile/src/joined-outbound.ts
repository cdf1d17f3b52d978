import type { Cluster, HttpConnectionManager, OutboundTables } from '@ripstop/core';
import type { SnapshotCompilerOptions } from './compiler-environment.ts';
import type { CompiledListener } from './listener-compiler.ts';
import { joinManagers, passthroughManager } from './outbound-tables.ts';

/** The way out: the manager of each port, and what becomes of the rest. */
export function joinOutbound(
  listeners: readonly CompiledListener[],
  clusters: ReadonlyMap<string, Cluster>,
  { appFilters = [], ownCluster = '' }: Pick<SnapshotCompilerOptions, 'appFilters' | 'ownCluster'>,
): OutboundTables {
  const byPort = new Map<number, HttpConnectionManager[]>();
  for (const { decoded, manager } of listeners) {
    if (manager === undefined || decoded.kind !== 'outbound') continue;
    byPort.set(decoded.port, [...(byPort.get(decoded.port) ?? []), manager]);
  }
  const virtualOutbound = listeners.find(({ decoded }) => decoded.kind === 'virtual_outbound');
  const virtual = virtualOutbound?.decoded;
  const unknown = [...(virtual?.chains ?? []), ...(virtual?.defaultChain === undefined ? [] : [virtual.defaultChain])]
    .map(({ tcpCluster }) => tcpCluster)
    .find((name) => name !== undefined && name !== 'BlackHoleCluster');
  // An egress proxy that nobody knows must not be gone round: its cluster is missing, and calls get 503.
  const known = unknown !== 'PassthroughCluster' || clusters.has(unknown);
  // An HTTP chain looks hosts up (ALLOW_ANY_DYNAMIC_DNS).
  const catchAll = virtualOutbound?.manager ?? passthroughManager(known ? unknown : undefined, appFilters);
  const scope = { catchAll, namespace: ownCluster.slice(ownCluster.lastIndexOf('.') + 1) };
  const ports = new Map([...byPort].map(([port, managers]) => [port, joinManagers(managers, scope)]));
  return { forPort: (port) => ports.get(port), catchAll, ports: [...ports.keys()] };
}
