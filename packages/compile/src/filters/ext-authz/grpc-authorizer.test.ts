import type { AuthzQuestion, AuthzVerdict, Exchange, FilterEnv, Peer } from '@ripstop/core';
import { NO_PEER } from '@ripstop/core';
import { type AttributeContext, CheckRequest, CheckResponse } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { CheckOptions } from './check-request.ts';
import { createGrpcAuthorizer } from './grpc-authorizer.ts';

const OPTIONS: CheckOptions = {
  allowedHeaders: undefined,
  disallowedHeaders: undefined,
  packAsBytes: false,
  includePeerCertificate: false,
  includeTlsSession: false,
  metadataNamespaces: [],
};
const TARGET = { cluster: 'authz', authority: 'authz.example', timeoutMs: 7, metadata: [['x-key', 'k']] } as const;

interface Scene {
  readonly answer?: Parameters<typeof CheckResponse.fromPartial>[0] | Uint8Array | 'down';
  readonly options?: Partial<CheckOptions>;
  readonly question?: Partial<AuthzQuestion>;
  readonly peer?: Partial<Peer>;
  readonly x?: Partial<Exchange>;
  readonly lines?: readonly string[];
  readonly own?: string;
}

/** One question, how it was asked, and what came of the answer. */
async function ask({ answer = {}, options = {}, question = {}, peer = {}, x = {}, lines = [], own }: Scene): Promise<{
  readonly verdict: AuthzVerdict;
  readonly call: Readonly<Record<string, unknown>>;
  readonly shown: AttributeContext;
}> {
  let call: Readonly<Record<string, unknown>> | undefined;
  const calls = {
    http: async () => ({ failure: 'not asked by HTTP' }),
    grpc: async (given: Readonly<Record<string, unknown>>) => {
      call = given;
      if (answer === 'down') return { failure: 'down' };
      return { message: answer instanceof Uint8Array ? answer : CheckResponse.encode(CheckResponse.fromPartial(answer)).finish() };
    },
  };
  const env = {
    clock: { now: () => 30, wallTime: () => 1_000_030, setTimer: () => ({ cancel() {} }) },
    random: () => 0.5,
    ...(own === undefined ? {} : { ownSpiffeId: () => own }),
  } as unknown as FilterEnv;
  const request = {
    scheme: 'http',
    authority: 'shop',
    method: 'GET',
    path: '/p',
    header: (name: string) => lines.filter((_line, at) => lines[at - 1] === name && at % 2 === 1).join(',') || undefined,
    pairs: () => lines,
  };
  const exchange = {
    protocol: 'http1',
    request,
    peer: { ...NO_PEER, ...peer },
    startedAt: 10,
    random: undefined,
    ...x,
  } as unknown as Exchange;
  const authorizer = createGrpcAuthorizer(TARGET, { ...OPTIONS, ...options }, calls as never, env);
  const verdict = await authorizer.ask(exchange, { contextExtensions: {}, body: undefined, ...question } as AuthzQuestion);
  return { verdict, call: call!, shown: CheckRequest.decode(call!.message as Uint8Array).attributes! };
}

const ok = (value: object): Scene => ({ answer: { httpResponse: { $case: 'okResponse', value } } });
const denied = (value: object, code = 7): Scene => ({ answer: { status: { code }, httpResponse: { $case: 'deniedResponse', value } } });
const header = (key: string, value: string, rest: object = {}): object => ({ header: { key, value }, ...rest });

