import {
  compileWeightedClusters,
  criteriaOf,
  type Exchange,
  type HttpConnectionManager,
  mergeCriteria,
  PLAIN_MANAGER,
  type TcpProxy,
  xxh64,
} from '@ripstop/core';
import { type Any, type ListenerFilter, TcpProxy as TcpProxyMessage, unpackAny } from '@ripstop/xds-api';
import type { ManagerEnv } from './http-connection-manager.ts';
import { createNetworkFilters } from './network-filters.ts';
import { compileAccessLogs } from './telemetry/access-log.ts';
import { compileMetrics } from './telemetry/metrics.ts';
import { filterMetadata, milliseconds } from './values.ts';

/** Envoy's. */
const IDLE_TIMEOUT_MS = 3_600_000;

/** What a chain of bytes is made of. */
export interface TcpChainParts {
  /** For messages and statistics. */
  readonly name: string;
  /** The message of the tcp_proxy filter. */
  readonly terminal: Any;
  readonly judges: readonly Any[];
  /** All of them, for what they say about metrics. */
  readonly filters: readonly ListenerFilter[];
  readonly sources: HttpConnectionManager['sources'];
}

/** Throws for what is not supported; the chain is refused then, not the listener. */
export function compileTcpProxy({ name, terminal, judges, filters, sources }: TcpChainParts, env: ManagerEnv): TcpProxy {
  const message = unpackAny(TcpProxyMessage, terminal);
  if (message.tunnelingConfig !== undefined) throw new Error('tcp_proxy: tunnelling is not supported');
  if (message.onDemand !== undefined) throw new Error('tcp_proxy: clusters on demand are not supported');
  return {
    manager: {
      ...NO_HTTP,
      name,
      sources,
      accessLogs: compileAccessLogs(message.accessLog),
      metrics: compileMetrics(filters),
      keepsTimes: true,
    },
    filters: createNetworkFilters(judges, env.registry, { ...env.filterEnv, statPrefix: message.statPrefix }),
    chooseCluster: clusterChoice(message, env),
    hash: hashOf(message),
    idleTimeoutMs: milliseconds(message.idleTimeout, IDLE_TIMEOUT_MS),
    maxDurationMs: milliseconds(message.maxDownstreamConnectionDuration, 0),
    maxConnectAttempts: message.maxConnectAttempts ?? 1,
  };
}

function clusterChoice({ clusterSpecifier, metadataMatch }: TcpProxyMessage, { random }: ManagerEnv): TcpProxy['chooseCluster'] {
  const criteria = criteriaOf(filterMetadata(metadataMatch, 'envoy.lb'));
  switch (clusterSpecifier?.$case) {
    case 'cluster':
      return compileWeightedClusters([{ cluster: clusterSpecifier.value, weight: 1, criteria }], random);
    case 'weightedClusters':
      return compileWeightedClusters(
        clusterSpecifier.value.clusters.map((entry) => ({
          cluster: entry.name,
          weight: entry.weight,
          criteria: mergeCriteria(criteria, criteriaOf(filterMetadata(entry.metadataMatch, 'envoy.lb'))),
        })),
        random,
      );
    default:
      throw new Error('tcp_proxy: no cluster is named');
  }
}

function hashOf({ hashPolicy }: TcpProxyMessage): TcpProxy['hash'] {
  const [policy] = hashPolicy;
  if (policy === undefined) return undefined;
  if (policy.policySpecifier?.$case !== 'sourceIp') throw new Error('tcp_proxy: a hash policy other than source_ip is not supported');
  return (x: Exchange) => {
    x.hash = xxh64(x.peer.address);
  };
}

/** A connection manager for connections without requests. */
export const NO_HTTP: HttpConnectionManager = { ...PLAIN_MANAGER, serverName: '' };
