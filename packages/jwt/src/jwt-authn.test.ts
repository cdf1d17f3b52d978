import { describe, expect, it } from 'vitest';
import type { FakeHead } from '../../core/src/testing/fakes.ts';
import { FilterRun, istiodConfig, NOW, provider, requiring } from './testing/filter-run.ts';
import { encode, TokenMaker } from './testing/token-maker.ts';

const ISSUER = 'testing@secure.istio.io';
const maker = new TokenMaker();
const other = new TokenMaker('ES256', 'k2');
const claims = { iss: ISSUER, sub: 'anna' };
const one = (more = {}): FilterRun => new FilterRun(istiodConfig(provider(ISSUER, maker.jwks, more)));
const bearer = (token: string): Partial<FakeHead> => ({ lines: [['authorization', `Bearer ${token}`]] });
const unsigned = (header: string, payload: string): string => `${encode(header)}.${encode(payload)}.AA`;
const HEADER = '{"alg":"RS256","kid":"k1"}';

describe('a token', () => {
  it('lets a request pass, leaves it, and its claims are what policies read', async () => {
    const { head, reply, x } = await one().run(bearer(maker.sign({ ...claims, groups: ['a'], scope: 'read write' })));
    expect(reply).toBeUndefined();
    expect(head.header('authorization')).toBeUndefined();
    expect(x.metadata?.get('envoy.filters.http.jwt_authn')).toEqual({
      payload: { ...claims, groups: ['a'], scope: ['read', 'write'] },
    });
  });

  it('has the words of scope and permission told apart, and nothing else', async () => {
    const claim = async (more: object): Promise<unknown> => {
      const { x } = await one().run(bearer(maker.sign({ ...claims, ...more })));
      return x.metadata?.get('envoy.filters.http.jwt_authn')?.payload;
    };
    expect(await claim({ scope: ' a  b ', permission: 'c', roles: 'd e' })).toEqual({
      ...claims,
      scope: ['a', 'b'],
      permission: ['c'],
      roles: 'd e',
    });
    expect(await claim({ scope: ['a b'], permission: 5 })).toEqual({ ...claims, scope: ['a b'], permission: 5 });
    expect(await claim({ scope: '' })).toEqual({ ...claims, scope: '' });
  });

  it('leaves no header behind that nobody asked for', async () => {
    const { head } = await one().run(bearer(maker.sign(claims)));
    expect(head.lines).toEqual([]);
  });

  it.each([
    [[true], true],
    [[false], false],
    [[false, true], true],
    [[true, false], true],
    [[false, false], false],
  ])('has the route chosen again where the provider of one says so: %j', async (clears, chosenAgain) => {
    const places = clears.map((clearRouteCache, index) =>
      provider(`${ISSUER}${index}`, maker.jwks, { clearRouteCache, fromHeaders: [{ name: `x-token-${index}` }] }),
    );
    const lines = clears.map((_clear, index) => [`x-token-${index}`, maker.sign({ ...claims, iss: `${ISSUER}${index}` })] as const);
    const named = clears.map((_clear, index) => ({ requiresType: { $case: 'providerName', value: `origins-${index}` } }) as const);
    const all = { requiresType: { $case: 'requiresAll', value: { requirements: named } } } as const;
    const { x, reply } = await new FilterRun(requiring(all, ...places)).run({ lines });
    expect([reply, x.clearRoute]).toEqual([undefined, chosenAgain]);
  });

  it('leaves the path of the logs alone that another filter has rewritten', async () => {
    const run = one({ fromParams: ['access_token'] });
    const { x, answer } = run.begin({ path: `/new?access_token=${maker.sign(claims)}` });
    x.originalPath = '/old';
    await answer;
    expect(x.originalPath).toBe('/old');
  });

  it('may be missing, and then there is nothing for policies to read', async () => {
    const { reply, x } = await one().run({});
    expect([reply, x.metadata]).toEqual([undefined, undefined]);
  });

  it('is refused as Envoy refuses it', async () => {
    const { reply } = await one().run({ ...bearer('abc'), path: '/a?b=c' });
    expect(reply).toEqual({
      status: 401,
      flags: 0,
      details: 'jwt_authn_access_denied{Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections}',
      body: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections',
      headers: [['www-authenticate', 'Bearer realm="http://web.test/a?b=c", error="invalid_token"']],
      grpcStatus: undefined,
    });
  });

  it('is told to be missing, without an error, where a rule demands one', async () => {
    const demanding = new FilterRun(
      requiring({ requiresType: { $case: 'providerName', value: 'origins-0' } }, provider(ISSUER, maker.jwks)),
    );
    const { reply } = await demanding.run({ path: `/${'p'.repeat(300)}` });
    expect(reply).toMatchObject({ status: 401, body: 'Jwt is missing', details: 'jwt_authn_access_denied{Jwt_is_missing}' });
    expect(reply?.headers).toEqual([['www-authenticate', `Bearer realm="http://web.test/${'p'.repeat(255)}"`]]);
  });

  it.each([
    ['one section', 'abc', 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'],
    ['five sections (encrypted)', 'a.b.c.d.e', 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'],
    ['alg none without signature', unsigned('{"alg":"none"}', '{}').replace(/AA$/, ''), 'Jwt is not in the form of'],
    ['a header that is no base64url', `a*.${encode('{}')}.AA`, 'Jwt header is an invalid Base64url encoded'],
    ['a header that is no JSON', unsigned('x', '{}'), 'Jwt header is an invalid JSON'],
    ['a header that is a list', unsigned('[]', '{}'), 'Jwt header is an invalid JSON'],
    ['a header with one name twice', unsigned('{"alg":"RS256","alg":"none"}', '{}'), 'Jwt header is an invalid JSON'],
    ['no alg', unsigned('{}', '{}'), 'Jwt header [alg] field is required and must be a string'],
    ['a header of null', unsigned('null', '{}'), 'Jwt header [alg] field is required and must be a string'],
    ['alg of another type', unsigned('{"alg":1}', '{}'), 'Jwt header [alg] field is required and must be a string'],
    ['alg none', unsigned('{"alg":"none"}', '{}'), 'Jwt header [alg] is not supported'],
    ['alg None', unsigned('{"alg":"None"}', '{}'), 'Jwt header [alg] is not supported'],
    ['kid of another type', unsigned('{"alg":"RS256","kid":1}', '{}'), 'Jwt header [kid] field is not a string'],
    ['a payload that is no base64url', `${encode(HEADER)}.a*.AA`, 'Jwt payload is an invalid Base64url encoded'],
    ['a payload that is a list', unsigned(HEADER, '[]'), 'Jwt payload is an invalid JSON'],
    ['a payload that is a number', unsigned(HEADER, '5'), 'Jwt payload is an invalid JSON'],
    ['a payload that is text', unsigned(HEADER, '"{}"'), 'Jwt payload is an invalid JSON'],
    ['a payload with one name twice', unsigned(HEADER, '{"iss":"a","b":{"c":1,"c":2}}'), 'Jwt payload is an invalid JSON'],
    ['a lone surrogate', unsigned(HEADER, '{"a":"\\ud800"}'), 'Jwt payload is an invalid JSON'],
    ['a number beyond a double', unsigned(HEADER, '{"a":1e400}'), 'Jwt payload is an invalid JSON'],
    ['101 levels', unsigned(HEADER, `{"a":${'['.repeat(100)}${']'.repeat(100)}}`), 'Jwt payload is an invalid JSON'],
    ['iss of another type', unsigned(HEADER, '{"iss":1}'), 'Jwt payload [iss] field is not a string'],
    ['sub of another type', unsigned(HEADER, '{"sub":1}'), 'Jwt payload [sub] field is not a string'],
    ['iat of another type', unsigned(HEADER, '{"iat":"1"}'), 'Jwt payload [iat] field is not an integer'],
    ['iat below zero', unsigned(HEADER, '{"iat":-1}'), 'Jwt payload [iat] field is not a positive 64 bit integer'],
    ['nbf of another type', unsigned(HEADER, '{"nbf":"1"}'), 'Jwt payload [nbf] field is not an integer'],
    ['nbf out of range', unsigned(HEADER, '{"nbf":1e30}'), 'Jwt payload [nbf] field is not a positive 64 bit integer'],
    ['exp of null', unsigned(HEADER, '{"exp":null}'), 'Jwt payload [exp] field is not an integer'],
    ['exp below zero', unsigned(HEADER, '{"exp":-1}'), 'Jwt payload [exp] field is not a positive 64 bit integer'],
    ['jti of another type', unsigned(HEADER, '{"jti":1}'), 'Jwt payload [jti] field is not a string'],
    ['aud of another type', unsigned(HEADER, '{"aud":[1]}'), 'Jwt payload [aud] field is not a string or string list'],
    ['aud that is an object', unsigned(HEADER, '{"aud":{}}'), 'Jwt payload [aud] field is not a string or string list'],
    ['a signature that is no base64url', `${encode(HEADER)}.${encode('{}')}.A`, 'Jwt signature is an invalid Base64url encoded'],
    ['padding', `${maker.sign(claims)}=`, 'Jwt signature is an invalid Base64url encoded'],
    ['text behind', `${maker.sign(claims)} x`, 'Jwt signature is an invalid Base64url encoded'],
    ['a comma behind', `${maker.sign(claims)},`, 'Jwt signature is an invalid Base64url encoded'],
    ['no issuer', unsigned(HEADER, '{}'), 'Jwt issuer is not configured'],
    ['another issuer', maker.sign({ ...claims, iss: 'x' }), 'Jwt issuer is not configured'],
    ['an issuer that is only the beginning', maker.sign({ ...claims, iss: ISSUER.slice(0, -1) }), 'Jwt issuer is not configured'],
    ['a kid that no key has', maker.sign(claims, { kid: 'k9' }), "Jwks doesn't have key to match kid or alg from Jwt"],
    ['a kid that is a path', maker.sign(claims, { kid: '../../dev/null' }), "Jwks doesn't have key to match kid or alg from Jwt"],
    [
      'a signature of other content',
      maker.sign(claims).replace(/\.[^.]+\./, `.${encode('{"iss":"testing@secure.istio.io","sub":"eve"}')}.`),
      'Jwt verification fails',
    ],
    ['another signer with that kid', new TokenMaker('RS256', 'k1').sign(claims), 'Jwt verification fails'],
    ['another signer whose key comes along', new TokenMaker('RS256', 'k1').sign(claims, { jwk: maker.jwk }), 'Jwt verification fails'],
    ['the public key as a secret', maker.signWithPublicKey(claims), 'Jwt verification fails'],
    ['an algorithm of another key type', maker.sign(claims, { alg: 'ES256' }), 'Jwt verification fails'],
    ['an extension that must be understood', maker.sign(claims, { crit: ['x'] }), 'Jwt verification fails'],
    ['an extension that libraries understand', maker.sign(claims, { crit: ['b64'], b64: true }), 'Jwt verification fails'],
    ['crit that names nothing', maker.sign(claims, { crit: [] }), 'Jwt verification fails'],
    ['exp of 0', maker.sign({ ...claims, exp: 0 }), 'Jwt is expired'],
  ])('is refused with %s', async (_what, token, text) => {
    expect(await one().bearer(token)).toContain(`401 ${text}`);
  });

  it.each([
    ['without exp', {}],
    ['with exp as a fraction', { exp: NOW + 0.5 }],
    ['that expired within the clock skew', { exp: NOW - 60 }],
    ['that begins within the clock skew', { nbf: NOW + 60 }],
    ['without sub', { sub: undefined }],
    ['with 100 levels', { a: JSON.parse('['.repeat(99) + ']'.repeat(99)) as unknown }],
    ['with colons and braces in its text', { a: '{":"}', 'b:"': ':{' }],
    ['with a claim of the name of Object’s', { toString: 1, constructor: 'c' }],
  ])('is accepted %s', async (_what, more) => {
    expect(await one().bearer(maker.sign({ ...claims, ...more }))).toBe('ok');
  });

  it.each([
    ['expired more than the clock skew ago', { exp: NOW - 61 }, 'Jwt is expired'],
    ['begins later than the clock skew allows', { nbf: NOW + 61 }, 'Jwt not yet valid'],
  ])('is refused when it %s, however often', async (_what, more, text) => {
    const run = one();
    const token = maker.sign({ ...claims, ...more });
    expect([await run.bearer(token), await run.bearer(token)]).toEqual([`401 ${text}`, `401 ${text}`]);
  });

  it('of 20 KiB is accepted', async () => {
    expect(await one().bearer(maker.sign({ ...claims, a: 'x'.repeat(20_000) }))).toBe('ok');
  });
});

describe('audiences', () => {
  const run = one({ audiences: ['aud-1', 'https://example.com/'] });
  it.each([
    ['aud-1', 'ok'],
    [['x', 'aud-1'], 'ok'],
    ['example.com', 'ok'],
    ['http://example.com', 'ok'],
    ['aud-2', '403 Audiences in Jwt are not allowed'],
    [[], '403 Audiences in Jwt are not allowed'],
    [undefined, '403 Audiences in Jwt are not allowed'],
  ])('%j: %s', async (aud, expected) => {
    expect(await run.bearer(maker.sign({ ...claims, aud }))).toBe(expected);
  });

  it('a refusal says invalid_token, with 403', async () => {
    const { reply } = await run.run(bearer(maker.sign(claims)));
    expect(reply).toMatchObject({ status: 403, details: 'jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}' });
    expect(reply?.headers[0]?.[1]).toContain('error="invalid_token"');
  });
});

describe('places of tokens', () => {
  const good = maker.sign(claims);
  const twoPlaces = one({ fromHeaders: [{ name: 'x-raw' }], fromParams: ['tok'] });
  const anywhere = one({
    fromHeaders: [{ name: 'X-Token', valuePrefix: 'Token ' }, { name: 'x-raw' }],
    fromParams: ['tok'],
    fromCookies: ['session'],
  });

  it.each<[string, FilterRun, Partial<FakeHead>, string]>([
    ['Bearer with two spaces', one(), { lines: [['authorization', `Bearer  ${good}`]] }, 'ok'],
    ['Bearer behind something', one(), { lines: [['authorization', `foo Bearer ${good}`]] }, 'ok'],
    ['Bearer alone is no token', one(), { lines: [['authorization', 'Bearer']] }, 'ok'],
    ['bearer is no token', one(), { lines: [['authorization', 'bearer abc']] }, 'ok'],
    ['Basic is no token', one(), { lines: [['authorization', 'Basic YTpi']] }, 'ok'],
    [
      'two lines are one value',
      one(),
      {
        lines: [
          ['authorization', `Bearer ${good}`],
          ['authorization', `Bearer ${good}`],
        ],
      },
      'Jwt is not in the form',
    ],
    ['the query', one(), { path: `/?access_token=${good}` }, 'ok'],
    ['the query, escaped', one(), { path: `/?access%5Ftoken=${good.replace('.', '%2E')}` }, 'ok'],
    ['an empty parameter', one(), { path: '/?access_token=' }, 'Jwt is not in the form'],
    ['a bad one in the query beside a good header', one(), { ...bearer(good), path: '/?access_token=bad' }, 'Jwt is not in the form'],
    ['a bad header beside a good one in the query', one(), { ...bearer('bad'), path: `/?access_token=${good}` }, 'Jwt is not in the form'],
    ['a header with a prefix', anywhere, { lines: [['x-token', `Token ${good}`]] }, 'ok'],
    ['a header without one', anywhere, { lines: [['x-raw', good]] }, 'ok'],
    ['a scheme where no prefix is', anywhere, { lines: [['x-raw', `Bearer ${good}`]] }, 'Jwt header is an invalid Base64url'],
    ['an empty header', anywhere, { lines: [['x-raw', '']] }, 'Jwt is not in the form'],
    ['a parameter', anywhere, { path: `/?tok=${good}` }, 'ok'],
    ['a cookie', anywhere, { lines: [['cookie', `a=b; session=${good}; c=d`]] }, 'ok'],
    ['a cookie in quotes', anywhere, { lines: [['cookie', `session="${good}"`]] }, 'ok'],
    [
      'a cookie in its own line',
      anywhere,
      {
        lines: [
          ['cookie', 'a=b'],
          ['cookie', `session=${good}`],
        ],
      },
      'ok',
    ],
    [
      'the second of two cookies does not count',
      anywhere,
      { lines: [['cookie', `session=bad; session=${good}`]] },
      'Jwt is not in the form',
    ],
    ['the usual place is none beside one header and one parameter', twoPlaces, bearer('bad'), 'ok'],
    ['the usual place is none when others are named', anywhere, bearer('bad'), 'ok'],
  ])('%s', async (_what, run, head, expected) => {
    const { reply } = await run.run(head);
    expect(reply?.body ?? 'ok').toContain(expected);
  });

  it.each([
    [`/x?a=1&access_token=${good}&b=2`, '/x?a=1&b=2'],
    [`/x?access_token=${good}`, '/x'],
    [`/x?z=%26&access_token=${good}&a&access_token=second`, '/x?z=%26&a'],
  ])('the parameter is taken out of the path, the rest stays as it is', async (path, expected) => {
    const { head } = await one().run({ path });
    expect(head.path).toBe(expected);
  });

  it('a token in the query is in no log, whether it was accepted or refused', async () => {
    const accepted = await one().run({ path: `/x?access_token=${good}&a=b` });
    expect([accepted.x.originalPath, accepted.head.path]).toEqual(['/x?a=b', '/x?a=b']);
    const refused = await one({ audiences: ['x'] }).run({ path: `/x?a=b&access_token=${good}` });
    expect([refused.x.originalPath, refused.head.path]).toEqual(Array(2).fill('/x?a=b&access_token=[redacted]'));
    expect(refused.reply?.headers[0]?.[1]).toContain(good.slice(0, 100));
  });

  it('the cookie stays', async () => {
    const { head } = await anywhere.run({ lines: [['cookie', `session=${good}`]] });
    expect(head.header('cookie')).toContain(good);
  });

  it('a forwarded token stays where it was', async () => {
    const { head } = await one({ forward: true }).run({ ...bearer(good), path: `/?access_token=${good}` });
    expect([head.header('authorization'), head.path]).toEqual([`Bearer ${good}`, `/?access_token=${good}`]);
  });
});

describe('several issuers', () => {
  const run = new FilterRun(
    istiodConfig(provider('a', maker.jwks), provider('b', other.jwks), provider('c', maker.jwks, { fromHeaders: [{ name: 'x-c' }] })),
  );
  const a = maker.sign({ iss: 'a', sub: 's' });
  const b = other.sign({ iss: 'b', sub: 's' });
  const c = maker.sign({ iss: 'c', sub: 's' });

  it.each<[string, Partial<FakeHead>, string]>([
    ['the first', bearer(a), 'ok'],
    ['the second, in the same place', bearer(b), 'ok'],
    ['the third, in its own', { lines: [['x-c', c]] }, 'ok'],
    ['none', {}, 'ok'],
    ['an unknown one', bearer(maker.sign({ iss: 'd' })), 'Jwt issuer is not configured'],
    ['one that signs for another', bearer(maker.sign({ iss: 'b' })), "Jwks doesn't have key to match kid or alg from Jwt"],
    ['a token in the wrong place', { lines: [['x-c', a]] }, 'Jwt issuer is not configured'],
    [
      'a bad token in a place that another reads, beside a good one',
      {
        lines: [
          ['authorization', `Bearer ${a}`],
          ['x-c', 'bad'],
        ],
      },
      'ok',
    ],
    ['only a bad one there', { lines: [['x-c', 'bad']] }, 'Jwt is not in the form'],
  ])('%s', async (_what, head, expected) => {
    const { reply } = await run.run(head);
    expect(reply?.body ?? 'ok').toContain(expected);
  });
});

describe('claims in headers', () => {
  const run = one({
    claimToHeaders: [
      { headerName: 'X-A', claimName: 'a' },
      { headerName: 'x-ab', claimName: 'a.b' },
    ],
    forwardPayloadHeader: 'X-Payload',
  });

  it.each([
    ['text', 'ä', Buffer.from('ä').toString('latin1')],
    ['a whole number', 5, '5'],
    ['a big one', 9_007_199_254_740_992, '9007199254740992'],
    ['one beyond 64 bits', 1e20, '100000000000000000000.000000'],
    ['one beyond what text usually shows', 1e21, '1000000000000000000000.000000'],
    ['below zero', -5, '-5.000000'],
    ['a fraction', 1.5, '1.500000'],
    ['true', true, 'true'],
    ['false', false, 'false'],
    ['a list', ['b', 'a'], 'WyJiIiwiYSJd'],
    ['an object', {}, 'e30='],
    ['null', null, undefined],
    ['empty text', '', undefined],
    ['nothing', undefined, undefined],
    ['text with a TAB', 'a\tb', 'a\tb'],
  ])('%s', async (_what, a, expected) => {
    const { head } = await run.run(bearer(maker.sign({ ...claims, a })));
    expect(head.header('x-a')).toBe(expected);
  });

  it('go down by dots, and only through objects of the token', async () => {
    const nested = await run.run(bearer(maker.sign({ ...claims, a: { b: 'n' } })));
    const literal = await run.run(bearer(maker.sign({ ...claims, 'a.b': 'n' })));
    expect([nested.head.header('x-ab'), literal.head.header('x-ab')]).toEqual(['n', undefined]);
  });

  it('are refused when they cannot be one', async () => {
    const { reply, head } = await run.run(bearer(maker.sign({ ...claims, a: 'x\nx-admin: 1' })));
    expect(reply).toMatchObject({
      status: 503,
      flags: 0x40000,
      details: 'filter_removed_required_request_headers{invalid_header_value_for:_x-a}',
      body: 'invalid header value for: x-a',
      headers: [],
    });
    expect(head.header('x-a')).toBeUndefined();
  });

  it('of a caller are dropped, with a token and without, also with a preflight', async () => {
    const spoofed = [['x-a', 'spoof'] as const, ['x-payload', 'spoof'] as const];
    const preflight = {
      method: 'OPTIONS',
      lines: [...spoofed, ['origin', 'o'] as const, ['access-control-request-method', 'GET'] as const],
    };
    for (const head of [{ lines: spoofed }, { lines: [...spoofed, ...bearer(maker.sign(claims)).lines!] }, preflight]) {
      const { head: seen } = await run.run(head);
      expect([seen.header('x-a'), seen.header('x-payload')]).not.toContain('spoof');
    }
  });

  it('the payload goes on as it came', async () => {
    const token = maker.sign(claims);
    const padded = one({ forwardPayloadHeader: 'x-payload', padForwardPayloadHeader: true });
    const [plain, long] = [await run.run(bearer(token)), await padded.run(bearer(token))];
    expect(plain.head.header('x-payload')).toBe(token.split('.')[1]);
    expect(Buffer.from(long.head.header('x-payload')!, 'base64').toString()).toBe(JSON.stringify(claims));
    expect(long.head.header('x-payload')!.length % 4).toBe(0);
  });

  it('of two tokens come from the one that gives the principal', async () => {
    const token = (sub: string): string => maker.sign({ ...claims, sub, a: sub });
    const { head, x } = await run.run({ ...bearer(token('header')), path: `/?access_token=${token('query')}` });
    expect(head.headerLines('x-a')).toEqual(['header']);
    expect(x.metadata?.get('envoy.filters.http.jwt_authn')).toMatchObject({ payload: { sub: 'header' } });
  });
});

describe('preflights', () => {
  const expired = bearer(maker.sign({ ...claims, exp: 1 })).lines!;
  const origin = ['origin', 'https://a'] as const;
  it.each<[string, Partial<FakeHead>, number | undefined]>([
    ['pass with a bad token', { method: 'OPTIONS', lines: [...expired, origin, ['access-control-request-method', 'GET']] }, undefined],
    ['need an origin', { method: 'OPTIONS', lines: [...expired, ['access-control-request-method', 'GET']] }, 401],
    ['need a method', { method: 'OPTIONS', lines: [...expired, origin, ['access-control-request-method', '']] }, 401],
    ['are OPTIONS', { lines: [...expired, origin, ['access-control-request-method', 'GET']] }, 401],
  ])('%s', async (_what, head, status) => {
    const { reply } = await one().run(head);
    expect(reply?.status).toBe(status);
  });
});

describe('a token that was verified', () => {
  it('is accepted at once the next time, also after a push that keeps the keys', async () => {
    const run = one();
    const token = maker.sign(claims);
    expect(run.begin(bearer(token)).answer).toBeInstanceOf(Promise);
    expect(await run.bearer(token)).toBe('ok');
    expect(run.begin(bearer(token)).answer).toBeUndefined();
    run.configure(istiodConfig(provider(ISSUER, maker.jwks, { forward: true })));
    const { answer, x } = run.begin(bearer(token));
    expect([answer, x.metadata?.size]).toEqual([undefined, 1]);
  });

  it('is verified again with other keys, and refused when they are not its signer’s', async () => {
    const run = one();
    const token = maker.sign(claims);
    await run.bearer(token);
    run.configure(istiodConfig(provider(ISSUER, new TokenMaker().jwks)));
    expect(await run.bearer(token)).toBe('401 Jwt verification fails');
  });

  it('expires all the same', async () => {
    const run = one();
    const token = maker.sign({ ...claims, exp: NOW + 10 });
    await run.bearer(token);
    run.nowMs += 71_000;
    expect(await run.bearer(token)).toBe('401 Jwt is expired');
  });

  it('is judged by the rule in force: another audience, another issuer', async () => {
    const run = one();
    const token = maker.sign({ ...claims, aud: 'a' });
    await run.bearer(token);
    run.configure(istiodConfig(provider(ISSUER, maker.jwks, { audiences: ['b'] })));
    expect(await run.bearer(token)).toBe('403 Audiences in Jwt are not allowed');
    run.configure(istiodConfig(provider('x', maker.jwks)));
    expect(await run.bearer(token)).toBe('401 Jwt issuer is not configured');
  });

  it('and one that failed is not taken for one', async () => {
    const run = one();
    const token = new TokenMaker().sign(claims);
    expect([await run.bearer(token), await run.bearer(token)]).toEqual(Array(2).fill('401 Jwt verification fails'));
  });

  it('many requests with a new token share one verification', async () => {
    const run = one();
    const token = maker.sign(claims);
    const answers = await Promise.all(Array.from({ length: 20 }, () => run.begin(bearer(token)).answer));
    expect(answers).toEqual(Array(20).fill(undefined));
  });
});
