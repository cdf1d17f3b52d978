import { compilePathMatch, type Exchange, type PathMatch, type Random, randomValue } from '@ripstop/core';
import type { RouteMatch } from '@ripstop/xds-api';
import { compileHeaderMatcher, compileQueryMatcher } from '../matchers.ts';
import { compileMetadataMatcher } from '../metadata-matcher.ts';
import { fraction } from '../values.ts';

/** The path first, then what else the route asks for. */
export function compileMatch(match: RouteMatch, path: PathMatch, caseSensitive: boolean, random: Random): (x: Exchange) => boolean {
  if (match.tlsContext !== undefined) throw new Error('matching on the TLS context is not supported');
  const pathTest = compilePathMatch(path, caseSensitive);
  return isPathAlone(match) ? (x) => pathTest(x.matchPath) : compileConditions(match, pathTest, random);
}

/** Nothing but the path decides. */
export function isPathAlone({ headers, queryParameters, dynamicMetadata, runtimeFraction, grpc }: RouteMatch): boolean {
  const lists = headers.length + queryParameters.length + dynamicMetadata.length;
  return lists === 0 && runtimeFraction === undefined && grpc === undefined;
}

function compileConditions(match: RouteMatch, pathTest: (path: string) => boolean, random: Random): (x: Exchange) => boolean {
  const headers = match.headers.map((matcher) => compileHeaderMatcher(matcher));
  const queries = match.queryParameters.map(compileQueryMatcher);
  const metadata = match.dynamicMetadata.map(compileMetadataMatcher);
  const share = match.runtimeFraction === undefined ? undefined : fraction(match.runtimeFraction.defaultValue);
  const grpcOnly = match.grpc !== undefined;
  return (x) => {
    if (!pathTest(x.matchPath)) return false;
    for (let index = 0; index < headers.length; index++) if (!headers[index]!(x.request)) return false;
    for (let index = 0; index < queries.length; index++) if (!queries[index]!(x.request.path)) return false;
    for (let index = 0; index < metadata.length; index++) if (!metadata[index]!(x)) return false;
    if (grpcOnly && !/^application\/grpc(\+|$)/.test(x.request.header('content-type') ?? '')) return false;
    if (share === undefined) return true;
    return randomValue(x, random) % share.denominator < share.numerator;
  };
}
