import type { Exchange } from '../exchange.ts';
import type { TransportSocket } from './cluster.ts';

/** As Envoy's dynamic forward proxy: of the authority, else what its scheme would be. */
export function namedPort({ request: { authority } }: Exchange, { kind }: TransportSocket): number {
  const [, port] = /:(\d+)$/.exec(authority) ?? [];
  if (port !== undefined) return Number(port);
  return kind === 'tls' ? 443 : 80;
}
