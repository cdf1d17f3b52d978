import { JwtAuthentication, JwtAuthnPerRouteConfig } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { FakeHead } from '../../core/src/testing/fakes.ts';
import { jwtAuthn } from './index.ts';
import { FilterRun, type JwtAuthenticationFields, NOW, provider, type RequirementFields, requiring } from './testing/filter-run.ts';
import { TokenMaker } from './testing/token-maker.ts';

const maker = new TokenMaker();
const providers = [
  provider('a', maker.jwks, { fromHeaders: [{ name: 'x-a' }] }),
  provider('b', maker.jwks, { fromHeaders: [{ name: 'x-b' }], payloadInMetadata: 'b', headerInMetadata: 'h' }),
];
const named = (name: string): RequirementFields => ({ requiresType: { $case: 'providerName', value: name } });
const a = named('origins-0');
const b = named('origins-1');
const all = (...requirements: RequirementFields[]): RequirementFields => ({
  requiresType: { $case: 'requiresAll', value: { requirements } },
});
const any = (...requirements: RequirementFields[]): RequirementFields => ({
  requiresType: { $case: 'requiresAny', value: { requirements } },
});
const missing: RequirementFields = { requiresType: { $case: 'allowMissing', value: {} } };
const failed: RequirementFields = { requiresType: { $case: 'allowMissingOrFailed', value: {} } };

const tokenA = maker.sign({ iss: 'a', sub: 's', aud: 'x' });
const tokenB = maker.sign({ iss: 'b', sub: 't' });
const head = (lines: Readonly<Record<string, string>>): Partial<FakeHead> => ({ lines: Object.entries(lines) });
const MISSING = 'Jwt is missing';
const BAD = 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections';

