import {
  compileHeaderMatch,
  compileQueryMatch,
  compileStringMatch,
  type HeaderTest,
  type PathMatch,
  type QueryTest,
  type Reading,
  type StringTest,
} from '@ripstop/core';
import { type HeaderMatcher, type QueryParameterMatcher, type RouteMatch, UriTemplateMatchConfig, unpackAny } from '@ripstop/xds-api';
import { compileRegex } from './regex.ts';

/** The parts that Envoy's two StringMatcher protos share. */
export interface StringMatcherLike {
  readonly matchPattern:
    | { readonly $case: 'exact' | 'prefix' | 'suffix' | 'contains'; readonly value: string }
    | { readonly $case: 'safeRegex'; readonly value: { readonly regex: string } }
    | { readonly $case: 'custom'; readonly value: unknown }
    | undefined;
  readonly ignoreCase: boolean;
}

export function compileStringMatcher(matcher: StringMatcherLike): StringTest {
  const pattern = matcher.matchPattern;
  if (pattern === undefined) throw new Error('a string matcher without a pattern');
  if (pattern.$case === 'custom') throw new Error('custom string matchers are not supported');
  if (pattern.$case === 'safeRegex') return compileStringMatch({ kind: 'regex', regex: compileRegex(pattern.value.regex) });
  if (pattern.$case !== 'exact' && pattern.value === '') throw new Error(`a string matcher with an empty ${pattern.$case}`);
  return compileStringMatch({ kind: pattern.$case, value: pattern.value, ignoreCase: matcher.ignoreCase });
}

export function compileHeaderMatcher(matcher: HeaderMatcher, reading?: Reading): HeaderTest {
  const specifier = matcher.headerMatchSpecifier;
  const name = matcher.name.toLowerCase();
  const rest = { name, invert: matcher.invertMatch, treatMissingAsEmpty: matcher.treatMissingHeaderAsEmpty, reading };
  if (specifier === undefined) return compileHeaderMatch({ ...rest, match: { kind: 'present', present: true } });
  switch (specifier.$case) {
    case 'presentMatch':
      return compileHeaderMatch({ ...rest, match: { kind: 'present', present: specifier.value } });
    case 'rangeMatch':
      return compileHeaderMatch({ ...rest, match: { kind: 'range', start: specifier.value.start, end: specifier.value.end } });
    case 'stringMatch':
      return compileHeaderMatch({ ...rest, match: { kind: 'string', test: compileStringMatcher(specifier.value) } });
    case 'safeRegexMatch':
      return compileHeaderMatch({
        ...rest,
        match: { kind: 'string', test: compileStringMatch({ kind: 'regex', regex: compileRegex(specifier.value.regex) }) },
      });
    case 'exactMatch':
      // The deprecated exact match with an empty value matches any present value.
      if (specifier.value === '') return compileHeaderMatch({ ...rest, match: { kind: 'string', test: () => true } });
      return compileHeaderMatch({
        ...rest,
        match: { kind: 'string', test: compileStringMatch({ kind: 'exact', value: specifier.value, ignoreCase: false }) },
      });
    case 'prefixMatch':
    case 'suffixMatch':
    case 'containsMatch': {
      const kind = specifier.$case.slice(0, -'Match'.length) as 'prefix' | 'suffix' | 'contains';
      return compileHeaderMatch({
        ...rest,
        match: { kind: 'string', test: compileStringMatch({ kind, value: specifier.value, ignoreCase: false }) },
      });
    }
  }
}

export function compileQueryMatcher(matcher: QueryParameterMatcher): QueryTest {
  const specifier = matcher.queryParameterMatchSpecifier;
  if (specifier === undefined) return compileQueryMatch({ name: matcher.name, present: true, test: undefined });
  if (specifier.$case === 'presentMatch') return compileQueryMatch({ name: matcher.name, present: specifier.value, test: undefined });
  return compileQueryMatch({ name: matcher.name, present: true, test: compileStringMatcher(specifier.value) });
}

export function compilePathSpecifier(match: RouteMatch): PathMatch {
  const specifier = match.pathSpecifier;
  if (specifier === undefined) throw new Error('a route match without a path specifier');
  switch (specifier.$case) {
    case 'prefix':
      return { kind: 'prefix', value: specifier.value };
    case 'path':
      return { kind: 'exact', value: specifier.value };
    case 'pathSeparatedPrefix':
      if (!/^[^?#]+[^?#/]$/.test(specifier.value))
        throw new Error(`path_separated_prefix ${JSON.stringify(specifier.value)} must not end in "/" and hold neither "?" nor "#"`);
      return { kind: 'separated_prefix', value: specifier.value };
    case 'safeRegex':
      return { kind: 'regex', regex: compileRegex(specifier.value.regex) };
    case 'connectMatcher':
      return { kind: 'connect' };
    case 'pathMatchPolicy': {
      const any = specifier.value.typedConfig;
      if (any === undefined) throw new Error('a path match policy without configuration');
      return { kind: 'template', test: compileUriTemplate(unpackAny(UriTemplateMatchConfig, any).pathTemplate) };
    }
  }
}

/** Envoy's bound on variables of a URI template. */
const MAX_VARIABLES = 5;

/**
 * Envoy's URI template: `*` is one non-empty segment, `**` the rest (`/t/**` takes `/t/` but not `/t`), `{name}` names a segment and
 * `{name=pattern}` whatever the pattern takes.
 */
export function compileUriTemplate(template: string, ignoreCase = false): StringTest {
  const wrong = (why: string): Error => new Error(`path template ${JSON.stringify(template)}: ${why}`);
  if (!template.startsWith('/')) throw wrong('it must begin with /');
  const names = new Set<string>();
  const pattern = template.replace(/\{([^{}]*)\}/g, (_whole, inside: string) => {
    const [, name = '', bound = '*'] = /^(\w+)(?:=(.+))?$/.exec(inside) ?? [];
    if (name === '') throw wrong(`{${inside}} is no variable`);
    if (names.has(name)) throw wrong(`the variable ${name} stands twice`);
    if (names.add(name).size > MAX_VARIABLES) throw wrong(`more than ${MAX_VARIABLES} variables`);
    return bound;
  });
  const segments = pattern.slice(1).split('/');
  const regex = segments.map((segment) => {
    if (segment === '**') return '.*';
    if (segment === '*') return '[^/]+';
    if (/[*{}]/.test(segment)) throw wrong(`${JSON.stringify(segment)} mixes text and wildcards`);
    return segment.replace(/[.+?()|[\]^$\\]/g, '\\$&');
  });
  const compiled = compileRegex(`${ignoreCase ? '(?i)' : ''}/${regex.join('/')}`);
  return (path) => compiled.fullMatch(path);
}