describe('a gRPC authorizer', () => {
  it('is called at its cluster, with its own name, time limit and metadata', async () => {
    const { call } = await ask({});
    expect(call).toMatchObject({ ...TARGET, path: '/envoy.service.auth.v3.Authorization/Check' });
  });

  it.each([
    ['that does not come', { answer: 'down' as const }, 'the authorizer gave no answer: down'],
    ['that cannot be read', { answer: new Uint8Array([10, 255, 255]) }, "the authorizer's answer cannot be read: "],
  ])('gives an error for an answer %s', async (_what, scene, reason) => {
    const { verdict } = await ask(scene);
    expect(verdict).toMatchObject({ kind: 'error', reason: expect.stringContaining(reason) });
  });

  it.each([
    ['an empty answer', {}],
    ['status OK', { status: { code: 0 } }],
    ['status OK with a denial', { status: { code: 0 }, httpResponse: { $case: 'deniedResponse', value: { status: { code: 401 } } } }],
  ] as const)('lets pass without a change by %s', async (_what, answer) => {
    const { verdict } = await ask({ answer: answer as object });
    expect(verdict).toEqual({ kind: 'ok', request: [], removed: [], response: [], query: undefined, metadata: undefined });
  });

  it('sets headers of the request, joins those that say append, and leaves out those without a name', async () => {
    const headers = [header('X-A', '1', { append: true }), header('X-B', '2', { append: false }), header('x-c', '3'), header('', '4'), {}];
    const { verdict } = await ask(ok({ headers, headersToRemove: ['X-D'] }));
    expect(verdict).toMatchObject({
      request: [
        { how: 'set', name: 'x-b', value: '2' },
        { how: 'set', name: 'x-c', value: '3' },
        { how: 'join', name: 'x-a', value: '1' },
      ],
      removed: ['x-d'],
    });
  });

  it('writes headers of the response by `append`, else by the action', async () => {
    const responseHeadersToAdd = [
      header('x-a', '1', { append: true, appendAction: 2 }),
      header('x-b', '2', { append: false, appendAction: 0 }),
      ...[0, 1, 2, 3, 9].map((appendAction) => header(`x-${appendAction}`, 'v', { appendAction })),
    ];
    const { verdict } = await ask(ok({ responseHeadersToAdd }));
    expect(verdict.kind === 'ok' && verdict.response.map(({ how, name }) => `${name} ${how}`)).toEqual([
      'x-a add',
      'x-b set',
      'x-0 add',
      'x-1 if-absent',
      'x-2 set',
      'x-3 if-present',
      'x-9 add',
    ]);
  });

  it.each([
    [{ queryParametersToSet: [{ key: 'a', value: '1' }] }, { set: [['a', '1']], removed: [] }],
    [{ queryParametersToRemove: ['b'] }, { set: [], removed: ['b'] }],
  ])('changes the query as %j says', async (value, query) => {
    const { verdict } = await ask(ok(value));
    expect(verdict).toMatchObject({ query });
  });

  it('says what other filters shall know: the inner metadata of a consent, else the outer', async () => {
    const inner = {
      answer: { dynamicMetadata: { a: 'outer' }, httpResponse: { $case: 'okResponse', value: { dynamicMetadata: { a: 'inner' } } } },
    };
    expect((await ask(inner as Scene)).verdict).toMatchObject({ metadata: { a: 'inner' } });
    expect((await ask({ answer: { dynamicMetadata: { a: 'outer' } } })).verdict).toMatchObject({ metadata: { a: 'outer' } });
    expect((await ask({ answer: { status: { code: 7 }, dynamicMetadata: { a: 'outer' } } })).verdict).toMatchObject({
      kind: 'denied',
      metadata: { a: 'outer' },
    });
  });

  it.each([
    ['with nothing but its status', { answer: { status: { code: 16 } } }, { status: 403, headers: [], body: '' }],
    ['without a status of HTTP', denied({ body: 'no' }), { status: 403, body: 'no' }],
    ['with one', denied({ status: { code: 401 } }), { status: 401, body: '' }],
    [
      'with headers, save those that say append and those without a name',
      denied({
        headers: [header('X-A', '1'), header('x-a', '2', { append: false }), header('x-b', '3', { append: true }), header('', '4')],
      }),
      {
        headers: [
          ['x-a', '1'],
          ['x-a', '2'],
        ],
      },
    ],
    [
      'also by an answer that holds a consent',
      { answer: { status: { code: 7 }, httpResponse: { $case: 'okResponse', value: { headers: [header('x', '1')] } } } },
      { status: 403, headers: [] },
    ],
  ] as const)('denies %s', async (_what, scene, expected) => {
    expect((await ask(scene as Scene)).verdict).toMatchObject({ kind: 'denied', ...expected });
  });
});

