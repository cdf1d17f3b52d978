import {
  type HeaderMatcher,
  packAny,
  type QueryParameterMatcher,
  type RouteMatch,
  StringMatcher,
  UriTemplateMatchConfig,
} from '@ripstop/xds-api';
import type { Draw } from './draw.ts';
import { HEADER_NAMES, HEADER_VALUES, METHODS, PATHS, PSEUDO_NAMES, REGEXES, TEMPLATES, VALUE_REGEXES } from './words.ts';

type Partial1<T> = T extends readonly (infer E)[] ? Partial1<E>[] : T extends object ? { [K in keyof T]?: Partial1<T[K]> } : T;

/** Which requests a route takes. */
export function drawMatch(draw: Draw): Partial1<RouteMatch> {
  const caseSensitive = draw.chance(0.15) ? false : undefined;
  return {
    pathSpecifier: drawPath(draw),
    caseSensitive,
    headers: draw.chance(0.4) ? draw.list(2, () => drawHeader(draw)) : [],
    queryParameters: draw.chance(0.2) ? [drawQuery(draw)] : [],
    grpc: draw.chance(0.03) ? {} : undefined,
    runtimeFraction: draw.chance(0.06) ? { defaultValue: { numerator: draw.one([0, 100]), denominator: 0 } } : undefined,
  };
}

function drawPath(draw: Draw): RouteMatch['pathSpecifier'] {
  const path = draw.one(PATHS);
  switch (draw.below(10)) {
    case 0:
    case 1:
      return { $case: 'path', value: path };
    case 2:
      return { $case: 'pathSeparatedPrefix', value: draw.one(['/a', '/a/b', '/A', '/b']) };
    case 3:
    case 4:
      return { $case: 'safeRegex', value: { engineType: undefined, regex: draw.one(REGEXES) } };
    case 5:
      return {
        $case: 'pathMatchPolicy',
        value: { name: 'template', typedConfig: packAny(UriTemplateMatchConfig, { pathTemplate: draw.one(TEMPLATES) }) },
      };
    default:
      return { $case: 'prefix', value: draw.chance(0.4) ? '/' : path };
  }
}

export function drawHeader(draw: Draw): Partial1<HeaderMatcher> {
  const pseudo = draw.chance(0.15);
  return {
    name: draw.one(pseudo ? PSEUDO_NAMES : HEADER_NAMES),
    invertMatch: draw.chance(0.2),
    treatMissingHeaderAsEmpty: draw.chance(0.15),
    headerMatchSpecifier: drawHeaderTest(draw),
  };
}

function drawHeaderTest(draw: Draw): Partial1<HeaderMatcher['headerMatchSpecifier']> {
  switch (draw.below(6)) {
    case 0:
      return { $case: 'presentMatch', value: draw.chance(0.7) };
    case 1:
      return { $case: 'rangeMatch', value: { start: draw.one([-5, 0, 1]), end: draw.one([1, 2, 11]) } };
    case 2:
      return undefined;
    default:
      return { $case: 'stringMatch', value: drawString(draw, draw.chance(0.2) ? METHODS : HEADER_VALUES) };
  }
}

export function drawString(draw: Draw, values: readonly string[]): StringMatcher {
  const ignoreCase = draw.chance(0.2);
  const kind = draw.one(['exact', 'exact', 'prefix', 'suffix', 'contains', 'safeRegex'] as const);
  if (kind === 'safeRegex') return StringMatcher.fromPartial({ matchPattern: { $case: kind, value: { regex: draw.one(VALUE_REGEXES) } } });
  return StringMatcher.fromPartial({ ignoreCase, matchPattern: { $case: kind, value: draw.one(values) } });
}

function drawQuery(draw: Draw): Partial1<QueryParameterMatcher> {
  return {
    name: draw.one(['q', 'r', 'Q']),
    queryParameterMatchSpecifier: draw.chance(0.3)
      ? { $case: 'presentMatch', value: draw.chance(0.8) }
      : { $case: 'stringMatch', value: drawString(draw, ['1', '2', '', 'a b', 'x']) },
  } as Partial1<QueryParameterMatcher>;
}
