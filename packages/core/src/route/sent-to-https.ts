import type { Exchange } from '../exchange.ts';

/**
 * The virtual host takes nothing but https (`require_tls`), and the request came otherwise, by what the first proxy said, word for word:
 * its route is the redirect there (Envoy's SslRedirectRoute), and none of the host's routes is asked.
 */
export function isSentToHttps({ virtualHost, request }: Exchange): boolean {
  return virtualHost?.requireTls === true && (request.header('x-forwarded-proto') ?? request.scheme) !== 'https';
}
