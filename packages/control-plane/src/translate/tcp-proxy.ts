import { type ListenerFilter, packAny, TcpProxy } from '@ripstop/xds-api';
import type { MeshConfig } from '../push/mesh-config.ts';
import { accessLogs } from './access-logs.ts';
import type { FieldsOf } from './values.ts';

export type NetworkFilterFields = FieldsOf<typeof ListenerFilter>;

/** Part of a split of connections. */
export interface WeightedTarget {
  readonly name: string;
  readonly weight: number;
}

/**
 * Bytes as they come, to one cluster, or split over several. What falls into the black hole of a capture port is not logged, as by
 * istiod.
 */
export function tcpProxy(
  target: string | readonly WeightedTarget[],
  mesh: MeshConfig,
  { logged = true, statPrefix = '' }: { readonly logged?: boolean; readonly statPrefix?: string } = {},
): NetworkFilterFields {
  const config = TcpProxy.fromPartial({
    statPrefix: typeof target === 'string' ? target : statPrefix,
    clusterSpecifier:
      typeof target === 'string'
        ? { $case: 'cluster', value: target }
        : { $case: 'weightedClusters', value: { clusters: target.map(({ name, weight }) => ({ name, weight })) } },
    accessLog: logged ? accessLogs(mesh) : [],
  });
  return { name: 'envoy.filters.network.tcp_proxy', configType: { $case: 'typedConfig', value: packAny(TcpProxy, config) } };
}
