import { describe, expect, it } from 'vitest';
import { exchange, FakeHead } from '../../testing/fakes.ts';
import type { NoAnswer, UpstreamAnswer, UpstreamHttpCall } from '../../upstream-calls.ts';
import { applyWrites, removeHeaders } from './header-writes.ts';
import { createHttpAuthorizer, type HttpAuthorizerConfig } from './http-authorizer.ts';
import { type AuthzQuestion, type AuthzVerdict, shownBody } from './verdict.ts';

const BASE: HttpAuthorizerConfig = {
  cluster: 'authz',
  pathPrefix: '',
  timeoutMs: 0,
  allowedHeaders: undefined,
  disallowedHeaders: undefined,
  additions: [],
  toUpstream: undefined,
  toUpstreamAppended: undefined,
  toCallerOnDenial: undefined,
  toCallerOnSuccess: undefined,
  toMetadata: undefined,
};
const is =
  (...names: string[]) =>
  (text: string): boolean =>
    names.includes(text);
const OK: UpstreamAnswer = { status: 200, headers: [], body: new Uint8Array() };

interface Asked {
  readonly headers?: readonly (readonly [string, string])[];
  readonly config?: Partial<HttpAuthorizerConfig>;
  readonly answer?: UpstreamAnswer | NoAnswer;
  readonly body?: AuthzQuestion['body'];
}

async function ask({ headers = [], config = {}, answer = OK, body }: Asked): Promise<{ call: UpstreamHttpCall; verdict: AuthzVerdict }> {
  const calls: UpstreamHttpCall[] = [];
  const http = async (call: UpstreamHttpCall): Promise<UpstreamAnswer | NoAnswer> => {
    calls.push(call);
    return answer;
  };
  const authorizer = createHttpAuthorizer({ ...BASE, ...config }, { http, grpc: async () => ({ failure: 'not asked' }) });
  const request = Object.assign(new FakeHead({}, { method: 'PUT', path: '/p?q', authority: 'shop' }), { pairs: () => headers.flat() });
  const verdict = await authorizer.ask(exchange({ request }), { body, contextExtensions: {} });
  return { call: calls[0]!, verdict };
}

/** Name and value, by name. */
async function sent(asked: Asked): Promise<Record<string, string>> {
  const { headers } = (await ask(asked)).call;
  return Object.fromEntries(Array.from({ length: headers.length / 2 }, (_, index) => [headers[2 * index]!, headers[2 * index + 1]!]));
}

