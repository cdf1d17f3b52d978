import type { Exchange } from '../exchange.ts';
import { compileTime } from '../format-time.ts';
import type { Clock } from '../ports.ts';
import { formatResponseFlags, ResponseFlag } from '../response-flags.ts';
import { compileOperator, type LogEntry } from '../substitution/operators.ts';
import { destinationOf } from './destination.ts';
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
 * clock %START_TIME% and %DURATION% are among those.
 */
export function compileHeaderValue(format: string, clock?: HeaderClock, place: 'route' | 'filter' = 'filter'): Value {
  if (!format.includes('%')) return () => format;
  const parts: Value[] = [];
  let last = 0;
  for (const match of format.matchAll(/%(?:([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d+))?)?%/g)) {
    if (match.index > last) parts.push(literal(format.slice(last, match.index)));
    parts.push(shortened(operator(match[1], match[2], format, { clock, place }), match[3]));
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
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS', ({ peer }) => `${(peer.direct ?? peer).address}:${(peer.direct ?? peer).port}`],
  ['DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT', ({ peer }) => (peer.direct ?? peer).address],
  ['DOWNSTREAM_LOCAL_ADDRESS', ({ peer }) => `${peer.localAddress}:${peer.localPort}`],
  ['DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', ({ peer }) => peer.localAddress],
  ['DOWNSTREAM_LOCAL_PORT', ({ peer }) => String(peer.localPort)],
  ['DOWNSTREAM_PEER_URI_SAN', ({ peer }) => peer.uriSans.join(',')],
  ['DOWNSTREAM_PEER_SUBJECT', ({ peer }) => peer.subject],
  ['DOWNSTREAM_PEER_FINGERPRINT_256', ({ peer }) => peer.certificateHash],
  ['REQUESTED_SERVER_NAME', ({ peer }) => peer.sni],
  ['PROTOCOL', ({ protocol }) => (protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2')],
  ['UPSTREAM_HOST', ({ endpoint }) => endpoint?.key ?? ''],
  [
    'UPSTREAM_REMOTE_ADDRESS',
    ({ endpoint, flags }) => ((flags & ResponseFlag.UpstreamConnectionFailure) === 0 ? (endpoint?.key ?? '') : ''),
  ],
  ['UPSTREAM_CLUSTER', clusterOf],
  ['UPSTREAM_CLUSTER_RAW', clusterOf],
  ['UPSTREAM_REQUEST_ATTEMPT_COUNT', (x) => String(x.attempt === 0 && isForwarding(x) ? 1 : x.attempt)],
  ['ROUTE_NAME', ({ route }) => route?.name ?? ''],
  ['RESPONSE_FLAGS', ({ flags }) => formatResponseFlags(flags)],
]);

interface ValuePlace {
  readonly clock: HeaderClock | undefined;
  /** Of a reply of the mesh's own Envoy knows no response code yet where a route adds headers. */
  readonly place: 'route' | 'filter';
}

function operator(name: string | undefined, argument: string | undefined, format: string, { clock, place }: ValuePlace): Value {
  if (name === undefined) return literal('%');
  const plain = argument === undefined ? PLAIN.get(name) : undefined;
  if (plain !== undefined) return plain;
  if (name === 'REQ' && argument) {
    const names = argument.toLowerCase().split('?');
    return (x) => names.map((header) => firstLine(x, header)).find((value) => value !== undefined) ?? '';
  }
  if (name === 'RESP' && argument) {
    const names = argument.toLowerCase().split('?');
    return (x, head) => names.map((header) => responseHeader(x, head, header)).find((value) => value !== undefined) ?? '';
  }
  if (name === 'START_TIME' && clock !== undefined) return startTime(argument, clock);
  if (name === 'DYNAMIC_METADATA' && argument) return metadata(argument.split(':'));
  if (name === 'RESPONSE_CODE' && place === 'route') return ({ response, details }) => String(details === '' ? (response?.status ?? 0) : 0);
  const shared = AT_THE_HEAD.has(name) && (name !== 'DURATION' || clock !== undefined) ? compileOperator(name, argument) : undefined;
  if (shared !== undefined) return (x) => textOf(shared(entryOf(x, clock)));
  throw new Error(`header value "${format}": the operator %${name}% is not supported`);
}

/** Operators of access logs that have the same meaning while a head is written: what comes later (bytes, ends, trailers) has none. */
const AT_THE_HEAD: ReadonlySet<string> = new Set([
  'RESPONSE_CODE',
  'RESPONSE_CODE_DETAILS',
  'RESPONSE_FLAGS_LONG',
  'CONNECTION_TERMINATION_DETAILS',
  'UPSTREAM_TRANSPORT_FAILURE_REASON',
  'DURATION',
  'DOWNSTREAM_DIRECT_REMOTE_PORT',
  'DOWNSTREAM_PEER_DNS_SAN',
  'DOWNSTREAM_LOCAL_URI_SAN',
  'HOSTNAME',
  'ENVIRONMENT',
  'STREAM_ID',
  'TRACE_ID',
  'PATH',
  'QUERY_PARAM',
]);

function entryOf(x: Exchange, clock: HeaderClock | undefined): LogEntry {
  const outcome = { status: x.response?.status ?? 0, grpcStatus: undefined, requestBytes: 0, responseBytes: 0, endedAt: clock?.now() ?? 0 };
  return { x, outcome, startedAtWall: 0 };
}

function textOf(value: unknown): string {
  return value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Before it is forwarded a request's cluster is the one that its route leads to. */
function clusterOf(x: Exchange): string {
  if (x.cluster !== undefined) return x.cluster.name;
  return x.response === undefined ? (destinationOf(x) ?? '') : '';
}

/** The first attempt is about to be made. */
function isForwarding({ cluster, response }: Exchange): boolean {
  return cluster !== undefined && response === undefined;
}

function responseHeader({ response }: Exchange, head: ChangingHead, name: string): string | undefined {
  return name === ':status' ? response && String(response.status) : head.header(name);
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
