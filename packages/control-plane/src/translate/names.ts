import type { OutboundScope } from '../push/outbound-scope.ts';

/** Istio's names of clusters, as dashboards and other control planes know them. */
export const BLACK_HOLE_CLUSTER = 'BlackHoleCluster';
export const PASSTHROUGH_CLUSTER = 'PassthroughCluster';
/** Hosts that nobody owns, by the name that the request gives (ALLOW_ANY_DYNAMIC_DNS). */
export const DYNAMIC_DNS_CLUSTER = 'AllowAnyDynamicDNSCluster';
export const INBOUND_PASSTHROUGH_CLUSTER = 'InboundPassthroughCluster';

/** `outbound|9080|v1|reviews.default.svc.cluster.local`. */
export function outboundCluster(host: string, port: number, subset = ''): string {
  return `outbound|${port}|${subset}|${host}`;
}

/** `inbound|9080||`. */
export function inboundCluster(targetPort: number): string {
  return `inbound|${targetPort}||`;
}

/** Server name of an mTLS connection: `outbound_.9080_.v1_.reviews.default.svc.cluster.local`. */
export function outboundSni(host: string, port: number, subset = ''): string {
  return `outbound_.${port}_.${subset}_.${host}`;
}

/** Where calls to hosts that nobody owns go: on to their own address, to the egress proxy (istiod resolves no short name here), or nowhere. */
export function unknownHostsCluster({ allowAny, sidecar }: Pick<OutboundScope, 'allowAny' | 'sidecar'>): string {
  if (!allowAny) return BLACK_HOLE_CLUSTER;
  const proxy = sidecar?.spec.outboundTrafficPolicy?.egressProxy;
  return proxy === undefined ? PASSTHROUGH_CLUSTER : outboundCluster(proxy.host, proxy.port?.number ?? 0, proxy.subset);
}
