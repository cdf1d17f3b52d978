import {
  Exchange,
  type Filter,
  type FilterEnv,
  type HttpConnectionManager,
  NO_PEER,
  type RequestHead,
  type ResponseHead,
  type Snapshot,
} from '@ripstop/core';
import {
  BufferPerRoute,
  fromProtoJson,
  HeaderMutationPerRoute,
  HttpHeaderMutation,
  Buffer as Limit,
  StatefulSession,
  StatefulSessionPerRoute,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { buffer } from './buffer.ts';
import { headerMutation } from './header-mutation.ts';
import { statefulSession } from './stateful-session.ts';

const NOW = 1_700_000_000_000;
const env: FilterEnv = {
  clock: { now: () => 0, wallTime: () => NOW, setTimer: () => ({ cancel() {} }) },
  random: () => 0,
  direction: 'outbound',
  state: (_key, create) => create(),
};

class Head {
  scheme = 'http' as const;
  authority = 'shop';
  method = 'GET';
  path = '/a';
  status = 200;
  readonly lines = new Map<string, string[]>();
  constructor(headers: Readonly<Record<string, string>> = {}) {
    for (const [name, value] of Object.entries(headers)) this.lines.set(name, [value]);
  }
  header(name: string): string | undefined {
    return this.lines.get(name)?.join(',');
  }
  headerLines(name: string): readonly string[] {
    return this.lines.get(name) ?? [];
  }
  setHeader(name: string, value: string): void {
    this.lines.set(name, [value]);
  }
  appendHeader(name: string, value: string): void {
    this.lines.set(name, [...this.headerLines(name), value]);
  }
  removeHeader(name: string): void {
    this.lines.delete(name);
  }
}

function exchange(headers: Readonly<Record<string, string>> = {}): { readonly x: Exchange; readonly request: Head } {
  const request = new Head(headers);
  const x = new Exchange({
    direction: 'outbound',
    protocol: 'http1',
    request: request as unknown as RequestHead,
    snapshot: {} as Snapshot,
    manager: {} as HttpConnectionManager,
    peer: NO_PEER,
    port: 80,
    startedAt: 0,
  });
  x.matchPath = '/a';
  return { x, request };
}

function responded(filter: Filter, x: Exchange, headers: Readonly<Record<string, string>> = {}): Record<string, string[]> {
  const head = new Head(headers);
  filter.onResponse?.(x, head as unknown as ResponseHead);
  return Object.fromEntries(head.lines);
}

describe('the buffer filter', () => {
  const limit = buffer.decode(Limit.encode(Limit.fromPartial({ maxRequestBytes: 5 })).finish());
  const perRoute = (value: object) => buffer.decodeOverride!(BufferPerRoute.encode(fromProtoJson(BufferPerRoute, value)).finish());

  it.each([
    ['of the limit passes', 5, true, undefined],
    ['above it is refused', 6, true, 413],
    ['that goes on is refused', 5, false, 413],
  ])('a body %s', async (_what, length, complete, status) => {
    const { x } = exchange();
    x.body = { read: async () => ({ bytes: new Uint8Array(length), complete }) };
    const reply = await buffer.create(limit, undefined, env)!.onRequest!(x);
    expect(reply?.status).toBe(status);
  });

  it('refuses what it cannot see, and leaves alone what has no body', async () => {
    const { x } = exchange();
    const filter = buffer.create(limit, undefined, env)!;
    expect(filter.onRequest!(x)).toBeUndefined();
    x.body = { read: async () => undefined };
    expect(await filter.onRequest!(x)).toMatchObject({ status: 403, details: 'ripstop_body_unreadable{buffer}' });
  });

  it('is off or wider where a route says so', () => {
    expect(buffer.create(limit, perRoute({ disabled: true }), env)).toBeUndefined();
    expect(perRoute({ buffer: { max_request_bytes: 9 } })).toBe(9);
    expect(() => perRoute({})).toThrow('neither disabled nor buffer');
    expect(() => buffer.decode(new Uint8Array())).toThrow('max_request_bytes must be above 0');
  });
});

describe('header mutation', () => {
  const append = (key: string, value: string): object => ({
    append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
  });
  const decode = (value: object) => headerMutation.decode(HttpHeaderMutation.encode(fromProtoJson(HttpHeaderMutation, value)).finish());
  const level = (who: string) =>
    headerMutation.decodeOverride!(
      HeaderMutationPerRoute.encode(
        fromProtoJson(HeaderMutationPerRoute, { mutations: { request_mutations: [append('x-who', who)] } }),
      ).finish(),
    );

  it.each([
    [false, 'table'],
    [true, 'route'],
  ])('lets the right level win (most specific: %s)', (wins, winner) => {
    const config = decode({ mutations: { request_mutations: [append('x-who', 'filter')] }, most_specific_header_mutations_wins: wins });
    const { x, request } = exchange();
    headerMutation.create(config, headerMutation.mergeOverrides!(level('table'), level('route')), env)!.onRequest!(x);
    expect(request.header('x-who')).toBe(winner);
  });

  it('works in order, and costs nothing without steps', () => {
    const steps = [{ remove: 'X-A' }, append('x-a', '%REQ(x-b)%'), { remove: 'x-b' }];
    const { x, request } = exchange({ 'x-a': 'old', 'x-b': '1' });
    const filter = headerMutation.create(decode({ mutations: { request_mutations: steps } }), undefined, env)!;
    filter.onRequest!(x);
    expect(Object.fromEntries(request.lines)).toEqual({ 'x-a': ['1'] });
    expect(filter.onResponse).toBeUndefined();
    expect(headerMutation.create(decode({}), undefined, env)).toBeUndefined();
  });

  it.each([[{ remove: 'host' }], [{ remove: ':path' }], [append(':path', '/')], [{}]])('refuses %j', (step) => {
    expect(() => decode({ mutations: { request_mutations: [step] } })).toThrow();
  });
});

describe('a stateful session', () => {
  const STATE = 'type.googleapis.com/envoy.extensions.http.stateful_session';
  const state = (type: string, value: object): object => ({ name: 's', typed_config: { '@type': `${STATE}.${type}`, ...value } });
  const COOKIE = state('cookie.v3.CookieBasedSessionState', { cookie: { name: 'session', path: '/a', ttl: '60s' } });
  const decode = (value: object) => statefulSession.decode(StatefulSession.encode(fromProtoJson(StatefulSession, value)).finish());
  const perRoute = (value: object) =>
    statefulSession.decodeOverride!(StatefulSessionPerRoute.encode(fromProtoJson(StatefulSessionPerRoute, value)).finish());
  const endpoint = (key: string) => ({ key }) as Exchange['endpoint'] & object;

  it('binds a caller to its host by a cookie with an end, which is understood when it comes back', () => {
    const filter = statefulSession.create(decode({ session_state: COOKIE, strict: true }), undefined, env)!;
    const { x } = exchange();
    filter.onRequest!(x);
    expect(x.overrideHost).toBeUndefined();
    x.endpoint = endpoint('10.0.0.1:80');
    const [line] = responded(filter, x)['set-cookie']!;
    expect(line).toMatch(/^session="[\w+/=]+"; Max-Age=60; Path=\/a; HttpOnly$/);
    const again = exchange({ cookie: `a=b; ${line!.split(';')[0]}` }).x;
    filter.onRequest!(again);
    expect(again.overrideHost).toEqual({ key: '10.0.0.1:80', strict: true });
    again.endpoint = endpoint('10.0.0.1:80');
    expect(responded(filter, again)).toEqual({});
    const later = statefulSession.create(decode({ session_state: COOKIE }), undefined, {
      ...env,
      clock: { ...env.clock, wallTime: () => NOW + 61_000 },
    })!;
    const late = exchange({ cookie: line!.split(';')[0]! }).x;
    later.onRequest!(late);
    expect(late.overrideHost).toBeUndefined();
  });

  it.each([['session=!!!'], ['session='], [`session="${Buffer.from([0x0a, 200, 1]).toString('base64')}"`], ['other=1']])(
    'makes nothing of %s',
    (cookie) => {
      const { x } = exchange({ cookie });
      statefulSession.create(decode({ session_state: COOKIE }), undefined, env)!.onRequest!(x);
      expect(x.overrideHost?.key ?? '').not.toMatch(/\d+:\d+/);
    },
  );

  it('may be a header, and is off where a route switches it off', () => {
    const config = decode({ session_state: state('header.v3.HeaderBasedSessionState', { name: 'X-Session' }) });
    const filter = statefulSession.create(config, undefined, env)!;
    const { x } = exchange({ 'x-session': Buffer.from('10.0.0.2:80').toString('base64') });
    filter.onRequest!(x);
    expect(x.overrideHost).toEqual({ key: '10.0.0.2:80', strict: false });
    x.endpoint = endpoint('10.0.0.1:80');
    expect(responded(filter, x)).toEqual({ 'x-session': [Buffer.from('10.0.0.1:80').toString('base64')] });
    expect(statefulSession.create(config, perRoute({ disabled: true }), env)).toBeUndefined();
    expect(statefulSession.create(decode({}), undefined, env)).toBeUndefined();
    expect(statefulSession.create(decode({}), perRoute({ stateful_session: { session_state: COOKIE } }), env)).toBeDefined();
  });

  it.each([
    [{ session_state: state('cookie.v3.CookieBasedSessionState', {}) }, 'the cookie has no name'],
    [{ session_state: state('header.v3.HeaderBasedSessionState', {}) }, 'the header has no name'],
    [
      { session_state: { name: 'envelope', typed_config: { '@type': 'type.googleapis.com/a.b.C' } } },
      'session state envelope is not supported',
    ],
  ])('%j is refused', (value, why) => {
    expect(() => decode(value)).toThrow(why);
  });
});
