import type { HeaderMatcher, RouteMatch, StringMatcher } from '@ripstop/xds-api';
import { RE2JS } from 're2js';
import type { FieldsOf } from '../values.ts';
import { escapeRegex, groupedRegex } from './regex.ts';

type MatchFields = FieldsOf<typeof RouteMatch>;
type HeaderFields = FieldsOf<typeof HeaderMatcher>;
type StringFields = FieldsOf<typeof StringMatcher>;

/** More alternatives than this are not made out of one match. */
const MAX_ALTERNATIVES = 16;

/** The matches that say the same to a gRPC library; none when no gRPC call, or none that the library can tell, meets this one. */
export function plainMatches(match: MatchFields, note: (text: string) => void): MatchFields[] {
  if ((match.queryParameters?.length ?? 0) > 0) {
    note('left out: gRPC calls have no query');
    return [];
  }
  if ((match.dynamicMetadata?.length ?? 0) > 0) {
    note('left out: gRPC clients verify no tokens');
    return [];
  }
  const headers: HeaderFields[] = [];
  for (const header of match.headers ?? []) {
    if (header.name === ':method') {
      if (meets(header, 'POST')) continue;
      note('left out: gRPC calls are POST');
      return [];
    } else if (header.name?.startsWith(':')) {
      note(`left out: gRPC clients do not see ${header.name}`);
      return [];
    } else headers.push(header);
  }
  const alternatives = headers.reduce<HeaderFields[][]>(
    (lists, header) => lists.flatMap((list) => spelledOut(header).map((one) => [...list, one])),
    [[]],
  );
  if (alternatives.length > MAX_ALTERNATIVES) {
    note('left out: too many withoutHeaders for a gRPC client');
    return [];
  }
  return alternatives.map((list) => ({ ...match, ...plainPath(match.pathSpecifier), headers: list }));
}

/** A header that must not have a value may be missing; gRPC libraries differ about it, so it is said in two matches. */
function spelledOut(header: HeaderFields): HeaderFields[] {
  const { treatMissingHeaderAsEmpty, ...matcher } = header;
  const specifier = header.headerMatchSpecifier;
  const plain: HeaderFields =
    specifier?.$case === 'stringMatch'
      ? { ...matcher, headerMatchSpecifier: { $case: 'stringMatch', value: plainString(specifier.value ?? {}) } }
      : matcher;
  if (treatMissingHeaderAsEmpty !== true || header.invertMatch !== true) return [plain];
  const present: HeaderFields = { name: header.name!, headerMatchSpecifier: { $case: 'presentMatch', value: true } };
  // Missing is empty: it meets "not x" unless x takes the empty text as well.
  return meets(header, '') ? [{ ...present, invertMatch: true }, plain] : [plain];
}

function plainString(matcher: StringFields): StringFields {
  const pattern = matcher.matchPattern;
  if (pattern?.$case !== 'safeRegex') return matcher;
  return { ...matcher, matchPattern: { $case: 'safeRegex', value: { regex: groupedRegex(pattern.value?.regex ?? '') } } };
}

/** gRPC has no prefix that ends at a slash. */
function plainPath(path: MatchFields['pathSpecifier']): Pick<MatchFields, 'pathSpecifier'> {
  if (path?.$case === 'pathSeparatedPrefix') {
    return { pathSpecifier: { $case: 'safeRegex', value: { regex: `${escapeRegex(path.value ?? '')}(/.*)?` } } };
  }
  if (path?.$case === 'safeRegex')
    return { pathSpecifier: { $case: 'safeRegex', value: { regex: groupedRegex(path.value?.regex ?? '') } } };
  return path === undefined ? {} : { pathSpecifier: path };
}

/** What a matcher says about a value that is known before any call. */
function meets({ headerMatchSpecifier: specifier, invertMatch }: HeaderFields, value: string): boolean {
  const met = specifier?.$case === 'stringMatch' ? textMatches(specifier.value ?? {}, value) : true;
  return met !== (invertMatch ?? false);
}

function textMatches({ matchPattern: pattern }: StringFields, value: string): boolean {
  switch (pattern?.$case) {
    case 'exact':
      return value === pattern.value;
    case 'prefix':
      return value.startsWith(pattern.value ?? '');
    case 'suffix':
      return value.endsWith(pattern.value ?? '');
    case 'safeRegex':
      return regexMatches(pattern.value?.regex ?? '', value);
    default:
      return false;
  }
}

/** Never by V8's engine, which backtracks. A pattern that is not RE2's matches nothing, so its route is left out. */
function regexMatches(regex: string, value: string): boolean {
  try {
    return RE2JS.compile(regex).matches(value);
  } catch {
    return false;
  }
}
