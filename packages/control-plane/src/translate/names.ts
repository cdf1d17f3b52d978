/** Istio's names of clusters, as dashboards and other control planes know them. */
export const BLACK_HOLE_CLUSTER = 'BlackHoleCluster';
export const PASSTHROUGH_CLUSTER = 'PassthroughCluster';
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
