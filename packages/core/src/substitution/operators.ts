import { hostname } from 'node:os';
import type { Exchange } from '../exchange.ts';
import { compileTime } from '../format-time.ts';
import type { Outcome } from '../outcome.ts';
import { formatLongResponseFlags, formatResponseFlags, ResponseFlag } from '../response-flags.ts';
import { grpcStatusName } from './grpc-status-name.ts';

/** Everything that an operator of a format may look at: an access log's, or a header's value. */
export interface LogEntry {
  readonly x: Exchange;
  readonly outcome: Outcome;
  /** Milliseconds since the epoch. */
  readonly startedAtWall: number;
  /** While a reply of the mesh is rewritten: what it says. */
  readonly localReplyBody?: string | undefined;
}

/** A string, a number where Envoy's JSON has one, a value of metadata; undefined = there is none, which is `-` or null. */
export type Operator = (entry: LogEntry) => unknown;

const TRACEPARENT = /^[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

const OPERATORS: Readonly<Record<string, Operator>> = {
  PROTOCOL: ({ x }) => (x.protocol === 'tcp' ? undefined : x.protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2'),
  LOCAL_REPLY_BODY: ({ localReplyBody }) => localReplyBody,
  RESPONSE_CODE: ({ outcome }) => outcome.status,
  RESPONSE_FLAGS: ({ x }) => formatResponseFlags(x.flags, x.protocol),
  RESPONSE_FLAGS_LONG: ({ x }) => formatLongResponseFlags(x.flags, x.protocol),
  RESPONSE_CODE_DETAILS: ({ x, outcome }) =>
    x.details !== '' ? x.details.replaceAll(' ', '_') : outcome.status === 0 ? undefined : 'via_upstream',
  CONNECTION_TERMINATION_DETAILS: ({ x }) => x.terminationDetails.replaceAll(' ', '_'),
  UPSTREAM_TRANSPORT_FAILURE_REASON: ({ x }) => x.transportFailure,
  BYTES_RECEIVED: ({ outcome }) => outcome.requestBytes,
  BYTES_SENT: ({ outcome }) => outcome.responseBytes,
  DURATION: ({ x, outcome }) => Math.trunc(outcome.endedAt - x.startedAt),
  REQUEST_DURATION: ({ x }) => requestDuration(x),
  REQUEST_TX_DURATION: ({ x }) => (wasForwarded(x) ? requestDuration(x) : undefined),
  RESPONSE_DURATION: ({ x }) => (x.respondedAt < 0 ? undefined : Math.trunc(x.respondedAt - x.startedAt)),
  RESPONSE_TX_DURATION: ({ x, outcome }) => (x.respondedAt < 0 ? undefined : Math.trunc(outcome.endedAt - x.respondedAt)),
  UPSTREAM_HOST: ({ x }) => upstreamHost(x),
  // Of a host that could not be connected to there is none.
  UPSTREAM_REMOTE_ADDRESS: ({ x }) => ((x.flags & ResponseFlag.UpstreamConnectionFailure) === 0 ? upstreamHost(x) : undefined),
  UPSTREAM_CLUSTER: ({ x }) => clusterOf(x),
  UPSTREAM_CLUSTER_RAW: ({ x }) => clusterOf(x),
  UPSTREAM_LOCAL_ADDRESS: ({ x }) => x.upstreamLocalAddress,
  UPSTREAM_REQUEST_ATTEMPT_COUNT: ({ x }) => (x.direction === 'inbound' && wasForwarded(x) ? 1 : x.attempt),
  DOWNSTREAM_LOCAL_ADDRESS: ({ x }) => addressOf(x.peer.localAddress, x.peer.localPort),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ({ x }) => x.peer.localAddress,
  DOWNSTREAM_LOCAL_PORT: ({ x }) => portOf(x.peer.localPort),
  DOWNSTREAM_REMOTE_ADDRESS: ({ x }) => addressOf(x.peer.address, x.peer.port),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ({ x }) => x.peer.address,
  DOWNSTREAM_REMOTE_PORT: ({ x }) => portOf(x.peer.port),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ({ x: { peer } }) => addressOf((peer.direct ?? peer).address, (peer.direct ?? peer).port),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: ({ x: { peer } }) => (peer.direct ?? peer).address,
  DOWNSTREAM_DIRECT_REMOTE_PORT: ({ x: { peer } }) => portOf((peer.direct ?? peer).port),
  DOWNSTREAM_PEER_URI_SAN: ({ x }) => x.peer.uriSans.join(','),
  DOWNSTREAM_PEER_DNS_SAN: ({ x }) => x.peer.dnsSans.join(','),
  DOWNSTREAM_PEER_SUBJECT: ({ x }) => x.peer.subject,
  DOWNSTREAM_PEER_FINGERPRINT_256: ({ x }) => x.peer.certificateHash,
  DOWNSTREAM_LOCAL_URI_SAN: ({ x }) => x.peer.shownUriSan,
  REQUESTED_SERVER_NAME: ({ x }) => x.peer.sni,
  ROUTE_NAME: ({ x }) => x.route?.name,
  HOSTNAME: () => hostname(),
  GRPC_STATUS_NUMBER: ({ outcome }) => outcome.grpcStatus,
  STREAM_ID: ({ x }) => x.request.header('x-request-id'),
  TRACE_ID: ({ x }) => TRACEPARENT.exec(x.request.header('traceparent') ?? '')?.[1],
};

/** Operators that take an argument. */
const WITH_ARGUMENT: Readonly<Record<string, (argument: string | undefined) => Operator>> = {
  START_TIME: (format) => {
    const time = compileTime(format);
    return ({ startedAtWall }) => time(startedAtWall);
  },
  EMIT_TIME: (format) => {
    const time = compileTime(format);
    return ({ x, outcome, startedAtWall }) => time(startedAtWall + outcome.endedAt - x.startedAt);
  },
  REQ: (names = '') => {
    const alternatives = names.toLowerCase().split('?');
    return ({ x }) => firstOf(alternatives, (name) => requestHeader(x, name));
  },
  REQ_WITHOUT_QUERY: (names = '') => {
    const alternatives = names.toLowerCase().split('?');
    return ({ x }) => withoutQuery(firstOf(alternatives, (name) => requestHeader(x, name)));
  },
  RESP: (names = '') => {
    const alternatives = names.toLowerCase().split('?');
    return ({ x, outcome }) => firstOf(alternatives, (name) => responseHeader(x, outcome, name));
  },
  PATH: (options = '') => {
    const [query = 'WQ', which = 'ORIG_OR_PATH'] = options === '' ? [] : options.split(':');
    const names = which === 'PATH' ? [':path'] : which === 'ORIG' ? ['x-envoy-original-path'] : ['x-envoy-original-path', ':path'];
    return ({ x }) => {
      const path = firstOf(names, (name) => requestHeader(x, name));
      return query === 'NQ' ? withoutQuery(path) : path;
    };
  },
  QUERY_PARAM:
    (name = '') =>
    ({ x }) => {
      const question = x.request.path.indexOf('?');
      return question === -1 ? undefined : (new URLSearchParams(x.request.path.slice(question + 1)).get(name) ?? undefined);
    },
  GRPC_STATUS:
    (form) =>
    ({ outcome }) =>
      grpcStatusName(outcome.grpcStatus, form),
  ENVIRONMENT:
    (name = '') =>
    () =>
      process.env[name] ?? '-',
  DYNAMIC_METADATA: (path = '') => {
    const [filter = '', ...keys] = path.split(':');
    return ({ x }) => keys.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), x.metadata?.get(filter));
  },
};