describe('what a rule requires', () => {
  it.each<[string, RequirementFields, Partial<FakeHead>, string]>([
    ['one provider: its token', a, head({ 'x-a': tokenA }), 'ok'],
    ['one provider: none', a, {}, MISSING],
    ['one provider: a token of the other', a, head({ 'x-a': tokenB }), 'Jwt issuer is not configured'],
    ['all: both', all(a, b), head({ 'x-a': tokenA, 'x-b': tokenB }), 'ok'],
    ['all: one of them', all(a, b), head({ 'x-a': tokenA }), MISSING],
    ['all: one of them is bad', all(a, b), head({ 'x-a': tokenA, 'x-b': 'x' }), BAD],
    ['any: the second', any(a, b), head({ 'x-b': tokenB }), 'ok'],
    ['any: none', any(a, b), {}, MISSING],
    ['any: a fault of one is told rather than that the other is missing', any(a, b), head({ 'x-a': 'x' }), BAD],
    ['any: a fault is told rather than an unknown issuer', any(a, b), head({ 'x-a': 'x', 'x-b': tokenA }), BAD],
    ['any: an unknown issuer is told rather than that one is missing', any(a, b), head({ 'x-b': tokenA }), 'Jwt issuer is not configured'],
    ['any or failed', any(a, failed), head({ 'x-a': 'x' }), 'ok'],
    ['any or missing', any(a, missing), {}, 'ok'],
    ['any or missing, but bad', any(a, missing), head({ 'x-a': 'x' }), BAD],
    ['any or missing: a bad token of a provider that it does not name', any(a, missing), head({ 'x-b': 'x' }), 'ok'],
    ['any or failed, or missing', any(a, failed, missing), head({ 'x-a': 'x' }), 'ok'],
    ['any that may be missing alone: one is bad', any(missing), head({ 'x-a': 'x' }), BAD],
    ['any that may fail alone: one is bad', any(failed), head({ 'x-a': 'x' }), 'ok'],
    ['tokens may be missing', missing, {}, 'ok'],
    ['tokens may be missing: good ones', any(missing), head({ 'x-a': tokenA, 'x-b': tokenB }), 'ok'],
    ['tokens may be missing: one is bad', missing, head({ 'x-a': tokenA, 'x-b': 'x' }), BAD],
    ['tokens may be missing: an issuer that its place does not take', missing, head({ 'x-a': tokenB }), 'Jwt issuer is not configured'],
    ['tokens may fail', failed, head({ 'x-a': tokenA, 'x-b': 'x' }), 'ok'],
    ['nothing', {}, head({ 'x-a': 'x' }), 'ok'],
    [
      'a provider with audiences of its own',
      { requiresType: { $case: 'providerAndAudiences', value: { providerName: 'origins-0', audiences: ['y'] } } },
      head({ 'x-a': tokenA }),
      'Audiences in Jwt are not allowed',
    ],
  ])('%s', async (_what, requirement, request, expected) => {
    const { reply } = await new FilterRun(requiring(requirement, ...providers)).run(request);
    expect(reply?.body ?? 'ok').toBe(expected);
  });

  it.each([
    ['the first', 'a', 'ok'],
    ['the second', 'b', 'ok'],
    ['neither', 'c', 'Jwt issuer is not configured'],
  ])('a token in a place that two issuers read is its own issuer’s to judge: %s', async (_what, iss, expected) => {
    const shared = new FilterRun(requiring(missing, provider('a', maker.jwks), provider('b', maker.jwks)));
    const { reply } = await shared.run(head({ authorization: `Bearer ${maker.sign({ iss })}` }));
    expect(reply?.body ?? 'ok').toBe(expected);
  });

  it('a provider without an issuer takes every one', async () => {
    const { reply } = await new FilterRun(requiring(a, provider('', maker.jwks))).run(head({ authorization: `Bearer ${tokenB}` }));
    expect(reply).toBeUndefined();
  });

  it('of several tokens each writes its own metadata', async () => {
    const { x } = await new FilterRun(requiring(all(a, b), ...providers)).run(head({ 'x-a': tokenA, 'x-b': tokenB }));
    expect(x.metadata?.get('envoy.filters.http.jwt_authn')).toEqual({
      payload: { iss: 'a', sub: 's', aud: 'x' },
      b: { iss: 'b', sub: 't' },
      h: { alg: 'RS256', kid: 'k1' },
    });
  });

  it.each([missing, failed])('beside one that is named, others that may be missing or fail are not looked at', async (others) => {
    const { x, head: seen } = await new FilterRun(requiring(any(a, others), ...providers)).run(head({ 'x-b': tokenB }));
    expect([seen.header('x-b'), x.metadata]).toEqual([tokenB, undefined]);
  });

  it('is taken from the places of its provider only, whatever their kinds', async () => {
    const run = new FilterRun(requiring(a, provider('a', maker.jwks, { fromHeaders: [{ name: 'x-a' }], fromCookies: ['c'] })));
    const answers = [head({ cookie: `c=${tokenA}` }), head({ 'x-a': tokenA }), head({ authorization: `Bearer ${tokenA}` })].map(
      async (request) => (await run.run(request)).reply?.body ?? 'ok',
    );
    expect(await Promise.all(answers)).toEqual(['ok', 'ok', MISSING]);
  });

  it.each([
    [0, 59, 'ok'], // The default: a minute.
    [0, 61, 'Jwt is expired'],
    [10, 9, 'ok'],
    [10, 11, 'Jwt is expired'],
  ])('counts with clocks that differ by %i seconds when it has expired for %i: %s', async (clockSkewSeconds, ago, expected) => {
    const run = new FilterRun(requiring(a, provider('a', maker.jwks, { clockSkewSeconds })));
    expect(await run.bearer(maker.sign({ iss: 'a', exp: NOW - ago }))).toContain(expected);
  });

  it('where tokens may fail, the good one counts and the bad one does not', async () => {
    const { x, head: seen } = await new FilterRun(requiring(failed, ...providers)).run(head({ 'x-a': tokenA, 'x-b': 'x' }));
    expect(Object.keys(x.metadata?.get('envoy.filters.http.jwt_authn') ?? {})).toEqual(['payload']);
    expect([seen.header('x-a'), seen.header('x-b')]).toEqual([undefined, 'x']);
  });
});

describe('rules', () => {
  const rule = (pathSpecifier: NonNullable<NonNullable<NonNullable<JwtAuthenticationFields['rules']>[number]['match']>['pathSpecifier']>) =>
    new FilterRun({
      ...requiring(a, ...providers),
      rules: [{ match: { pathSpecifier, caseSensitive: false }, requirementType: { $case: 'requires', value: a } }],
    });

  it.each([
    ['prefix', '/Api', { '/api/x': 401, '/apis': 401, '/other': undefined }],
    ['path', '/Api', { '/api': 401, '/api?x=y': 401, '/api/x': undefined }],
    ['pathSeparatedPrefix', '/Api', { '/api': 401, '/API/x': 401, '/apis': undefined }],
  ] as const)('match by %s', async (kind, value, expected) => {
    const run = rule({ $case: kind, value });
    for (const [path, status] of Object.entries(expected)) expect([path, (await run.run({ path })).reply?.status]).toEqual([path, status]);
  });

  it.each(['prefix', 'path', 'pathSeparatedPrefix'] as const)(
    'match by %s in their own case unless they are told otherwise',
    async (kind) => {
      const match = { pathSpecifier: { $case: kind, value: '/Api' } };
      const run = new FilterRun({
        ...requiring(a, ...providers),
        rules: [{ match, requirementType: { $case: 'requires', value: a } }],
      });
      expect([(await run.run({ path: '/Api' })).reply?.status, (await run.run({ path: '/api' })).reply]).toEqual([401, undefined]);
    },
  );

  it('the first that matches holds', async () => {
    const match = { pathSpecifier: { $case: 'prefix', value: '/' } } as const;
    const run = new FilterRun({
      ...requiring(a, ...providers),
      rules: [{ match }, { match, requirementType: { $case: 'requires', value: a } }],
    });
    expect((await run.run({})).reply).toBeUndefined();
  });

  it('may name a requirement; a refusal may be silent', async () => {
    const run = new FilterRun({
      ...requiring(a, ...providers),
      rules: [{ match: { pathSpecifier: { $case: 'prefix', value: '/' } }, requirementType: { $case: 'requirementName', value: 'r' } }],
      requirementMap: { r: a },
      stripFailureResponse: true,
    });
    expect((await run.run({})).reply).toMatchObject({ status: 401, body: '', headers: [] });
  });
});

