import type { Exchange } from '../exchange.ts';
import { readHeader } from './header-matcher.ts';
import type { PathMatch } from './path-matcher.ts';
import type { Regex } from './string-test.ts';

export interface RegexRewrite {
  readonly regex: Regex;
  readonly substitution: string;
}

/** Path and host rewrites of a route (Envoy RouteAction). At most one of the path forms is set, and of the host forms. */
export interface RewriteSpec {
  readonly prefixRewrite: string;
  readonly regexRewrite: RegexRewrite | undefined;
  readonly hostLiteral: string;
  readonly hostHeader: string;
  readonly hostRegex: RegexRewrite | undefined;
  readonly appendXForwardedHost: boolean;
}

/** Applies the rewrites; the query stays, the old path is in x-envoy-original-path, the old host in x-envoy-original-host. */
export function compileRewrite(spec: RewriteSpec, match: PathMatch): (x: Exchange) => void {
  const rewritesPath = spec.prefixRewrite !== '' || spec.regexRewrite !== undefined;
  const rewritesHost = spec.hostLiteral !== '' || spec.hostHeader !== '' || spec.hostRegex !== undefined;
  if (!rewritesPath && !rewritesHost) return () => {};
  return (x) => {
    if (rewritesHost) rewriteHost(x, spec);
    if (rewritesPath) rewritePath(x, spec, match);
  };
}

/** Rewrites the path; the one before is noted down. */
export function rewritePath(x: Exchange, spec: Pick<RewriteSpec, 'prefixRewrite' | 'regexRewrite'>, match: PathMatch): void {
  const before = x.request.path;
  const [path, query] = splitQuery(before);
  const after =
    spec.regexRewrite === undefined
      ? replacePrefix(path, spec.prefixRewrite, match)
      : spec.regexRewrite.regex.replaceAll(path, spec.regexRewrite.substitution);
  x.request.setHeader('x-envoy-original-path', before);
  x.request.path = after + query;
}

/** `['/a', '?b']`. */
export function splitQuery(path: string): [path: string, query: string] {
  const question = path.indexOf('?');
  return question === -1 ? [path, ''] : [path.slice(0, question), path.slice(question)];
}

/** Only the matched prefix or path is replaced; on a route that matches otherwise the whole path is. */
export function replacePrefix(path: string, replacement: string, match: PathMatch): string {
  if (match.kind === 'prefix' || match.kind === 'exact' || match.kind === 'separated_prefix')
    return replacement + path.slice(match.value.length);
  return replacement;
}

function rewriteHost(x: Exchange, spec: RewriteSpec): void {
  const host = newHost(x, spec);
  if (host !== undefined) replaceAuthority(x, host, spec.appendXForwardedHost);
}

function newHost(x: Exchange, spec: RewriteSpec): string | undefined {
  if (spec.hostLiteral !== '') return spec.hostLiteral;
  // Without the header, or with an empty one, the host stays.
  if (spec.hostHeader !== '') return (x.request.headerLines(spec.hostHeader)[0] ?? readHeader(x.request, spec.hostHeader)) || undefined;
  // A path that the pattern does not match becomes the host as it is; an empty one leaves the host.
  return spec.hostRegex?.regex.replaceAll(x.matchPath, spec.hostRegex.substitution) || undefined;
}

/** Envoy's updateAuthority: also a host that stays the same is noted down; x-forwarded-host does not repeat its last entry. */
export function replaceAuthority({ request }: Exchange, host: string, appendXForwardedHost: boolean): void {
  const before = request.authority;
  if (appendXForwardedHost && before !== '') {
    const forwarded = request.header('x-forwarded-host');
    if (!forwarded) request.setHeader('x-forwarded-host', before);
    else if (forwarded.slice(forwarded.lastIndexOf(',') + 1).trim() !== before)
      request.setHeader('x-forwarded-host', `${forwarded},${before}`);
  }
  request.setHeader('x-envoy-original-host', before);
  request.authority = host;
}
