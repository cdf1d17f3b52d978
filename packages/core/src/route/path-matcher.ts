import { lowerCase } from './lower-case.ts';
import type { Regex, StringTest } from './string-test.ts';

/** How a route matches the path without query (Envoy RouteMatch.path_specifier). */
export type PathMatch =
  | { readonly kind: 'prefix' | 'exact' | 'separated_prefix'; readonly value: string }
  | { readonly kind: 'regex'; readonly regex: Regex }
  | { readonly kind: 'template'; readonly test: StringTest }
  | { readonly kind: 'connect' };

/** Case applies to prefix, exact and separated prefix; regular expressions have their own. */
export function compilePathMatch(match: PathMatch, caseSensitive: boolean): StringTest {
  if (match.kind === 'connect') return () => false;
  if (match.kind === 'template') return match.test;
  if (match.kind === 'regex') return (path) => match.regex.fullMatch(path);
  const { value } = match;
  if (match.kind === 'prefix' && value === '/') return (path) => path.charCodeAt(0) === 47;
  if (caseSensitive) return plain(match.kind, value);
  const test = plain(match.kind, lowerCase(value));
  return (path) => test(lowerCase(path));
}

function plain(kind: 'prefix' | 'exact' | 'separated_prefix', value: string): StringTest {
  switch (kind) {
    case 'exact':
      return (path) => path === value;
    case 'prefix':
      return (path) => path.startsWith(value);
    case 'separated_prefix':
      return (path) => path.startsWith(value) && (path.length === value.length || path.charCodeAt(value.length) === 47);
  }
}
