import { type AccessLogConfig, type Exchange, formatResponseFlags, type Outcome } from '@ripstop/core';

/** Everything that an access-log operator may look at. */
export interface LogEntry {
  readonly x: Exchange;
  readonly outcome: Outcome;
  /** Milliseconds since the epoch. */
  readonly startedAtWall: number;
}

type Part = (entry: LogEntry) => string;

const orDash = (text: string | undefined): string => (text === undefined || text === '' ? '-' : text);

const OPERATORS: Readonly<Record<string, Part>> = {
  START_TIME: ({ startedAtWall }) => new Date(startedAtWall).toISOString(),
  PROTOCOL: ({ x }) => (x.protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2'),
  RESPONSE_CODE: ({ outcome }) => String(outcome.status),
  RESPONSE_FLAGS: ({ x }) => formatResponseFlags(x.flags),
  RESPONSE_CODE_DETAILS: ({ x, outcome }) =>
    x.details !== '' ? x.details.replaceAll(' ', '_') : outcome.status === 0 ? '-' : 'via_upstream',
  CONNECTION_TERMINATION_DETAILS: () => '-',
  UPSTREAM_TRANSPORT_FAILURE_REASON: ({ x }) => orDash(x.transportFailure),
  BYTES_RECEIVED: ({ outcome }) => String(outcome.requestBytes),
  BYTES_SENT: ({ outcome }) => String(outcome.responseBytes),
  DURATION: ({ x, outcome }) => String(Math.round(outcome.endedAt - x.startedAt)),
  UPSTREAM_HOST: ({ x }) => orDash(x.direction === 'inbound' && x.route !== undefined ? `127.0.0.1:${x.port}` : x.endpoint?.key),
  UPSTREAM_CLUSTER: ({ x }) => orDash(clusterOf(x)),
  UPSTREAM_CLUSTER_RAW: ({ x }) => orDash(clusterOf(x)),
  UPSTREAM_LOCAL_ADDRESS: () => '-',
  DOWNSTREAM_LOCAL_ADDRESS: ({ x }) => addressOf(x.peer.localAddress, x.peer.localPort),
  DOWNSTREAM_REMOTE_ADDRESS: ({ x }) => addressOf(x.peer.address, x.peer.port),
  REQUESTED_SERVER_NAME: ({ x }) => orDash(x.peer.sni),
  ROUTE_NAME: ({ x }) => orDash(x.route?.name),
  REQUEST_DURATION: () => '-',
  RESPONSE_DURATION: () => '-',
};

function clusterOf(x: Exchange): string | undefined {
  if (x.direction === 'inbound') return x.route?.action.kind === 'inbound' ? x.route.action.clusterName : undefined;
  return x.cluster?.name;
}

function addressOf(address: string, port: number): string {
  if (address === '') return '-';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Compiles an Envoy format string (`%START_TIME%`, `%REQ(NAME?OTHER)%`, `%%`). An operator that Ripstop lacks prints `-`. */
export function compileFormat(format: string): Part {
  const parts: Part[] = [];
  let last = 0;
  for (const match of format.matchAll(/%(?:([A-Z_]+)(?:\(([^)]*)\))?(?::\d+)?)?%/g)) {
    if (match.index > last) parts.push(constant(format.slice(last, match.index)));
    parts.push(operator(match[1], match[2]));
    last = match.index + match[0].length;
  }
  if (last < format.length) parts.push(constant(format.slice(last)));
  return (entry) => {
    let line = '';
    for (const part of parts) line += part(entry);
    return line;
  };
}

/** The line of an entry, with its newline. */
export function compileAccessLog(config: AccessLogConfig): Part {
  if (config.format.kind === 'text') return compileFormat(config.format.text);
  const fields = Object.entries(config.format.fields).map(
    ([name, value]) => [name, typeof value === 'string' ? compileFormat(value) : constant(JSON.stringify(value))] as const,
  );
  // As Envoy's JSON formatter: a value that is `-` is null, numbers of numeric operators stay numbers.
  return (entry) => `${JSON.stringify(Object.fromEntries(fields.map(([name, part]) => [name, jsonValue(part(entry))])))}\n`;
}

function jsonValue(text: string): string | number | null {
  if (text === '-') return null;
  return /^\d{1,15}$/.test(text) ? Number(text) : text;
}

function constant(text: string): Part {
  return () => text;
}

function operator(name: string | undefined, argument: string | undefined): Part {
  if (name === undefined) return constant('%');
  if (name === 'REQ' && argument !== undefined) {
    const names = argument.toLowerCase().split('?');
    return ({ x }) => orDash(names.map((header) => requestHeader(x, header)).find((value) => value !== undefined));
  }
  return OPERATORS[name] ?? constant('-');
}

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
      return x.originalPath !== '' && x.originalPath !== x.request.path ? x.originalPath : x.request.header(name);
    default:
      return x.request.header(name);
  }
}
