import { compilePathMatch, type Exchange, type PathMatch, type RouteCondition, readHeader } from '@ripstop/core';
import type { HeaderMatcher, MetadataMatcher, QueryParameterMatcher, RouteMatch } from '@ripstop/xds-api';
import { compileHeaderMatcher, compileQueryMatcher, type StringMatcherLike } from './matchers.ts';
import { compileMetadataMatcher, metadataValue } from './metadata-matcher.ts';

/** A match taken apart into its conditions, in Envoy's order, for decision records. Compiled anew: only who asks pays for it. */
export function routeConditions(match: RouteMatch, path: PathMatch, caseSensitive: boolean): readonly RouteCondition[] {
  const conditions: RouteCondition[] = [
    pathCondition(match.pathSpecifier, path, caseSensitive),
    ...match.headers.map(headerCondition),
    ...match.queryParameters.map(queryCondition),
    ...match.dynamicMetadata.map(metadataCondition),
  ];
  if (match.grpc !== undefined)
    conditions.push({
      text: 'it is a gRPC request',
      holds: (x) => /^application\/grpc(\+|$)/.test(x.request.header('content-type') ?? ''),
      found: (x) => `content-type ${x.request.header('content-type') ?? 'missing'}`,
    });
  return conditions;
}

export function pathCondition(pathSpecifier: RouteMatch['pathSpecifier'], path: PathMatch, caseSensitive: boolean): RouteCondition {
  const test = compilePathMatch(path, caseSensitive);
  return {
    text: pathText(pathSpecifier, caseSensitive),
    holds: (x) => test(x.matchPath),
    found: (x) => x.matchPath,
  };
}

function pathText(pathSpecifier: RouteMatch['pathSpecifier'], caseSensitive: boolean): string {
  const letters = caseSensitive ? '' : ', any case';
  switch (pathSpecifier?.$case) {
    case 'prefix':
      return pathSpecifier.value === '/' ? 'any path' : `path begins with ${quoted(pathSpecifier.value)}${letters}`;
    case 'path':
      return `path is ${quoted(pathSpecifier.value)}${letters}`;
    case 'pathSeparatedPrefix':
      return `path is ${quoted(pathSpecifier.value)} or below it${letters}`;
    case 'safeRegex':
      return `path matches ${quoted(pathSpecifier.value.regex)}`;
    case 'connectMatcher':
      return 'it is a CONNECT request';
    default:
      return 'path fits the template';
  }
}

function headerCondition(matcher: HeaderMatcher): RouteCondition {
  const test = compileHeaderMatcher(matcher);
  const name = matcher.name.toLowerCase();
  return {
    text: `${matcher.invertMatch ? 'not: ' : ''}${headerName(name)} ${headerText(matcher)}`,
    holds: (x: Exchange) => test(x.request),
    found: (x) => {
      const value = readHeader(x.request, name);
      return value === undefined ? `no ${headerName(name)}` : quoted(value);
    },
  };
}

function headerName(name: string): string {
  return name.startsWith(':') ? name.slice(1) : `header ${name}`;
}

function headerText({ headerMatchSpecifier: specifier }: HeaderMatcher): string {
  switch (specifier?.$case) {
    case undefined:
      return 'is there';
    case 'presentMatch':
      return specifier.value ? 'is there' : 'is not there';
    case 'rangeMatch':
      return `is from ${specifier.value.start} to below ${specifier.value.end}`;
    case 'stringMatch':
      return stringText(specifier.value);
    case 'safeRegexMatch':
      return `matches ${quoted(specifier.value.regex)}`;
    case 'exactMatch':
      return `is ${quoted(specifier.value)}`;
    case 'prefixMatch':
      return `begins with ${quoted(specifier.value)}`;
    case 'suffixMatch':
      return `ends with ${quoted(specifier.value)}`;
    case 'containsMatch':
      return `contains ${quoted(specifier.value)}`;
  }
}

const VERBS = { exact: 'is', prefix: 'begins with', suffix: 'ends with', contains: 'contains' } as const;

function stringText({ matchPattern: pattern, ignoreCase }: StringMatcherLike): string {
  if (pattern === undefined || pattern.$case === 'custom') return 'fits';
  if (pattern.$case === 'safeRegex') return `matches ${quoted(pattern.value.regex)}`;
  return `${VERBS[pattern.$case]} ${quoted(pattern.value)}${ignoreCase ? ', any case' : ''}`;
}

function queryCondition(matcher: QueryParameterMatcher): RouteCondition {
  const test = compileQueryMatcher(matcher);
  const specifier = matcher.queryParameterMatchSpecifier;
  const rest =
    specifier?.$case === 'stringMatch'
      ? stringText(specifier.value)
      : specifier?.$case === 'presentMatch' && !specifier.value
        ? 'is not there'
        : 'is there';
  return {
    text: `query parameter ${matcher.name} ${rest}`,
    holds: (x) => test(x.request.path),
    found: (x) => {
      const question = x.request.path.indexOf('?');
      return question === -1 ? 'no query' : `query ${quoted(x.request.path.slice(question + 1))}`;
    },
  };
}

/** Claims of a verified token: their values are nobody's business but the caller's. */
function metadataCondition(matcher: MetadataMatcher): RouteCondition {
  const test = compileMetadataMatcher(matcher);
  const value = metadataValue(matcher);
  const name = matcher.path.slice(1).map(({ segment }) => segment?.value ?? '');
  return {
    text: `${matcher.invert ? 'not: ' : ''}claim ${name.join('.')} of a verified token fits`,
    holds: test,
    found: (x) => (value(x) === undefined ? 'no such claim' : 'the claim has another value'),
  };
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
