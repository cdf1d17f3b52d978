import type { StringTest } from './string-test.ts';

/** Envoy's HeaderMatcher, decoded. */
export interface HeaderMatchSpec {
  readonly name: string;
  readonly match:
    | { readonly kind: 'present'; readonly present: boolean }
    | { readonly kind: 'string'; readonly test: StringTest }
    | { readonly kind: 'range'; readonly start: number; readonly end: number };
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

/** A head of a request or a response, as far as matchers read it. */
export interface MatchableHead {
  header(name: string): string | undefined;
  headerLines?(name: string): readonly string[];
  readonly authority?: string;
  readonly method?: string;
  readonly path?: string;
  readonly scheme?: string;
  readonly status?: number;
}

export type HeaderTest = (head: MatchableHead) => boolean;

/** Headers that Envoy stores as one value: several lines are joined by "," before matching (measured on Envoy 1.40). */
const JOINED: ReadonlySet<string> = new Set([
  'host',
  'authorization',
  'user-agent',
  'content-type',
  'accept',
  'accept-encoding',
  'cache-control',
  'referer',
  'origin',
  'via',
  'expect',
  'grpc-timeout',
  'x-request-id',
  'x-client-trace-id',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-client-cert',
  'x-envoy-original-path',
  'x-envoy-external-address',
  'x-envoy-attempt-count',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
]);

/**
 * Envoy 1.40's rules: repeated lines are matched one by one and any is enough, then inverted; a missing header fails every value
 * matcher even when inverted, unless it is treated as empty.
 */
export function compileHeaderMatch(spec: HeaderMatchSpec): HeaderTest {
  const { name, match, invert, treatMissingAsEmpty } = spec;
  if (match.kind === 'present') {
    // With treat_missing_header_as_empty the header is always there.
    return (head) => ((treatMissingAsEmpty || readHeader(head, name) !== undefined) === match.present ? !invert : invert);
  }
  const test = match.kind === 'string' ? match.test : rangeTest(match.start, match.end);
  const single = name.startsWith(':') || JOINED.has(name);
  return (head) => {
    const value = readHeader(head, name);
    if (value === undefined) return treatMissingAsEmpty && test('') !== invert;
    if (single || head.headerLines === undefined || !value.includes(',')) return test(value) !== invert;
    return head.headerLines(name).some(test) !== invert;
  };
}

function rangeTest(start: number, end: number): StringTest {
  return (value) => {
    if (!/^[+-]?\d+$/.test(value)) return false;
    const number = Number(value);
    return number >= start && number < end;
  };
}

/** A header or pseudo header, several lines joined by ",". `:authority` and `host` are the same. */
export function readHeader(head: MatchableHead, name: string): string | undefined {
  switch (name) {
    case ':authority':
    case 'host':
      return head.authority;
    case ':method':
      return head.method;
    case ':path':
      return head.path;
    case ':scheme':
      return head.scheme;
    case ':status':
      return head.status === undefined ? undefined : String(head.status);
    default:
      return head.header(name);
  }
}

/** The values of a header that count one by one: its lines, or one value for those that Envoy joins. */
export function headerValues(head: MatchableHead, name: string): readonly string[] {
  const value = readHeader(head, name);
  if (value === undefined) return [];
  if (name.startsWith(':') || JOINED.has(name) || !value.includes(',')) return [value];
  return head.headerLines?.(name) ?? [value];
}

/** True for headers of which Envoy keeps one value: what is appended is joined to it by ",". */
export function isJoinedHeader(name: string): boolean {
  return JOINED.has(name);
}
