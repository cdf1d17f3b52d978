import { ApiVersion, type CommonGrpcAccessLogConfig, type GrpcService } from '@ripstop/xds-api';
import type { MeshService } from '../push/service.ts';
import { outboundCluster } from './names.ts';
import type { FieldsOf } from './values.ts';

/** Where a provider sends to. */
export interface Upstream {
  readonly host: string;
  readonly cluster: string;
}

/**
 * The cluster of a provider's service, which is a host or `namespace/host` (istiod: LookupCluster). Undefined when no service or more
 * than one has the name: the provider is left out.
 */
export function upstreamOf(
  { service = '', port = 0 }: { readonly service?: string; readonly port?: number },
  services: readonly MeshService[],
): Upstream | undefined {
  const [first = '', second] = service.split('/');
  const [namespace, host] = second === undefined ? [undefined, first] : [first, second];
  const found = services.filter((entry) => entry.hostname === host && (namespace === undefined || entry.namespace === namespace));
  if (new Set(found.map((entry) => entry.namespace)).size !== 1) return undefined;
  return { host, cluster: outboundCluster(host, port) };
}

export function grpcService({ host, cluster }: Upstream): FieldsOf<typeof GrpcService> {
  return { targetSpecifier: { $case: 'envoyGrpc', value: { clusterName: cluster, authority: host } } };
}

/** Of the loggers that send by gRPC. */
export function grpcLogConfig(
  upstream: Upstream,
  logName: string,
  filterStateObjectsToLog: readonly string[],
): FieldsOf<typeof CommonGrpcAccessLogConfig> {
  return {
    logName,
    grpcService: grpcService(upstream),
    transportApiVersion: ApiVersion.V3,
    filterStateObjectsToLog: [...filterStateObjectsToLog],
  };
}
