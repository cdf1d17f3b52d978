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
  /** Default: Envoy's. */
  readonly reading?: Reading;
}

/**
 * How a value is read that could be read in several ways. `envoy`: Envoy's reading alone. `denies`: a match keeps a request out, so any
 * reading is enough. `admits`: a match lets it in, so all of them must match.
 */
export type Reading = 'envoy' | 'denies' | 'admits';

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
  if (spec.reading === 'denies' || spec.reading === 'admits') {
    // Inverted, a match of the value does the opposite.
    const denies = (spec.reading === 'denies') !== invert;
    const all = denies ? anyReading(name, test) : everyReading(name, test);
    return (head) => {
      const value = readHeader(head, name);
      if (value === undefined) return treatMissingAsEmpty && test('') !== invert;
      return all(head, value) !== invert;
    };
  }
  return (head) => {
    const value = readHeader(head, name);
    if (value === undefined) return treatMissingAsEmpty && test('') !== invert;
    if (single || head.headerLines === undefined || !value.includes(',')) return test(value) !== invert;
    return head.headerLines(name).some(test) !== invert;
  };
}

type ReadingTest = (head: MatchableHead, value: string) => boolean;

/** Every line, every element of a line, and the joined value; a host also without its port or its last dot. */
function anyReading(name: string, test: StringTest): ReadingTest {
  if (name === ':authority' || name === 'host') return (_head, value) => test(value) || hostReadings(value).some(test);
  if (name.startsWith(':')) return (_head, value) => test(value);
  return (head, value) => {
    if (test(value)) return true;
    if (!value.includes(',')) return false;
    return (head.headerLines?.(name) ?? [value]).some((line) => test(line) || line.split(',').some((element) => test(element.trim())));
  };
}

/** All lines must match; of headers that Envoy joins, the joined value as well. */
function everyReading(name: string, test: StringTest): ReadingTest {
  if (name.startsWith(':') || name === 'host') return (_head, value) => test(value);
  const joined = JOINED.has(name);
  return (head, value) => {
    if (!value.includes(',')) return test(value);
    return (!joined || test(value)) && (head.headerLines?.(name) ?? [value]).every(test);
  };
}

/** What else names the same host: without its port, without the dot at its end. */
function hostReadings(host: string): readonly string[] {
  const bare = host.replace(/:\d*$/, '');
  const readings = bare === host ? [] : [bare];
  for (const text of [host, bare]) if (text.endsWith('.')) readings.push(text.slice(0, -1));
  return readings;
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
