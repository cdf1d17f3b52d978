import type { HTTPMatchRequest, StringMatch } from '@ripstop/istio-api';
import type { GrpcMatch, HttpMatch, NamedValue } from './route-types.ts';

/** A match of an HTTPRoute as one of a VirtualService. Undefined takes everything. */
export function httpMatch({ path, headers, queryParams, method }: HttpMatch): HTTPMatchRequest {
  return {
    uri: uriOf(path),
    ...(headers === undefined ? {} : { headers: conditions(headers) }),
    ...(queryParams === undefined ? {} : { queryParams: conditions(queryParams) }),
    ...(method === undefined ? {} : { method: { exact: method } }),
  };
}

/** Without a path a match is about every path. */
function uriOf({ type = 'PathPrefix', value = '/' }: NonNullable<HttpMatch['path']> = {}): StringMatch {
  if (type === 'Exact') return { exact: value };
  if (type === 'RegularExpression') return { regex: value };
  // The slash at the end of a prefix says nothing.
  return { prefix: value === '/' ? value : value.replace(/\/$/, '') };
}

/** A gRPC method is a path: `/service/method`. */
export function grpcMatch({ method, headers }: GrpcMatch): HTTPMatchRequest {
  const { type, service, method: name } = method ?? {};
  const uri: StringMatch | undefined =
    service === undefined && name === undefined
      ? undefined
      : type === 'RegularExpression'
        ? { regex: `/${service ?? '[^/]+'}/${name ?? '.+'}` }
        : name === undefined
          ? { prefix: `/${service}/` }
          : service === undefined
            ? { regex: `/[^/]+/${name}` }
            : { exact: `/${service}/${name}` };
  return { ...(uri === undefined ? {} : { uri }), ...(headers === undefined ? {} : { headers: conditions(headers) }) };
}

/** Of two conditions on one name the first counts, as the API says. */
function conditions(entries: readonly NamedValue[]): Record<string, StringMatch> {
  const found: Record<string, StringMatch> = {};
  for (const { name, type, value } of entries) found[name] ??= type === 'RegularExpression' ? { regex: value } : { exact: value };
  return found;
}

/**
 * Which of two matches is asked first (the API's precedence; Istio: sortHTTPRoutes): exact path, longest prefix, regex, no path; then
 * with a method, more headers, more query parameters. 0 = their order decides.
 */
export function compareMatches(a: HTTPMatchRequest | undefined, b: HTTPMatchRequest | undefined): number {
  const ranks = [a, b].map(rank) as [readonly number[], readonly number[]];
  for (const [index, value] of ranks[0].entries()) {
    const difference = ranks[1][index]! - value;
    if (difference !== 0) return difference;
  }
  return 0;
}

function rank(match: HTTPMatchRequest | undefined): readonly number[] {
  if (match === undefined) return [-1, 0, 0, 0, 0];
  const { uri, method, headers, queryParams } = match;
  const kind = uri?.exact !== undefined ? 3 : uri?.prefix !== undefined ? 2 : uri?.regex !== undefined ? 1 : 0;
  const length = (uri?.exact ?? uri?.prefix ?? uri?.regex ?? '').length;
  return [kind, length, method === undefined ? 0 : 1, Object.keys(headers ?? {}).length, Object.keys(queryParams ?? {}).length];
}
