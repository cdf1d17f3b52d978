import type { Exchange, StringTest } from '@ripstop/core';
import { compileStringMatcher } from './matchers.ts';

/** Dynamic metadata (JWT payload). Missing metadata matches nothing, so that the inverse of it is true (Envoy). */
export function compileMetadataMatcher(matcher: MetadataMatcherLike): (x: Exchange) => boolean {
  const value = metadataValue(matcher);
  const test = valueTest(matcher.value);
  return (x) => test(value(x)) !== matcher.invert;
}

/** What a matcher looks at; undefined when there is none. */
export function metadataValue({ filter, path }: Pick<MetadataMatcherLike, 'filter' | 'path'>): (x: Exchange) => unknown {
  const keys = path.map(({ segment }) => segment?.value ?? '');
  return (x) => {
    let value: unknown = x.metadata?.get(filter);
    for (const key of keys)
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    return value;
  };
}

export interface MetadataMatcherLike {
  readonly filter: string;
  readonly path: readonly { readonly segment: { readonly $case: 'key'; readonly value: string } | undefined }[];
  readonly value: unknown;
  readonly invert: boolean;
}

interface ValueMatcherLike {
  readonly matchPattern: { readonly $case: string; readonly value: unknown } | undefined;
}

function valueTest(matcher: unknown): (value: unknown) => boolean {
  const pattern = (matcher as ValueMatcherLike | undefined)?.matchPattern;
  switch (pattern?.$case) {
    case 'stringMatch': {
      const test: StringTest = compileStringMatcher(pattern.value as Parameters<typeof compileStringMatcher>[0]);
      return (value) => typeof value === 'string' && test(value);
    }
    case 'presentMatch':
      return (value) => pattern.value === true && value !== undefined;
    case 'nullMatch':
      return (value) => value === null;
    case 'doubleMatch':
      return doubleTest(pattern.value);
    case 'boolMatch':
      return (value) => value === pattern.value;
    case 'listMatch': {
      const list = pattern.value as { readonly matchPattern: { readonly $case: 'oneOf'; readonly value: unknown } | undefined };
      const test = valueTest(list.matchPattern?.value);
      return (value) => Array.isArray(value) && value.some(test);
    }
    case 'orMatch': {
      const tests = (pattern.value as { readonly valueMatchers: readonly unknown[] }).valueMatchers.map(valueTest);
      return (value) => tests.some((test) => test(value));
    }
    default:
      throw new Error(`metadata value matcher ${pattern?.$case ?? 'without a pattern'} is not supported`);
  }
}

interface DoubleMatcherLike {
  readonly matchPattern:
    | { readonly $case: 'exact'; readonly value: number }
    | { readonly $case: 'range'; readonly value: { readonly start: number; readonly end: number } }
    | undefined;
}

function doubleTest(matcher: unknown): (value: unknown) => boolean {
  const pattern = (matcher as DoubleMatcherLike).matchPattern;
  if (pattern === undefined) throw new Error('a number matcher without a pattern');
  if (pattern.$case === 'exact') return (value) => value === pattern.value;
  const { start, end } = pattern.value;
  return (value) => typeof value === 'number' && value >= start && value < end;
}
