import type { Exchange, RequestHead, ResponseHead } from '../exchange.ts';
import { formatResponseFlags } from '../response-flags.ts';
import type { HeaderMutations } from './route.ts';

export type AppendAction = 'APPEND_IF_EXISTS_OR_ADD' | 'ADD_IF_ABSENT' | 'OVERWRITE_IF_EXISTS_OR_ADD' | 'OVERWRITE_IF_EXISTS';

/** One header to add; `value` is a format string with %-operators. */
export interface HeaderAddition {
  readonly name: string;
  readonly value: string;
  readonly action: AppendAction;
  readonly keepEmpty: boolean;
}

/** Header operations of one level: route, virtual host, route table, weighted cluster. */
export interface HeaderOperations {
  readonly requestAdd: readonly HeaderAddition[];
  readonly requestRemove: readonly string[];
  readonly responseAdd: readonly HeaderAddition[];
  readonly responseRemove: readonly string[];
}

type Value = (x: Exchange) => string;

interface Head {
  header(name: string): string | undefined;
  setHeader(name: string, value: string): void;
  appendHeader(name: string, value: string): void;
  removeHeader(name: string): void;
}

/** Levels in the order in which they act (Envoy: weighted cluster, route, virtual host, route table). Undefined when none does anything. */
export function compileHeaderMutations(levels: readonly HeaderOperations[]): HeaderMutations | undefined {
  const request = levels.map((level) => compileLevel(level.requestAdd, level.requestRemove)).filter((apply) => apply !== undefined);
  const response = levels.map((level) => compileLevel(level.responseAdd, level.responseRemove)).filter((apply) => apply !== undefined);
  if (request.length === 0 && response.length === 0) return undefined;
  return {
    onRequest: (x: Exchange, head: RequestHead) => {
      for (const apply of request) apply(x, head);
    },
    onResponse: (x: Exchange, head: ResponseHead) => {
      for (const apply of response) apply(x, head);
    },
  };
}

/** Per level: removals, then all values are computed, then additions; a value sees removals but no addition of its own level. */
function compileLevel(additions: readonly HeaderAddition[], removals: readonly string[]): ((x: Exchange, head: Head) => void) | undefined {
  if (additions.length === 0 && removals.length === 0) return undefined;
  const compiled = additions.map((addition) => ({
    ...addition,
    name: addition.name.toLowerCase(),
    render: compileHeaderValue(addition.value),
  }));
  const removed = removals.map((name) => name.toLowerCase());
  return (x, head) => {
    for (const name of removed) head.removeHeader(name);
    const values = compiled.map((addition) => addition.render(x));
    for (const [index, { name, action, keepEmpty }] of compiled.entries()) {
      const value = values[index]!;
      if (value === '' && !keepEmpty) continue;
      add(head, name, value, action);
    }
  };
}

function add(head: Head, name: string, value: string, action: AppendAction): void {
  const exists = head.header(name) !== undefined;
  switch (action) {
    case 'APPEND_IF_EXISTS_OR_ADD':
      if (exists) head.appendHeader(name, value);
      else head.setHeader(name, value);
      return;
    case 'ADD_IF_ABSENT':
      if (!exists) head.setHeader(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS_OR_ADD':
      head.setHeader(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS':
      if (exists) head.setHeader(name, value);
  }
}

/** A header value with Envoy's %-operators. Throws on an operator that Ripstop lacks: the resource is refused, not half applied. */
export function compileHeaderValue(format: string): Value {
  if (!format.includes('%')) return () => format;
  const parts: Value[] = [];
  let last = 0;
  for (const match of format.matchAll(/%(?:([A-Z_]+)(?:\(([^)]*)\))?)?%/g)) {
    if (match.index > last) parts.push(literal(format.slice(last, match.index)));
    parts.push(operator(match[1], match[2], format));
    last = match.index + match[0].length;
  }
  const rest = format.slice(last);
  if (rest.includes('%')) throw new Error(`header value "${format}": a lone % must be written %%`);
  if (rest !== '') parts.push(literal(rest));
  return (x) => parts.map((part) => part(x)).join('');
}

const literal =
  (text: string): Value =>
  () =>
    text;

function operator(name: string | undefined, argument: string | undefined, format: string): Value {
  switch (name) {
    case undefined:
      return literal('%');
    case 'REQ': {
      const names = (argument ?? '').toLowerCase().split('?');
      return (x) => names.map((header) => requestValue(x, header)).find((value) => value !== undefined) ?? '';
    }
    case 'DOWNSTREAM_REMOTE_ADDRESS':
      return (x) => `${x.peer.address}:${x.peer.port}`;
    case 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
      return (x) => x.peer.address;
    case 'DOWNSTREAM_LOCAL_ADDRESS':
      return (x) => `${x.peer.localAddress}:${x.peer.localPort}`;
    case 'DOWNSTREAM_PEER_URI_SAN':
      return (x) => x.peer.uriSans.join(',');
    case 'PROTOCOL':
      return (x) => (x.protocol === 'http1' ? 'HTTP/1.1' : 'HTTP/2');
    case 'UPSTREAM_HOST':
      return (x) => x.endpoint?.key ?? '';
    case 'UPSTREAM_CLUSTER':
      return (x) => x.cluster?.name ?? '';
    case 'ROUTE_NAME':
      return (x) => x.route?.name ?? '';
    case 'RESPONSE_FLAGS':
      return (x) => formatResponseFlags(x.flags);
    case 'HOSTNAME':
      return (x) => x.request.authority;
    default:
      throw new Error(`header value "${format}": the operator %${name}% is not supported`);
  }
}

function requestValue(x: Exchange, name: string): string | undefined {
  if (name === ':authority' || name === 'host') return x.request.authority;
  if (name === ':method') return x.request.method;
  if (name === ':path') return x.request.path;
  if (name === ':scheme') return x.request.scheme;
  return x.request.header(name);
}