describe('a route', () => {
  const config = jwtAuthn.decode(
    JwtAuthentication.encode(JwtAuthentication.fromPartial({ ...requiring(missing, ...providers), requirementMap: { r: a } })).finish(),
  );
  const env = {
    clock: { wallTime: () => 0 },
    random: () => 0,
    direction: 'inbound',
    state: (_key: string, create: () => unknown) => create(),
  };
  const answer = async (spec: Parameters<typeof JwtAuthnPerRouteConfig.fromPartial>[0]): Promise<unknown> => {
    const override = jwtAuthn.decodeOverride!(JwtAuthnPerRouteConfig.encode(JwtAuthnPerRouteConfig.fromPartial(spec)).finish());
    const filter = jwtAuthn.create(config, override, env as never);
    return filter === undefined ? 'off' : await filter.onRequest!(new FilterRun(requiring({})).begin({}).x);
  };

  it('may switch the filter off, or name what it requires', async () => {
    expect(await answer({ requirementSpecifier: { $case: 'disabled', value: true } })).toBe('off');
    expect(await answer({ requirementSpecifier: { $case: 'requirementName', value: 'r' } })).toMatchObject({ status: 401, body: MISSING });
    expect(await answer({ requirementSpecifier: { $case: 'requirementName', value: 'x' } })).toMatchObject({
      status: 403,
      body: 'Failed JWT authentication: Wrong requirement_name: x. It should be one of [r]',
    });
  });
});

describe('a configuration that cannot be honoured is refused', () => {
  const config = requiring(a, ...providers);
  const inline = { $case: 'localJwks', value: { specifier: { $case: 'filename', value: '/etc/keys' } } } as const;
  it.each<[string, JwtAuthenticationFields, string]>([
    ['a provider that does not exist', requiring(named('x'), ...providers), "Required provider ['x'] is not configured."],
    [
      'a requirement that does not exist',
      { ...config, rules: [{ ...config.rules![0], requirementType: { $case: 'requirementName', value: 'x' } }] },
      'not in requirement_map',
    ],
    ['rules by filter state', { ...config, filterStateRules: { name: 'x' } }, 'filter_state_rules'],
    ['subjects', requiring(a, { ...providers[0], subjects: {} }), 'provider origins-0: subjects'],
    ['a required expiration', requiring(a, { ...providers[0], requireExpiration: true }), 'require_expiration'],
    ['no keys', requiring(a, { issuer: 'a' }), 'give local_jwks'],
    ['keys in a file', requiring(a, { issuer: 'a', jwksSourceSpecifier: inline }), 'keys must be inline'],
    [
      'a rule by header',
      { ...config, rules: [{ match: { pathSpecifier: { $case: 'prefix', value: '/' }, headers: [{ name: 'a' }] } }] },
      'only by path',
    ],
    ...(
      [
        ['by a share of requests', { runtimeFraction: {} }],
        ['for gRPC only', { grpc: {} }],
        ['by query', { queryParameters: [{ name: 'a' }] }],
      ] as const
    ).map(([what, more]): [string, JwtAuthenticationFields, string] => [
      `a rule ${what}`,
      { ...config, rules: [{ match: { pathSpecifier: { $case: 'prefix', value: '/' }, ...more } }] } as JwtAuthenticationFields,
      'only by path',
    ]),
    [
      'a rule by regex',
      { ...config, rules: [{ match: { pathSpecifier: { $case: 'safeRegex', value: { regex: '.*' } } } }] },
      'not by safeRegex',
    ],
    ['a rule without a path', { ...config, rules: [{}] }, 'without a path'],
  ])('%s', (_what, fields, reason) => {
    expect(() => new FilterRun(fields)).toThrow(reason);
  });

  it('but one without providers costs nothing', () => {
    expect(jwtAuthn.create(jwtAuthn.decode(new Uint8Array()), undefined, {} as never)).toBeUndefined();
  });
});
