import type { Exchange } from '../exchange.ts';
import type { PathMatch } from './path-matcher.ts';
import { withoutPort } from './route-table.ts';
import type { Regex } from './string-test.ts';

/** Path and host rewrites of a route (Envoy RouteAction). At most one of the path forms is set. */
export interface RewriteSpec {
  readonly prefixRewrite: string;
  readonly regexRewrite: { readonly regex: Regex; readonly substitution: string } | undefined;
  readonly hostLiteral: string;
  readonly hostHeader: string;
  readonly hostRegex: { readonly regex: Regex; readonly substitution: string } | undefined;
  readonly appendXForwardedHost: boolean;
}

/** Applies the rewrites; the query stays, the old path is in x-envoy-original-path, the old host in x-envoy-original-host. */
export function compileRewrite(spec: RewriteSpec, match: PathMatch, caseSensitive: boolean): (x: Exchange) => void {
  const rewritesPath = spec.prefixRewrite !== '' || spec.regexRewrite !== undefined;
  const rewritesHost = spec.hostLiteral !== '' || spec.hostHeader !== '' || spec.hostRegex !== undefined;
  if (!rewritesPath && !rewritesHost) return () => {};
  return (x) => {
    if (rewritesPath) rewritePath(x, spec, match, caseSensitive);
    if (rewritesHost) rewriteHost(x, spec);
  };
}

function rewritePath(x: Exchange, spec: RewriteSpec, match: PathMatch, caseSensitive: boolean): void {
  const before = x.request.path;
  const question = before.indexOf('?');
  const path = question === -1 ? before : before.slice(0, question);
  const query = question === -1 ? '' : before.slice(question);
  const after =
    spec.regexRewrite === undefined
      ? replacePrefix(path, spec.prefixRewrite, match, caseSensitive)
      : spec.regexRewrite.regex.replaceAll(path, spec.regexRewrite.substitution);
  x.request.setHeader('x-envoy-original-path', before);
  x.request.path = after + query;
}

/** Only the matched prefix or path is replaced; on a regex route the whole path is. */
function replacePrefix(path: string, replacement: string, match: PathMatch, _caseSensitive: boolean): string {
  if (match.kind === 'prefix' || match.kind === 'exact' || match.kind === 'separated_prefix')
    return replacement + path.slice(match.value.length);
  return replacement;
}

function rewriteHost(x: Exchange, spec: RewriteSpec): void {
  const before = x.request.authority;
  let after = before;
  if (spec.hostLiteral !== '') after = spec.hostLiteral;
  else if (spec.hostHeader !== '') after = x.request.header(spec.hostHeader) ?? before;
  else if (spec.hostRegex !== undefined) after = spec.hostRegex.regex.replaceAll(x.matchPath, spec.hostRegex.substitution);
  if (after === before) return;
  x.request.setHeader('x-envoy-original-host', before);
  if (spec.appendXForwardedHost) x.request.appendHeader('x-forwarded-host', before);
  x.request.authority = after;
}

/** A redirect (Envoy RedirectAction). */
export interface RedirectSpec {
  readonly status: number;
  readonly httpsRedirect: boolean;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly prefixRewrite: string;
  readonly regexRewrite: { readonly regex: Regex; readonly substitution: string } | undefined;
  readonly stripQuery: boolean;
}

/** The `location` of a redirect for this request. */
export function redirectLocation(x: Exchange, spec: RedirectSpec, match: PathMatch): string {
  const { request } = x;
  const scheme = spec.httpsRedirect ? 'https' : spec.scheme !== '' ? spec.scheme : request.scheme;
  return `${scheme}://${redirectHost(request.authority, request.scheme, scheme, spec)}${redirectPath(request.path, spec, match)}`;
}

function redirectHost(authority: string, oldScheme: string, scheme: string, spec: RedirectSpec): string {
  const bare = spec.host !== '' ? spec.host : withoutPort(authority);
  if (spec.port !== 0) return `${bare}:${spec.port}`;
  if (spec.host !== '') return bare;
  // Only the port that was the old scheme's default is dropped, and only when the scheme changes.
  const defaultPort = oldScheme === 'https' ? ':443' : ':80';
  return scheme !== oldScheme && authority.endsWith(defaultPort) ? bare : authority;
}

function redirectPath(path: string, spec: RedirectSpec, match: PathMatch): string {
  const question = path.indexOf('?');
  const bare = question === -1 ? path : path.slice(0, question);
  const query = question === -1 || spec.stripQuery ? '' : path.slice(question);
  if (spec.path !== undefined && spec.path !== '') return spec.path.includes('?') ? spec.path : spec.path + query;
  if (spec.prefixRewrite !== '') return replacePrefix(bare, spec.prefixRewrite, match, true) + query;
  if (spec.regexRewrite !== undefined) return spec.regexRewrite.regex.replaceAll(bare, spec.regexRewrite.substitution) + query;
  return bare + query;
}