/** The operator of that name; undefined = Ripstop lacks it. */
export function compileOperator(name: string, argument: string | undefined): Operator | undefined {
  return WITH_ARGUMENT[name]?.(argument) ?? OPERATORS[name];
}

/** Until the request's last byte; 0 for one without a body. */
function requestDuration(x: Exchange): number | undefined {
  if (x.requestEndedAt >= 0) return Math.max(0, Math.trunc(x.requestEndedAt - x.startedAt));
  const length = x.request.header('content-length');
  return x.request.header('transfer-encoding') === undefined && (length === undefined || length === '0') ? 0 : undefined;
}

/** Somebody else than the mesh was asked. */
function wasForwarded(x: Exchange): boolean {
  return x.direction === 'inbound' ? x.route?.action.kind === 'inbound' && (x.respondedAt >= 0 || x.details === '') : x.attempt > 0;
}

function upstreamHost(x: Exchange): string | undefined {
  return x.direction === 'inbound' && x.route !== undefined ? `127.0.0.1:${x.port}` : x.endpoint?.key;
}

function clusterOf(x: Exchange): string | undefined {
  if (x.direction === 'inbound') return x.route?.action.kind === 'inbound' ? x.route.action.clusterName : undefined;
  return x.cluster?.name;
}

function addressOf(address: string, port: number): string | undefined {
  if (address === '') return undefined;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function portOf(port: number): number | undefined {
  return port === 0 ? undefined : port;
}

function firstOf(names: readonly string[], read: (name: string) => string | undefined): string | undefined {
  for (const name of names) {
    const value = read(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Of several lines the first, as Envoy takes it. */
function requestHeader(x: Exchange, name: string): string | undefined {
  switch (name) {
    case ':method':
      return x.request.method;
    case ':path':
      return x.request.path;
    case ':authority':
      return x.request.authority;
    case ':scheme':
      return x.request.scheme;
    case 'x-envoy-original-path':
      return x.originalPath !== '' && x.originalPath !== x.request.path ? x.originalPath : x.request.headerLines(name)[0];
    default:
      return x.request.headerLines(name)[0];
  }
}

function responseHeader(x: Exchange, outcome: Outcome, name: string): string | undefined {
  if (name === ':status') return outcome.status === 0 ? undefined : String(outcome.status);
  // Envoy's router writes it into every response of an upstream; towards the app it is left out, not here.
  if (name === 'x-envoy-upstream-service-time' && x.respondedAt >= 0)
    return String(Math.max(0, Math.trunc(x.respondedAt - (x.requestEndedAt < 0 ? x.startedAt : x.requestEndedAt))));
  return x.response?.firstLine(name);
}

function withoutQuery(path: string | undefined): string | undefined {
  const question = path?.indexOf('?') ?? -1;
  return question === -1 ? path : path!.slice(0, question);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
