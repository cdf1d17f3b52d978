import { describe, expect, it } from 'vitest';
import type { LocalReply } from '../local-reply.ts';
import type { Route } from '../route/route.ts';
import { exchange, FakeHead } from '../testing/fakes.ts';
import { type CorsConfig, createCors } from './cors.ts';

const EXACT: CorsConfig = {
  allowOrigin: [(origin) => origin === 'http://good'],
  allowMethods: 'GET,PUT',
  allowHeaders: 'x-a',
  exposeHeaders: 'x-e',
  maxAge: '5',
  allowCredentials: true,
  forwardNotMatchingPreflights: true,
};

function preflight(
  config: CorsConfig,
  origin: string | undefined,
  asked: Record<string, string> = { 'access-control-request-method': 'GET' },
  method = 'OPTIONS',
) {
  const request = new FakeHead({ ...(origin === undefined ? {} : { origin }), ...asked }, { method });
  return createCors(config)!.onRequest!(exchange({ request })) as LocalReply | undefined;
}

function decorated(config: CorsConfig, origin: string | undefined, upstream: Record<string, string> = {}): Record<string, string> {
  const x = exchange({ request: new FakeHead(origin === undefined ? {} : { origin }) });
  const head = new FakeHead(upstream);
  const filter = createCors(config)!;
  filter.onRequest!(x);
  filter.onResponse!(x, head);
  return Object.fromEntries(head.lines);
}

describe('a preflight', () => {
  it('of an allowed origin is answered with 200, headers in Envoy’s order', () => {
    expect(preflight(EXACT, 'http://good')).toMatchObject({
      status: 200,
      body: '',
      details: 'cors_response',
      headers: [
        ['access-control-allow-origin', 'http://good'],
        ['access-control-allow-credentials', 'true'],
        ['access-control-allow-methods', 'GET,PUT'],
        ['access-control-allow-headers', 'x-a'],
        ['access-control-max-age', '5'],
        ['access-control-expose-headers', 'x-e'],
      ],
    });
  });

  it('of another origin is forwarded, or answered without the origin', () => {
    expect(preflight(EXACT, 'http://bad')).toBeUndefined();
    const answered = preflight({ ...EXACT, forwardNotMatchingPreflights: false }, 'http://bad');
    expect(answered?.headers.map(([name]) => name)).toEqual([
      'access-control-allow-credentials',
      'access-control-allow-methods',
      'access-control-allow-headers',
      'access-control-max-age',
      'access-control-expose-headers',
    ]);
  });

  it.each<[name: string, origin: string | undefined, asked: Record<string, string>, method: string]>([
    ['no origin', undefined, { 'access-control-request-method': 'GET' }, 'OPTIONS'],
    ['an empty origin', '', { 'access-control-request-method': 'GET' }, 'OPTIONS'],
    ['no requested method', 'http://good', {}, 'OPTIONS'],
    ['another method', 'http://good', { 'access-control-request-method': 'GET' }, 'GET'],
  ])('%s is none', (_name, origin, asked, method) => {
    expect(preflight(EXACT, origin, asked, method)).toBeUndefined();
  });

  it('asks for access to a private network and gets it where allowed', () => {
    const asked = { 'access-control-request-method': 'GET', 'access-control-request-private-network': 'true' };
    const answer = (allowPrivateNetwork: boolean) =>
      preflight({ ...EXACT, allowPrivateNetwork }, 'http://good', asked)?.headers.map(([name]) => name);
    expect(answer(true)).toContain('access-control-allow-private-network');
    expect(answer(false)).not.toContain('access-control-allow-private-network');
  });
});

describe('an origin', () => {
  it('is any where a matcher takes "*", and is echoed', () => {
    const any: CorsConfig = { ...EXACT, allowOrigin: [(origin) => origin === '*'] };
    expect(preflight(any, 'http://whoever')?.headers[0]).toEqual(['access-control-allow-origin', 'http://whoever']);
    expect(decorated(any, 'http://whoever')['access-control-allow-origin']).toBe('http://whoever');
  });

  it('is compared with its case', () => {
    expect(decorated(EXACT, 'HTTP://good')).toEqual({});
  });

  it('of a request that was answered before the filter saw it is not told', () => {
    const head = new FakeHead({});
    createCors(EXACT)!.onResponse!(exchange({ request: new FakeHead({ origin: 'http://good' }) }), head);
    expect(head.lines).toEqual([]);
  });

  it('that is allowed overwrites the upstream’s, another leaves it alone', () => {
    const upstream = { 'access-control-allow-origin': 'http://theirs' };
    expect(decorated(EXACT, 'http://good', upstream)).toEqual({
      'access-control-allow-origin': 'http://good',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-e',
    });
    expect(decorated(EXACT, 'http://bad', upstream)).toEqual(upstream);
    expect(decorated(EXACT, undefined, upstream)).toEqual(upstream);
  });
});

describe('CORS', () => {
  it('leaves redirects and direct responses alone', () => {
    const route = { action: { kind: 'reply', reply: () => undefined as never }, filters: [] } as unknown as Route;
    const x = exchange({ request: new FakeHead({ origin: 'http://good', 'access-control-request-method': 'GET' }, { method: 'OPTIONS' }) });
    x.route = route;
    const head = new FakeHead();
    const filter = createCors(EXACT)!;
    expect(filter.onRequest!(x)).toBeUndefined();
    filter.onResponse!(x, head);
    expect(head.lines).toEqual([]);
  });

  it('without allowed origins is nothing', () => {
    expect(createCors({ ...EXACT, allowOrigin: [] })).toBeUndefined();
  });
});