describe('what an authorizer is asked by HTTP', () => {
  it('is method, host and path of the request, behind the prefix, at its cluster', async () => {
    const { call } = await ask({ config: { pathPrefix: '/check', timeoutMs: 250 } });
    expect(call).toMatchObject({ cluster: 'authz', authority: 'shop', method: 'PUT', path: '/check/p?q', timeoutMs: 250, body: undefined });
  });

  it('has authorization and the headers that are allowed, lines of one name joined', async () => {
    const headers = [
      ['authorization', 'Bearer x'],
      ['x-a', '1'],
      ['x-b', '2'],
      ['x-a', '3'],
    ] as const;
    const always = { 'content-length': '0', 'x-envoy-internal': 'true' };
    expect(await sent({ headers })).toEqual({ ...always, authorization: 'Bearer x' });
    expect(await sent({ headers, config: { allowedHeaders: is('x-a') } })).toEqual({ ...always, authorization: 'Bearer x', 'x-a': '1,3' });
    const disallowedHeaders = is('authorization', 'x-b');
    expect(await sent({ headers, config: { allowedHeaders: () => true, disallowedHeaders } })).toEqual({ ...always, 'x-a': '1,3' });
  });

  it.each(['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'te', 'x-envoy-auth-partial-body'])(
    'has no %s of the caller, whatever is allowed',
    async (name) => {
      const got = await sent({ headers: [[name, 'evil']], config: { allowedHeaders: () => true } });
      expect(Object.values(got)).not.toContain('evil');
    },
  );

  it('has the headers that are added, which replace those of the caller, and the time that it may take', async () => {
    const additions = [{ name: 'x-path', value: ({ request }: { readonly request: { readonly path: string } }) => request.path }];
    const got = await sent({ headers: [['x-path', 'evil']], config: { additions, allowedHeaders: () => true, timeoutMs: 250 } });
    expect(got).toMatchObject({ 'x-path': '/p?q', 'x-envoy-expected-rq-timeout-ms': '250' });
  });

  it.each([true, false])('has the body that is shown, and says whether it is a part: %s', async (partial) => {
    const bytes = Buffer.from('abc');
    const asked = { body: { bytes, partial, received: 5 } };
    expect((await ask(asked)).call.body).toBe(bytes);
    expect(await sent(asked)).toMatchObject({ 'content-length': '3', 'x-envoy-auth-partial-body': String(partial) });
  });
});

describe('what an authorizer answers by HTTP', () => {
  const headers = [
    ['host', 'h'],
    [':status', '200'],
    ['x-user', 'anna'],
    ['x-user', 'bob'],
    ['location', '/login'],
    ['www-authenticate', 'Bearer'],
    ['x-envoy-auth-headers-to-remove', 'X-A, x-b'],
    ['x-envoy-auth-headers-to-remove', 'x-c'],
  ] as const;
  const answer = (status: number): UpstreamAnswer => ({ status, headers, body: Buffer.from('no') });

  it.each([
    [200, 'ok'],
    [199, 'denied'],
    [201, 'denied'],
    [302, 'denied'],
    [403, 'denied'],
    [499, 'denied'],
    [500, 'error'],
    [503, 'error'],
  ])('with status %i is: %s', async (status, kind) => {
    expect((await ask({ answer: answer(status) })).verdict.kind).toBe(kind);
  });

  it('that is no answer is an error, with its reason', async () => {
    expect((await ask({ answer: { failure: 'timeout' } })).verdict).toEqual({
      kind: 'error',
      reason: 'the authorizer gave no answer: timeout',
    });
    expect((await ask({ answer: answer(502) })).verdict).toEqual({ kind: 'error', reason: 'the authorizer answered 502' });
  });

  it('denies with its status and body, and all its headers but those that are not for the caller', async () => {
    const { verdict } = await ask({ answer: answer(401) });
    expect(verdict).toEqual({ kind: 'denied', status: 401, headers: headers.slice(2), body: 'no', metadata: undefined });
  });

  it('denies with the headers that are allowed, and always with where to go', async () => {
    const { verdict } = await ask({ answer: answer(302), config: { toCallerOnDenial: is('x-user') } });
    expect(verdict).toMatchObject({
      headers: [
        ['x-user', 'anna'],
        ['x-user', 'bob'],
        ['location', '/login'],
        ['www-authenticate', 'Bearer'],
      ],
    });
  });

  it('changes nothing by itself but what it wants removed', async () => {
    const { verdict } = await ask({ answer: answer(200) });
    const nothing = { request: [], response: [], query: undefined, metadata: undefined };
    expect(verdict).toEqual({ kind: 'ok', ...nothing, removed: ['x-a', 'x-b', 'x-c'] });
  });

  it('writes what is allowed where it is allowed', async () => {
    const config = {
      toUpstream: is('x-user'),
      toUpstreamAppended: is('location'),
      toCallerOnSuccess: is('www-authenticate'),
      toMetadata: is('x-user'),
    };
    expect((await ask({ answer: answer(200), config })).verdict).toMatchObject({
      request: [
        { how: 'set', name: 'x-user', value: 'anna' },
        { how: 'set', name: 'x-user', value: 'bob' },
        { how: 'add', name: 'location', value: '/login' },
      ],
      response: [{ how: 'add', name: 'www-authenticate', value: 'Bearer' }],
      metadata: { 'x-user': 'bob' },
    });
  });
});

describe('writes of an authorizer', () => {
  it.each<[how: 'set' | 'add' | 'join' | 'if-absent' | 'if-present', there: readonly string[], absent: readonly string[]]>([
    ['set', ['new'], ['new']],
    ['add', ['old', 'new'], ['new']],
    ['join', ['old,new'], []],
    ['if-absent', ['old'], ['new']],
    ['if-present', ['new'], []],
  ])('%s: where the header is, %j, where it is not, %j', (how, there, absent) => {
    const head = new FakeHead({ 'x-there': 'old' });
    applyWrites(head, [
      { how, name: 'x-there', value: 'new' },
      { how, name: 'x-absent', value: 'new' },
    ]);
    expect([head.headerLines('x-there'), head.headerLines('x-absent')]).toEqual([there, absent]);
  });

  it('remove neither the host nor a pseudo header', () => {
    const removed: string[] = [];
    const head = { ...new FakeHead(), removeHeader: (name: string) => void removed.push(name) };
    removeHeaders(head as unknown as FakeHead, ['host', ':path', 'x-a', 'a:']);
    expect(removed).toEqual(['x-a', 'a:']);
  });
});

describe('the part of a body that is shown', () => {
  const bytes = Buffer.from('abcd');
  it.each<[limit: number, allowPartial: boolean, shown: unknown]>([
    [4, false, { bytes, partial: false, received: 4 }],
    [3, false, undefined],
    [3, true, { bytes: Buffer.from('abc'), partial: true, received: 4 }],
    [5, true, { bytes, partial: false, received: 4 }],
  ])('of four bytes, at most %i, partly %s: %j', (limit, allowPartial, shown) => {
    expect(shownBody({ bytes, complete: true }, limit, allowPartial)).toEqual(shown);
  });
});
