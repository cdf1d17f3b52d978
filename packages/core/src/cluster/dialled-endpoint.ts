import type { Exchange } from '../exchange.ts';
import { withoutPort } from '../route/route-table.ts';
import type { ClusterSpec, EndpointSpec } from './cluster-spec.ts';

/** The host that the app named, of clusters whose hosts nobody tells: passthrough, and Envoy's dynamic forward proxy. */
export function dialledEndpoint(x: Exchange, { kind, transport, dialledPort }: ClusterSpec): EndpointSpec {
  const address = withoutPort(x.request.authority).replace(/^\[|\]$/g, '');
  const port = kind === 'original_dst' ? (dialledPort ?? x.port) : namedPort(x.request.authority, transport.kind === 'tls');
  return { address, port, hostname: '', weight: 1, health: 'UNKNOWN', transport, workload: undefined };
}

/** Of the authority, else what its scheme would be. */
function namedPort(authority: string, tls: boolean): number {
  const [, port] = /:(\d+)$/.exec(authority) ?? [];
  if (port !== undefined) return Number(port);
  return tls ? 443 : 80;
}
