import type { Exchange } from '../exchange.ts';
import { compileTime } from '../format-time.ts';
import type { Clock } from '../ports.ts';
import { formatResponseFlags } from '../response-flags.ts';
import { isJoinedHeader, readHeader } from './header-matcher.ts';

/** What is being changed: for %RESP()% the response's head. */
interface ChangingHead {
  header(name: string): string | undefined;
}

type Value = (x: Exchange, head: ChangingHead) => string;

/** What times in header values are read from. */
export type HeaderClock = Pick<Clock, 'now' | 'wallTime'>;

/**
 * A header value with Envoy's %-operators. Throws on an operator that Ripstop lacks: the resource is refused, not half applied. Without a
 * clock %START_TIME% is one of those.
 */
export function compileHeaderValue(format: string, clock?: HeaderClock): Value {
  if (!format.includes('%')) return () => format;
  const parts: Value[] = [];
  let last = 0;
  for (const match of format.matchAll(/%(?:([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d+))?)?%/g)) {
    if (match.index > last) parts.push(literal(format.slice(last, match.index)));
    parts.push(shortened(operator(match[1], match[2], format, clock), match[3]));
    last = match.index + match[0].length;
  }
  const rest = format.slice(last);
  if (rest.includes('%')) throw new Error(`header value "${format}": a lone % must be written %%`);
  if (rest !== '') parts.push(literal(rest));
  return (x, head) => parts.map((part) => part(x, head)).join('');
}

const literal =
  (text: string): Value =>
  () =>
    text;

/** `%REQ(name):5%` = at most five characters. */
function shortened(value: Value, length: string | undefined): Value {
  return length === undefined ? value : (x, head) => value(x, head).slice(0, Number(length));
}

/** Operators without an argument. What is not known (yet) is empty. */
const PLAIN: ReadonlyMap<string, (x: Exchange) => string> = new Map<string, (x: Exchange) => string>([
  ['DOWNSTREAM_REMOTE_ADDRESS', ({ peer }) => `${peer.address}:${peer.port}`],
  ['DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT', ({ peer }) => peer.address],
  ['DOWNSTREAM_REMOTE_PORT', ({ peer }) => String(peer.port)],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', ({ peer }) => `${peer.address}:${peer.port}`],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', ({ peer }) => peer.address],
  ['DOWNSTREAM_LOCAL_ADDRESS', ({ peer }) => `${peer.localAddress}:${peer.localPort}`],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', ({ peer }) => peer.localAddress],
  ['DOWNSTREAM_LOCAL_PORT', ({ peer }) => String(peer.localPort)],
  ['DOWNSTREAM_PEER_URI_SAN', ({ peer }) => peer.uriSans.join(',')],
  ['DOWNSTREAM_PEER_SUBJECT', ({ peer }) => peer.subject],
  ['DOWNSTREAM_PEER_FINGERPRINT_256', ({ peer }) => peer.certificateHash],
  ['REQUESTED_SERVER_NAME', ({ peer }) => peer.sni],
  ['PROTOCOL', ({ protocol }) => (protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2')],
  ['UPSTREAM_HOST', ({ endpoint }) => endpoint?.key ?? ''],
  ['UPSTREAM_REMOTE_ADDRESS', ({ endpoint }) => endpoint?.key ?? ''],
  ['UPSTREAM_CLUSTER', ({ cluster }) => cluster?.name ?? ''],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', ({ attempt }) => String(attempt)],
  ['ROUTE_NAME', ({ route }) => route?.name ?? ''],
  ['RESPONSE_FLAGS', ({ flags }) => formatResponseFlags(flags)],
  ['RESPONSE_CODE_DETAILS', ({ details }) => details],
]);

function operator(name: string | undefined, argument: string | undefined, format: string, clock: HeaderClock | undefined): Value {
  if (name === undefined) return literal('%');
  const plain = argument === undefined ? PLAIN.get(name) : undefined;
  if (plain !== undefined) return plain;
  if (name === 'REQ' && argument) {
    const names = argument.toLowerCase().split('?');
    return (x) => names.map((header) => firstLine(x, header)).find((value) => value !== undefined) ?? '';
  }
  if (name === 'RESP' && argument) {
    const names = argument.toLowerCase().split('?');
    return (_x, head) => names.map((header) => head.header(header)).find((value) => value !== undefined) ?? '';
  }
  if (name === 'START_TIME' && clock !== undefined) return startTime(argument, clock);
  if (name === 'DYNAMIC_METADATA' && argument) return metadata(argument.split(':'));
  throw new Error(`header value "${format}": the operator %${name}% is not supported`);
}

function startTime(format: string | undefined, clock: HeaderClock): Value {
  const time = compileTime(format);
  return ({ startedAt }) => time(clock.wallTime() - (clock.now() - startedAt));
}

/** Of several lines the first, but for headers that Envoy keeps as one. */
function firstLine({ request }: Exchange, name: string): string | undefined {
  return isJoinedHeader(name) || name.startsWith(':') ? readHeader(request, name) : request.headerLines(name)[0];
}

/** `%DYNAMIC_METADATA(filter:key:key)%`: text as it is, anything else as JSON. */
function metadata([filter = '', ...path]: readonly string[]): Value {
  return (x) => {
    let value: unknown = x.metadata?.get(filter);
    for (const key of path) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
    return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  };
}
