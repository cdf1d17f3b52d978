import type { RequestHead } from '../exchange.ts';
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

export type HeaderTest = (head: RequestHead) => boolean;

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
    return (head) => ((treatMissingAsEmpty || read(head, name) !== undefined) === match.present ? !invert : invert);
  }
  const test = match.kind === 'string' ? match.test : rangeTest(match.start, match.end);
  const single = name.startsWith(':') || JOINED.has(name);
  return (head) => {
    const value = read(head, name);
    if (value === undefined) return treatMissingAsEmpty && test('') !== invert;
    if (single || !value.includes(',')) return test(value) !== invert;
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

/** A header or pseudo header. `:authority` and `host` are the same. */
function read(head: RequestHead, name: string): string | undefined {
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
    default:
      return head.header(name);
  }
}
