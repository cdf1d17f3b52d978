import { outboundCluster } from '../names.ts';

/** A cluster and, without a subset, a route configuration: `outbound|9080|v1|reviews.default.svc.cluster.local`. */
export interface OutboundName {
  readonly host: string;
  readonly port: number;
  readonly subset: string;
}

const OUTBOUND = /^outbound\|(\d+)\|([^|]*)\|(.+)$/;

export function parseOutbound(name: string): OutboundName | undefined {
  const match = OUTBOUND.exec(name);
  return match === null ? undefined : { port: Number(match[1]), subset: match[2]!, host: match[3]! };
}

/** istiod names a route configuration of a gRPC client like the cluster of its default route. */
export function routeName(host: string, port: number): string {
  return outboundCluster(host, port);
}

const INBOUND = /^xds\.istio\.io\/grpc\/lds\/inbound\/(.+):(\d+)$/;

/** The listener of a server, from the template `xds.istio.io/grpc/lds/inbound/%s` of its bootstrap. */
export function parseInbound(name: string): { readonly address: string; readonly port: number } | undefined {
  const match = INBOUND.exec(name);
  return match === null ? undefined : { address: match[1]!.replace(/^\[(.*)\]$/, '$1'), port: Number(match[2]) };
}
