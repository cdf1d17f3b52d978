import { lowerCase } from './lower-case.ts';

/** A compiled pattern with RE2 semantics. `compile` supplies them; core never runs V8's engine on a configured pattern. */
export interface Regex {
  /** True when the pattern matches the whole text. */
  fullMatch(text: string): boolean;
  /** Replaces every match; `\1` in the substitution is a group, as in Envoy's regex_rewrite. */
  replaceAll(text: string, substitution: string): string;
}

/** A compiled string matcher. */
export type StringTest = (value: string) => boolean;

export type StringMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains'; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: 'regex'; readonly regex: Regex };

/** Envoy's StringMatcher. Empty prefix, suffix and contains match anything. */
export function compileStringMatch(match: StringMatch): StringTest {
  if (match.kind === 'regex') {
    const { regex } = match;
    return (value) => regex.fullMatch(value);
  }
  const { ignoreCase } = match;
  const wanted = ignoreCase ? lowerCase(match.value) : match.value;
  const fold = (value: string): string => (ignoreCase ? lowerCase(value) : value);
  switch (match.kind) {
    case 'exact':
      return ignoreCase ? (value) => lowerCase(value) === wanted : (value) => value === wanted;
    case 'prefix':
      return (value) => fold(value).startsWith(wanted);
    case 'suffix':
      return (value) => fold(value).endsWith(wanted);
    case 'contains':
      return (value) => fold(value).includes(wanted);
  }
}
