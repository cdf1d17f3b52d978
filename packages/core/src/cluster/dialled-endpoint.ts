import type { Exchange } from '../exchange.ts';
import { withoutPort } from '../route/route-table.ts';
import type { ClusterSpec, EndpointSpec } from './cluster-spec.ts';

/**
 * The host of clusters whose hosts nobody tells: ORIGINAL_DST goes where the app's connection went, whatever a route made of the authority,
 * and Envoy's dynamic forward proxy to the authority as it is sent. Undefined: no connection stands behind the request whose
 * destination was restored, as in a gateway and behind Envoy's mirrored copies.
 */
export function dialledEndpoint(x: Exchange, { kind, transport, dialledPort }: ClusterSpec): EndpointSpec | undefined {
  const { authority, originalDestination = authority } = x.request;
  const original = kind === 'original_dst';
  if (original && originalDestination === '') return undefined;
  const address = withoutPort(original ? originalDestination : authority).replace(/^\[|\]$/g, '');
  const port = original ? (dialledPort ?? x.port) : namedPort(authority, transport.kind === 'tls');
  return { address, port, hostname: '', weight: 1, health: 'UNKNOWN', transport, workload: undefined };
}

/** Of the authority, else what its scheme would be. */
function namedPort(authority: string, tls: boolean): number {
  const [, port] = /:(\d+)$/.exec(authority) ?? [];
  if (port !== undefined) return Number(port);
  return tls ? 443 : 80;
}
