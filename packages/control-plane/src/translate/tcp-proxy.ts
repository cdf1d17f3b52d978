import { type ListenerFilter, packAny, TcpProxy } from '@ripstop/xds-api';
import type { AccessLogFields } from './access-logs.ts';
import { duration, type FieldsOf } from './values.ts';

export type NetworkFilterFields = FieldsOf<typeof ListenerFilter>;

/** Part of a split of connections. */
export interface WeightedTarget {
  readonly name: string;
  readonly weight: number;
}

/** What a DestinationRule says about connections as such. */
export interface ConnectionLimits {
  readonly idleTimeout: string | undefined;
  readonly maxConnectionDuration: string | undefined;
  /** The address of the caller chooses the endpoint. */
  readonly hashesSource: boolean;
}

interface TcpOptions {
  readonly statPrefix?: string;
  readonly limits?: Partial<ConnectionLimits>;
}

/**
 * Bytes as they come, to one cluster, or split over several. What falls into the black hole of a capture port is not logged, as by
 * istiod: `accessLog` is empty there.
 */
export function tcpProxy(
  target: string | readonly WeightedTarget[],
  accessLog: readonly AccessLogFields[],
  { statPrefix = '', limits: { idleTimeout, maxConnectionDuration, hashesSource = false } = {} }: TcpOptions = {},
): NetworkFilterFields {
  const config = TcpProxy.fromPartial({
    statPrefix: typeof target === 'string' ? target : statPrefix,
    clusterSpecifier:
      typeof target === 'string'
        ? { $case: 'cluster', value: target }
        : { $case: 'weightedClusters', value: { clusters: target.map(({ name, weight }) => ({ name, weight })) } },
    ...(idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout) }),
    ...(maxConnectionDuration === undefined ? {} : { maxDownstreamConnectionDuration: duration(maxConnectionDuration) }),
    hashPolicy: hashesSource ? [{ policySpecifier: { $case: 'sourceIp', value: {} } }] : [],
    accessLog: [...accessLog],
  });
  return { name: 'envoy.filters.network.tcp_proxy', configType: { $case: 'typedConfig', value: packAny(TcpProxy, config) } };
}