describe('a gRPC authorizer is shown', () => {
  it('addresses, and no identity, of a caller over plaintext', async () => {
    const { shown } = await ask({
      peer: { address: '10.0.0.1', port: 1, localAddress: '10.0.0.2', localPort: 80, uriSans: ['spiffe://a'] },
      own: 'spiffe://own',
    });
    expect([shown.source?.principal, shown.destination?.principal, shown.source?.certificate, shown.tlsSession]).toEqual([
      '',
      '',
      '',
      undefined,
    ]);
    expect(shown.destination?.address).toMatchObject({ address: { value: { address: '10.0.0.2', portSpecifier: { value: 80 } } } });
  });

  it.each([
    ['its first URI SAN', { uriSans: ['spiffe://a', 'spiffe://b'], dnsSans: ['d'], subject: 'CN=s' }, 'spiffe://a'],
    ['else its DNS SAN', { uriSans: [], dnsSans: ['d'], subject: 'CN=s' }, 'd'],
    ['else its subject', { uriSans: [], dnsSans: [], subject: 'CN=s' }, 'CN=s'],
  ])('a caller over mTLS by %s', async (_what, peer, principal) => {
    const { shown } = await ask({ peer: { ...peer, mtls: true }, own: 'spiffe://own' });
    expect([shown.source?.principal, shown.destination?.principal]).toEqual([principal, 'spiffe://own']);
  });

  it('the name that this side was seen by, else its own, else none', async () => {
    for (const mtls of [true, false])
      expect((await ask({ peer: { mtls, shownName: 'spiffe://edge' }, own: 'spiffe://own' })).shown.destination?.principal).toBe(
        'spiffe://edge',
      );
    expect((await ask({ peer: { mtls: true } })).shown.destination?.principal).toBe('');
  });

  it('the certificate and the server name only when it is to be', async () => {
    const peer = { mtls: true, certificatePem: 'a b\n', sni: 'shop' };
    const { shown } = await ask({ peer, options: { includePeerCertificate: true, includeTlsSession: true } });
    expect([shown.source?.certificate, shown.tlsSession?.sni]).toEqual(['a%20b%0A', 'shop']);
    const hidden = (await ask({ peer })).shown;
    expect([hidden.source?.certificate, hidden.tlsSession]).toEqual(['', undefined]);
    const without = (await ask({ options: { includePeerCertificate: true, includeTlsSession: true } })).shown;
    expect([without.source?.certificate, without.tlsSession]).toEqual(['', undefined]);
  });

  it('when the request came, not when it is asked', async () => {
    expect((await ask({})).shown.request?.time?.getTime()).toBe(1_000_010);
  });

  it.each([
    ['http1', 'HTTP/1.1'],
    ['http2', 'HTTP/2'],
    ['grpc', 'HTTP/2'],
  ] as const)('%s as %s', async (protocol, text) => {
    expect((await ask({ x: { protocol } })).shown.request?.http?.protocol).toBe(text);
  });

  it('the scheme that the caller used, and its service', async () => {
    const { shown } = await ask({ lines: ['x-forwarded-proto', 'https', 'x-envoy-downstream-service-cluster', 'cart'] });
    expect([shown.request?.http?.scheme, shown.request?.http?.headers[':scheme'], shown.source?.service]).toEqual([
      'https',
      'https',
      'cart',
    ]);
    const plain = (await ask({})).shown;
    expect([plain.request?.http?.scheme, plain.request?.http?.headers[':scheme'], plain.source?.service]).toEqual(['http', 'http', '']);
  });

  it('every header but those of the connection and one that only this side may say; lines of one name joined', async () => {
    const lines = ['a', '1', 'connection', 'x', 'keep-alive', 'x', 'host', 'x', 'x-envoy-auth-partial-body', 'x', 'A', '2', 'a', '3'];
    const { shown } = await ask({ lines });
    expect(
      Object.entries(shown.request!.http!.headers)
        .map((pair) => pair.join(' '))
        .sort(),
    ).toEqual([':authority shop', ':method GET', ':path /p', ':scheme http', 'A 2', 'a 1,3'].sort());
  });

  it.each([
    ['c3a9', 'é'],
    ['ff', '!'],
    ['61c362', 'a!b'],
    ['e282', '!'],
    ['eda080', '!!!'],
    ['61', 'a'],
  ])('bytes that are no UTF-8 as "!", others as what they are: %s', async (hex, text) => {
    const { shown } = await ask({ lines: ['x', Buffer.from(hex, 'hex').toString('latin1')] });
    expect(shown.request!.http!.headers.x).toBe(text);
  });

  it('no header that is not allowed, and none that is disallowed', async () => {
    const lines = ['a', '1', 'b', '2', 'c', '3'];
    const names = async (options: Partial<CheckOptions>): Promise<string[]> =>
      Object.keys((await ask({ lines, options })).shown.request!.http!.headers).sort();
    expect(await names({ allowedHeaders: (name) => name < 'c', disallowedHeaders: (name) => name === 'a' || name[0] === ':' })).toEqual([
      'b',
    ]);
    expect(await names({ disallowedHeaders: (name) => name === 'b' })).toEqual([':authority', ':method', ':path', ':scheme', 'a', 'c']);
  });

  it('no body unless it is to be; then its size, and whether that is all of it', async () => {
    const without = (await ask({})).shown.request!.http!;
    expect([without.body, without.size, without.headers['x-envoy-auth-partial-body']]).toEqual(['', 0, undefined]);
    const body = { bytes: new TextEncoder().encode('ab'), received: 9, partial: true };
    const http = (await ask({ question: { body } as Partial<AuthzQuestion> })).shown.request!.http!;
    expect([http.body, http.rawBody.length, http.size, http.headers['x-envoy-auth-partial-body']]).toEqual(['ab', 0, 9, 'true']);
  });

  it('metadata by the names that it is to see, as far as there is any', async () => {
    const x = {
      metadata: new Map([
        ['jwt', { a: '1' }],
        ['other', {}],
      ]),
    } as Partial<Exchange>;
    const { shown } = await ask({ x, options: { metadataNamespaces: ['jwt', 'absent'] } });
    expect(shown.metadataContext?.filterMetadata).toEqual({ jwt: { a: '1' } });
    expect((await ask({ options: { metadataNamespaces: ['jwt'] } })).shown.metadataContext?.filterMetadata).toEqual({});
  });
});
