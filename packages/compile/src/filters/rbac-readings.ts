import { type Exchange, normalizePath, type PathBinding, type RbacRule, type Reading, type StringTest } from '@ripstop/core';
import { compileCidr } from '../cidr.ts';
import { compileStringMatcher, type StringMatcherLike } from '../matchers.ts';

/*
 * Where Envoy has one reading of a value and an app may have another, Ripstop denies by either and admits by both
 * (docs/reference/differences.md, Stricter). Which of the two a matcher does depends on where it stands: in a DENY, in an ALLOW, and
 * under how many `not`s.
 */

/** Where a matcher stands. */
export interface Place {
  readonly match: 'denies' | 'admits';
  /** Values other than paths are read strictly. */
  readonly strict: boolean;
  /** Paths are bound to the app's router. */
  readonly bound: boolean;
}

export function opposite(place: Place): Place {
  return { ...place, match: place.match === 'denies' ? 'admits' : 'denies' };
}

/** undefined = Envoy's. */
export function readingOf({ match, strict }: Place): Reading | undefined {
  return strict ? match : undefined;
}

export function either(first: StringTest, second: StringTest): StringTest {
  return (value) => first(value) || second(value);
}

/** A path pattern with characters that normalisation escapes never matches as written: what it would become is compared, too. */
export function escapedPattern(matcher: StringMatcherLike): StringTest | undefined {
  const pattern = matcher.matchPattern;
  if (!isText(pattern)) return undefined;
  const escaped = pattern.value.replace(/["<>^`{|}\x80-\xff ]/g, escapeByte);
  return escaped === pattern.value ? undefined : compileStringMatcher({ ...matcher, matchPattern: { ...pattern, value: escaped } });
}

type Pattern = StringMatcherLike['matchPattern'];

function isText(pattern: Pattern): pattern is Extract<Pattern, { readonly value: string }> {
  return typeof pattern?.value === 'string';
}

/** Of those above 15. */
function escapeByte(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** A pattern as it reads to the app's router; its texts are those of {@link PathBinding.readings}. */
export function compileBoundPattern(matcher: StringMatcherLike, binding: PathBinding): StringTest {
  const pattern = matcher.matchPattern;
  if (pattern?.$case === 'safeRegex') {
    const regex = binding.ignoresCase ? `(?i)${pattern.value.regex}` : pattern.value.regex;
    return compileStringMatcher({ ...matcher, matchPattern: { $case: 'safeRegex', value: { regex } } });
  }
  if (!isText(pattern)) return compileStringMatcher(matcher);
  // Of an exact path the slash at the end counts for nothing where the router ignores it; of a prefix it is what parts the names.
  const exact = pattern.$case === 'exact';
  const value = exact ? binding.fold(pattern.value) : binding.foldPart(pattern.value);
  const test = compileStringMatcher({ ...matcher, matchPattern: { ...pattern, value } });
  const readings = exact
    ? [binding.foldParameters(pattern.value), binding.foldParametersPattern(pattern.value)]
    : [binding.foldParametersPart(pattern.value)];
  return [...new Set(readings)]
    .filter((read) => read !== value)
    .map((read) => compileStringMatcher({ ...matcher, matchPattern: { ...pattern, value: read } }))
    .reduce(either, test);
}

/** A path rule over every spelling that reaches the same route of the app. */
export function boundPathRule(test: StringTest, compileBound: (binding: PathBinding) => StringTest, { match, bound }: Place): RbacRule {
  if (!bound) return { peerOnly: false, test: (x) => test(x.matchPath) };
  if (match === 'admits') {
    return {
      peerOnly: false,
      test: (x) => {
        if (!test(x.matchPath)) return false;
        if (x.binding === undefined) return true;
        const read = x.binding.read(x.matchPath);
        return read === x.matchPath || test(read);
      },
    };
  }
  const compiled = new WeakMap<PathBinding, StringTest>();
  const boundTest = (binding: PathBinding): StringTest => {
    let found = compiled.get(binding);
    if (found === undefined) {
      found = compileBound(binding);
      compiled.set(binding, found);
    }
    return found;
  };
  return {
    peerOnly: false,
    test: (x) => {
      if (test(x.matchPath)) return true;
      const again = secondPass(x);
      if (again !== undefined && test(again)) return true;
      if (x.binding === undefined) return false;
      const folded = boundTest(x.binding);
      return x.binding.readings(x.matchPath).some(folded) || (again !== undefined && x.binding.readings(again).some(folded));
    },
  };
}

/** Normalised twice: `%2e%2e;` becomes a dot segment only then, and a router may be the second to look. */
function secondPass({ matchPath, manager }: Exchange): string | undefined {
  if (!matchPath.includes(';') || !matchPath.includes('/.')) return undefined;
  const normal = normalizePath(matchPath, manager);
  return normal.kind === 'path' ? normal.path : undefined;
}

const NAMESPACE = '/ns/';

/**
 * Names of an identity. Patterns of istiod look for `/ns/<namespace>/` anywhere; what lets a caller in must find it where the namespace
 * of a SPIFFE id stands, which is the first one.
 */
export function identityTest(matcher: StringMatcherLike, { match, strict }: Place): StringTest {
  const test = compileStringMatcher(matcher);
  if (!strict || match === 'denies' || matcher.matchPattern?.$case !== 'safeRegex') return test;
  return (name) => {
    if (!test(name)) return false;
    const first = name.indexOf(NAMESPACE);
    const after = first + NAMESPACE.length - 1;
    return test(name.slice(0, after) + name.slice(after).replaceAll(NAMESPACE, '/-/'));
  };
}

interface Block {
  readonly addressPrefix: string;
  readonly prefixLen?: number | undefined;
}

/** Addresses of a block; what denies takes `::ffff:10.0.0.1` for 10.0.0.1, too. */
export function addressTest({ addressPrefix, prefixLen }: Block, { match, strict }: Place): StringTest {
  const test = compileCidr(addressPrefix, prefixLen ?? 0);
  if (!strict || match === 'admits') return test;
  return (address) => test(address) || (/^::ffff:/i.test(address) && test(address.slice('::ffff:'.length)));
}
