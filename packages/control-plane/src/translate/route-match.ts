import { type HTTPMatchRequest, routedClaim, type StringMatch } from '@ripstop/istio-api';
import type { HeaderMatcher, MetadataMatcher, QueryParameterMatcher, RouteMatch, StringMatcher } from '@ripstop/xds-api';
import { listOrScalar } from './rbac/matchers.ts';
import type { FieldsOf } from './values.ts';

type HeaderFields = FieldsOf<typeof HeaderMatcher>;
type MetadataFields = FieldsOf<typeof MetadataMatcher>;

const JWT_FILTER = 'envoy.filters.http.jwt_authn';

/** One match block; undefined is a route without any (prefix `/`, and no case_sensitive, as istiod writes it). */
export function routeMatch(match: HTTPMatchRequest | undefined, gatewayApi = false): FieldsOf<typeof RouteMatch> {
  if (match === undefined) return { pathSpecifier: { $case: 'prefix', value: '/' } };
  const dynamicMetadata = claimMatchers(match);
  const queryParameters = Object.entries(match.queryParams ?? {}).map(([name, value]) => queryMatcher(name, value));
  return {
    pathSpecifier: pathSpecifier(match.uri, gatewayApi),
    caseSensitive: !(match.ignoreUriCase ?? false),
    headers: headerMatchers(match),
    queryParameters,
    ...(dynamicMetadata.length > 0 ? { dynamicMetadata } : {}),
  };
}

/** Prefixes of the Gateway API end at a slash: `/api` is not `/apix`. */
function pathSpecifier(uri: StringMatch | undefined, gatewayApi: boolean): NonNullable<FieldsOf<typeof RouteMatch>['pathSpecifier']> {
  if (uri?.exact !== undefined) return { $case: 'path', value: uri.exact };
  if (uri?.regex !== undefined) return { $case: 'safeRegex', value: { regex: uri.regex } };
  const prefix = uri?.prefix ?? '/';
  const separated = gatewayApi ? prefix.replace(/\/+$/, '') : '';
  return separated === '' ? { $case: 'prefix', value: prefix } : { $case: 'pathSeparatedPrefix', value: separated };
}

/** Sorted by name, withoutHeaders mixed in; then method, authority, scheme. */
function headerMatchers(match: HTTPMatchRequest): HeaderFields[] {
  const named: HeaderFields[] = [
    ...headersOf(match.headers).map(([name, value]) => headerMatcher(name, value)),
    ...headersOf(match.withoutHeaders).map(([name, value]) => withoutMatcher(name, value)),
  ].sort((a, b) => (a.name! < b.name! ? -1 : 1));
  if (match.method !== undefined) named.push(headerMatcher(':method', match.method));
  if (match.authority !== undefined) named.push(headerMatcher(':authority', match.authority));
  if (match.scheme !== undefined) named.push(headerMatcher(':scheme', match.scheme));
  return named;
}

type Matches = Readonly<Record<string, StringMatch | null>> | undefined;

function headersOf(matches: Matches): [string, StringMatch | null][] {
  return Object.entries(matches ?? {}).filter(([name]) => routedClaim(name) === undefined);
}

/** Headers that are no headers but claims of a verified token (`@request.auth.claims`), in order of their names. */
function claimMatchers({ headers, withoutHeaders }: HTTPMatchRequest): MetadataFields[] {
  const claims = (matches: Matches, invert: boolean): MetadataFields[] =>
    Object.entries(matches ?? {})
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([name, match]) => {
        const claim = routedClaim(name);
        return claim === undefined ? [] : [claimMatcher(claim, match, invert)];
      });
  return [...claims(headers, false), ...claims(withoutHeaders, true)];
}

function claimMatcher(claim: readonly string[], match: StringMatch | null, invert: boolean): MetadataFields {
  const path = ['payload', ...claim].map((key) => ({ segment: { $case: 'key' as const, value: key } }));
  const value = isPresence(match)
    ? ({ matchPattern: { $case: 'presentMatch', value: true } } as const)
    : listOrScalar({ matchPattern: { $case: 'stringMatch', value: stringMatcher(match) } });
  return { filter: JWT_FILTER, path, value, ...(invert ? { invert } : {}) };
}

function headerMatcher(name: string, match: StringMatch | null): HeaderFields {
  if (isPresence(match)) return { name, headerMatchSpecifier: { $case: 'presentMatch', value: true } };
  return { name, headerMatchSpecifier: { $case: 'stringMatch', value: stringMatcher(match) } };
}

/** A missing header counts as empty, so that "is not 1" is true without it; an empty block forbids the header altogether. */
function withoutMatcher(name: string, match: StringMatch | null): HeaderFields {
  const matcher = { ...headerMatcher(name, match), invertMatch: true };
  return isPresence(match) ? matcher : { ...matcher, treatMissingHeaderAsEmpty: true };
}

/** An empty block, or the regex `*` of old documents. */
function isPresence(match: StringMatch | null): match is null {
  return match === null || (match.exact === undefined && match.prefix === undefined && (match.regex === undefined || match.regex === '*'));
}

export function stringMatcher(match: StringMatch): FieldsOf<typeof StringMatcher> {
  if (match.exact !== undefined) return { matchPattern: { $case: 'exact', value: match.exact } };
  if (match.regex !== undefined) return { matchPattern: { $case: 'safeRegex', value: { regex: match.regex } } };
  return { matchPattern: { $case: 'prefix', value: match.prefix ?? '' } };
}

function queryMatcher(name: string, match: StringMatch): FieldsOf<typeof QueryParameterMatcher> {
  if (isPresence(match)) return { name, queryParameterMatchSpecifier: { $case: 'presentMatch', value: true } };
  return { name, queryParameterMatchSpecifier: { $case: 'stringMatch', value: stringMatcher(match) } };
}

/** Takes everything: routes behind it can never be reached, and istiod does not send them. */
export function isCatchAll(match: FieldsOf<typeof RouteMatch>): boolean {
  const path = match.pathSpecifier;
  const conditions = [match.headers, match.queryParameters, match.dynamicMetadata];
  if (conditions.some((list) => (list?.length ?? 0) > 0)) return false;
  return (path?.$case === 'prefix' && path.value === '/') || (path?.$case === 'safeRegex' && path.value?.regex === '.*');
}

/** How decorators and logs name a match: `/api*`, `/exact`, a regex as it is. */
export function matchLabel(match: FieldsOf<typeof RouteMatch>): string {
  const path = match.pathSpecifier;
  if (path?.$case === 'prefix') return `${path.value}*`;
  if (path?.$case === 'pathSeparatedPrefix') return '/*';
  if (path?.$case === 'path') return `${path.value}`;
  return path?.$case === 'safeRegex' ? (path.value?.regex ?? '') : '';
}
