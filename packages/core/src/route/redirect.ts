import type { Exchange, RequestHead } from '../exchange.ts';
import { type LocalReply, localReply } from '../local-reply.ts';
import type { PathMatch } from './path-matcher.ts';
import { type RegexRewrite, replacePrefix, rewritePath, splitQuery } from './rewrite.ts';
import { withoutPort } from './route-table.ts';

/** A redirect (Envoy RedirectAction). */
export interface RedirectSpec {
  readonly status: number;
  readonly httpsRedirect: boolean;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly prefixRewrite: string;
  readonly regexRewrite: RegexRewrite | undefined;
  readonly stripQuery: boolean;
}

/** The `location` of a redirect for this request. As in Envoy the request's own path is rewritten, too, which response headers may show. */
export function redirectLocation(x: Exchange, spec: RedirectSpec, match: PathMatch): string {
  const { request } = x;
  const before = clientScheme(request);
  const scheme = spec.httpsRedirect ? 'https' : spec.scheme !== '' ? spec.scheme : before;
  const location = `${scheme}://${redirectHost(request.authority, request.header('x-forwarded-proto')?.toLowerCase() ?? before, scheme, spec)}${redirectPath(request.path, spec, match)}`;
  if (spec.prefixRewrite !== '' || spec.regexRewrite !== undefined) rewritePath(x, spec, match);
  return location;
}

/** The scheme that the caller used: what the first proxy said of it, else that of the connection. */
export function clientScheme(request: RequestHead): 'http' | 'https' {
  // A listener's head has asked already.
  if (request.connectionScheme !== undefined) return request.scheme;
  const forwarded = request.header('x-forwarded-proto');
  return forwarded === 'http' || forwarded === 'https' ? forwarded : request.scheme;
}

function redirectHost(authority: string, oldScheme: string, scheme: string, spec: RedirectSpec): string {
  if (spec.port !== 0) return `${spec.host !== '' ? spec.host : withoutPort(authority)}:${spec.port}`;
  if (spec.host !== '') return spec.host;
  // Only the port that was the old scheme's default is dropped, and only when the scheme changes.
  const defaultPort = oldScheme === 'https' ? ':443' : ':80';
  return scheme !== oldScheme && authority.endsWith(defaultPort) ? withoutPort(authority) : authority;
}

function redirectPath(path: string, spec: RedirectSpec, match: PathMatch): string {
  const [bare, whole] = splitQuery(path);
  const query = spec.stripQuery ? '' : whole;
  // A query of the redirect's own takes the place of the request's.
  if (spec.path !== undefined && spec.path !== '') return spec.path.includes('?') ? spec.path : spec.path + query;
  if (spec.prefixRewrite !== '') return replacePrefix(bare, spec.prefixRewrite, match) + query;
  if (spec.regexRewrite !== undefined)
    return rooted(spec.regexRewrite.regex.replaceAll(bare, spec.regexRewrite.substitution) || bare) + query;
  return bare + query;
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** A direct response. Envoy gives 201 and every 3xx of them a `location`: the request's own URL. */
export function directResponse(status: number, body: string): (x: Exchange) => LocalReply {
  const reply = localReply({ status, details: 'direct_response', body });
  if (status !== 201 && (status < 300 || status > 399)) return () => reply;
  return ({ request }) => ({ ...reply, headers: [['location', `${clientScheme(request)}://${request.authority}${request.path}`]] });
}
