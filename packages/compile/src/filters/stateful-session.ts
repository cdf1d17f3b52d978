import { createStatefulSession, type Exchange, type FilterFactory, type ResponseHead, type SessionState } from '@ripstop/core';
import {
  CookieBasedSessionState,
  HeaderBasedSessionState,
  isAny,
  StatefulSession,
  StatefulSessionPerRoute,
  typeUrlOf,
  unpackAny,
} from '@ripstop/xds-api';
import { rawFields } from '../raw-fields.ts';
import { milliseconds } from '../values.ts';

type Clock = { wallTime(): number };

interface Config {
  /** Undefined = the filter has no configuration of its own, or a route switches it off. */
  readonly state: ((clock: Clock) => SessionState) | undefined;
  readonly strict: boolean;
}

export const statefulSession: FilterFactory<Config> = {
  typeUrl: typeUrlOf(StatefulSession.$type),
  overrideTypeUrl: typeUrlOf(StatefulSessionPerRoute.$type),
  // The app of this process is its only host.
  directions: ['outbound'],
  decode: (body) => decodeState(StatefulSession.decode(body)),
  decodeOverride: (body) => {
    const { override } = StatefulSessionPerRoute.decode(body);
    if (override?.$case === 'statefulSession') return decodeState(override.value);
    if (override?.value !== true) throw new Error('stateful_session per route: neither disabled nor stateful_session');
    return { state: undefined, strict: false };
  },
  create: (config, override = config, { clock }) =>
    override.state === undefined ? undefined : createStatefulSession(override.state(clock), override.strict),
};

function decodeState({ sessionState, strict }: StatefulSession): Config {
  if (sessionState === undefined) return { state: undefined, strict };
  const { name, typedConfig: any } = sessionState;
  if (isAny(HeaderBasedSessionState, any)) {
    const header = unpackAny(HeaderBasedSessionState, any).name.toLowerCase();
    if (header === '') throw new Error('stateful_session: the header has no name');
    return { state: () => byHeader(header), strict };
  }
  if (isAny(CookieBasedSessionState, any)) {
    const { cookie } = unpackAny(CookieBasedSessionState, any);
    if (cookie === undefined || cookie.name === '') throw new Error('stateful_session: the cookie has no name');
    const ttlSeconds = milliseconds(cookie.ttl, 0) / 1000;
    return { state: (clock) => new CookieState(cookie.name, cookie.path, ttlSeconds, clock), strict };
  }
  throw new Error(`stateful_session: session state ${name} is not supported; cookie and header are`);
}

function byHeader(name: string): SessionState {
  return {
    hostOf: ({ request }) => {
      const value = request.header(name);
      return value === undefined ? undefined : text(value);
    },
    tell: (head, host) => head.setHeader(name, Buffer.from(host).toString('base64')),
  };
}

/** The cookie holds Envoy's message of address and expiry, as base64. */
class CookieState implements SessionState {
  private readonly name: string;
  private readonly path: string;
  private readonly ttlSeconds: number;
  private readonly clock: Clock;

  constructor(name: string, path: string, ttlSeconds: number, clock: Clock) {
    this.name = name;
    this.path = path;
    this.ttlSeconds = ttlSeconds;
    this.clock = clock;
  }

  hostOf(x: Exchange): string | undefined {
    if (!coversPath(this.path, x.matchPath)) return undefined;
    const value = cookieOf(x.request.headerLines('cookie'), this.name);
    if (value === undefined) return undefined;
    try {
      const fields = rawFields(Buffer.from(value, 'base64'));
      const address = fields.find(({ number }) => number === 1)?.bytes;
      const expires = fields.find(({ number }) => number === 2)?.value ?? 0;
      if (expires > 0 && expires < this.clock.wallTime() / 1000) return undefined;
      return address === undefined ? undefined : new TextDecoder().decode(address);
    } catch {
      return undefined; // a caller may send anything: then it has no session
    }
  }

  tell(head: ResponseHead, host: string): void {
    const { name, path, ttlSeconds } = this;
    const expires = ttlSeconds === 0 ? [] : [0x10, ...varint(Math.floor(this.clock.wallTime() / 1000) + ttlSeconds)];
    const value = Buffer.from([0x0a, host.length, ...Buffer.from(host), ...expires]).toString('base64');
    const age = ttlSeconds === 0 ? '' : `; Max-Age=${ttlSeconds}`;
    head.appendHeader('set-cookie', `${name}="${value}"${age}${path === '' ? '' : `; Path=${path}`}; HttpOnly`);
  }
}

/** RFC 6265 §5.1.4. */
function coversPath(path: string, requestPath: string): boolean {
  if (path === '' || path === '/' || path === requestPath) return true;
  return requestPath.startsWith(path) && (path.endsWith('/') || requestPath[path.length] === '/');
}

function cookieOf(lines: readonly string[], name: string): string | undefined {
  for (const line of lines) {
    for (const pair of line.split(';')) {
      const equals = pair.indexOf('=');
      if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
      return pair
        .slice(equals + 1)
        .trim()
        .replace(/^"(.*)"$/, '$1');
    }
  }
  return undefined;
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
