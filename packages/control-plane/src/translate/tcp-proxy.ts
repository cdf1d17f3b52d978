import { type ListenerFilter, packAny, TcpProxy } from '@ripstop/xds-api';
import type { MeshConfig } from '../push/mesh-config.ts';
import { accessLogs } from './access-logs.ts';
import type { FieldsOf } from './values.ts';

export type NetworkFilterFields = FieldsOf<typeof ListenerFilter>;

/** Bytes as they come, to one cluster. What falls into the black hole of a capture port is not logged, as by istiod. */
export function tcpProxy(cluster: string, mesh: MeshConfig, { logged = true }: { readonly logged?: boolean } = {}): NetworkFilterFields {
  const config = TcpProxy.fromPartial({
    statPrefix: cluster,
    clusterSpecifier: { $case: 'cluster', value: cluster },
    accessLog: logged ? accessLogs(mesh) : [],
  });
  return { name: 'envoy.filters.network.tcp_proxy', configType: { $case: 'typedConfig', value: packAny(TcpProxy, config) } };
}
