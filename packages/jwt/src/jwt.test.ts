import { DecisionRecord } from '@ripstop/core';
import { describe, expect, it } from 'vitest';
import type { FakeHead } from '../../core/src/testing/fakes.ts';
import { claimAt, claimText, isHeaderValue } from './claim-header.ts';
import { parseJwks } from './jwks.ts';
import { parseJwt } from './jwt.ts';
import { bareAudience, judgeClaims, type Provider } from './provider.ts';
import { parseStrictObject } from './strict-json.ts';
import { FilterRun, istiodConfig, NOW, provider, requiring } from './testing/filter-run.ts';
import { encode, TokenMaker } from './testing/token-maker.ts';
import { VerifiedTokens, VerifiedTokensByKeys } from './verified-tokens.ts';

const token = (payload: object | string, header: object = { alg: 'RS256', kid: 'k' }): string =>
  [JSON.stringify(header), typeof payload === 'string' ? payload : JSON.stringify(payload), 's'.repeat(6)]
    .map((text) => encode(text))
    .join('.');

describe('a token that is taken apart', () => {
  it('gives what it says', () => {
    const text = token({ iss: 'i', aud: ['a', 'b'], nbf: 5.9, exp: 7.9, x: 1 });
    expect(parseJwt(text)).toEqual({
      token: text,
      sections: text.split('.'),
      header: { alg: 'RS256', kid: 'k' },
      payload: { iss: 'i', aud: ['a', 'b'], nbf: 5.9, exp: 7.9, x: 1 },
      algorithm: 'RS256',
      keyId: 'k',
      issuer: 'i',
      audiences: ['a', 'b'],
      notBefore: 5,
      expires: 7,
    });
    expect(parseJwt(token({}, { alg: 'RS256' }))).toMatchObject({ keyId: '', issuer: '', audiences: [], notBefore: 0, expires: undefined });
    expect(parseJwt(token({ aud: 'one' }))).toMatchObject({ audiences: ['one'] });
  });

  const KNOWN = ['ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'];
  it.each(KNOWN)('may be signed with %s', (alg) => {
    expect(parseJwt(token({}, { alg }))).toMatchObject({ algorithm: alg });
  });

  it.each(['', 'none', 'rs256', 'RS1', 'EdDSA '])('may not be signed with %j', (alg) => {
    expect(parseJwt(token({}, { alg }))).toBe('unknownAlg');
  });

  it.each(['iat', 'nbf', 'exp'] as const)('has a time of 64 bits in %s', (name) => {
    for (const good of [0, 1.5, 2 ** 63]) expect(parseJwt(token({ [name]: good })), String(good)).toBeTypeOf('object');
    for (const bad of [-1, -0.1, 2 ** 64]) expect(parseJwt(token({ [name]: bad })), String(bad)).toBe(`${name}OutOfRange`);
    for (const bad of ['1', null, true]) expect(parseJwt(token({ [name]: bad })), String(bad)).toBe(`${name}NotInteger`);
  });

  it('has three sections; empty ones do not count (Envoy)', () => {
    const [header, payload, signature] = token({}).split('.');
    expect(parseJwt(`.${header}..${payload}.${signature}.`)).toBeTypeOf('object');
    for (const text of ['', '..', `${header}.${payload}`, `${header}..${payload}`, `${token({})}.x`])
      expect(parseJwt(text), text).toBe('badFormat');
  });

  it.each([
    ['header', 0, 'headerBadBase64'],
    ['payload', 1, 'payloadBadBase64'],
    ['signature', 2, 'signatureBadBase64'],
  ] as const)('has a %s in base64url, without padding, white space or a rest of six bits', (_what, at, failure) => {
    for (const change of [
      (text: string) => `${text}=`,
      (text: string) => ` ${text}`,
      (text: string) => `${text}\n`,
      (text: string) => `+${text}`,
      () => 'AAAAA',
    ]) {
      const sections = token({}).split('.');
      sections[at] = change(sections[at]!);
      expect(parseJwt(sections.join('.'))).toBe(failure);
    }
  });
});

describe('an object of JSON', () => {
  const parse = (text: string | Uint8Array): unknown => parseStrictObject(Buffer.from(text as string));

  it.each(['{}', '{"a":{"b":[1,{"c":"\\\\\\"}{:"}]},"b:":":"}', '{"a":[[],{}],"b":null,"c":1e308}', ' {"a" : 1} '])('is %s', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '{"a":1,"a":1}',
    '{"a":{"b":1,"b":2}}',
    '[{}]',
    '"x"',
    'x',
    '',
    '{"a":1e309}',
    '{"a":[-1e309]}',
    '{"a":"\\ud800"}',
    '{"\\udc00":1}',
  ])('is not %s', (text) => {
    expect(parse(text)).toBeUndefined();
  });

  it('is UTF-8, a hundred levels at most, and nothing where it is null', () => {
    expect(parse(Buffer.from('{"a":"ä"}', 'latin1'))).toBeUndefined();
    expect(parse('\ufeff{}')).toBeUndefined();
    const levels = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect([parse(levels(100)) === undefined, parse(levels(101)) === undefined]).toEqual([false, true]);
    const objects = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    expect([parse(objects(100)) === undefined, parse(objects(101)) === undefined]).toEqual([false, true]);
    expect(parse('null')).toEqual({});
    const many = `{${Array.from({ length: 150 }, (_, at) => `"${at}":[{}]`).join()}}`;
    expect(parse(many)).toBeDefined(); // Side by side is not deep.
  });
});

describe('claims', () => {
  it.each<[path: readonly string[], value: unknown]>([
    [['a'], { b: [1], c: null }],
    [['a', 'b'], [1]],
    [['a', 'c'], null],
    [['a', 'b', '0'], undefined],
    [['a', 'b', 'length'], undefined],
    [['a', 'c', 'x'], undefined],
    [['t', 'length'], undefined],
    [['toString'], undefined],
    [['x'], undefined],
    [[], { a: { b: [1], c: null }, t: 'text' }],
  ])('at %j: %j', (path, value) => {
    expect(claimAt({ a: { b: [1], c: null }, t: 'text' }, path)).toEqual(value);
  });

  it.each<[value: unknown, text: string]>([
    ['  a b\t', 'a b'],
    ['€', '\xe2\x82\xac'],
    [0, '0'],
    [2 ** 63, '9223372036854775808'],
    [2 ** 64, '18446744073709551616.000000'],
    [-1, '-1.000000'],
    [-1e21, '-1000000000000000000000.000000'],
    [1e21 + 2 ** 20, '1000000000000001048576.000000'],
    [0.1, '0.100000'],
    [true, 'true'],
    [false, 'false'],
    [null, ''],
    [undefined, ''],
    [['ä'], Buffer.from('["ä"]').toString('base64')],
    [{ a: 1 }, Buffer.from('{"a":1}').toString('base64')],
  ])('%j in a header is %j', (value, text) => {
    expect(claimText(value)).toBe(text);
  });

  it('with control characters are no header, but for a TAB', () => {
    expect([0, 8, 10, 13, 31, 127].filter((code) => isHeaderValue(`a${String.fromCharCode(code)}b`))).toEqual([]);
    expect([9, 32, 126, 128, 255].filter((code) => !isHeaderValue(`a${String.fromCharCode(code)}b`))).toEqual([]);
  });
});

describe('what needs no key', () => {
  const judge = (payload: object, more: Partial<Provider> = {}, audiences?: readonly string[]): string => {
    const jwt = parseJwt(token(payload));
    if (typeof jwt === 'string') throw new Error(jwt);
    const base = { issuer: 'i', audiences: new Set<string>(), clockSkewSeconds: 60 } as unknown as Provider;
    return judgeClaims(jwt, { ...base, ...more }, audiences === undefined ? undefined : new Set(audiences), NOW);
  };

  it.each<[payload: object, more: Partial<Provider>, audiences: readonly string[] | undefined, wanted: string]>([
    [{ iss: 'i' }, {}, undefined, 'ok'],
    [{ iss: 'j' }, {}, undefined, 'unknownIssuer'],
    [{}, {}, undefined, 'unknownIssuer'],
    [{ iss: 'j' }, { issuer: '' }, undefined, 'ok'],
    [{ iss: 'i', nbf: NOW + 60 }, {}, undefined, 'ok'],
    [{ iss: 'i', nbf: NOW + 61 }, {}, undefined, 'notYetValid'],
    [{ iss: 'i', exp: NOW - 60 }, {}, undefined, 'ok'],
    [{ iss: 'i', exp: NOW - 61 }, {}, undefined, 'expired'],
    [{ iss: 'i', exp: NOW - 61 }, { clockSkewSeconds: 61 }, undefined, 'ok'],
    [{ iss: 'i', exp: 0 }, {}, undefined, 'expired'],
    [{ iss: 'i', aud: ['x', 'a'] }, { audiences: new Set(['a']) }, undefined, 'ok'],
    [{ iss: 'i', aud: 'x' }, { audiences: new Set(['a']) }, undefined, 'audienceNotAllowed'],
    [{ iss: 'i', aud: 'a' }, { audiences: new Set(['a']) }, ['b'], 'audienceNotAllowed'],
    [{ iss: 'i', aud: 'https://b/' }, { audiences: new Set(['a']) }, ['b'], 'ok'],
  ])('%j for %j, audiences %j: %s', (payload, more, audiences, wanted) => {
    expect(judge(payload, more, audiences)).toBe(wanted);
  });

  it.each([
    ['https://a/b/', 'a/b'],
    ['http://a', 'a'],
    ['a/', 'a'],
    ['a//', 'a/'],
    ['ftp://a', 'ftp://a'],
    ['xhttps://a', 'xhttps://a'],
    ['a/b', 'a/b'],
  ])('the audience %s is %s', (audience, bare) => {
    expect(bareAudience(audience)).toBe(bare);
  });
});

describe('keys of other kinds', () => {
  const parse = (...keys: object[]): readonly (readonly [string, string, string])[] =>
    parseJwks(JSON.stringify({ keys })).keys.map(({ keyId, algorithm, algorithms }) => [keyId, algorithm, [...algorithms].join()]);
  const edwards = new TokenMaker('EdDSA', 'ed').jwk;
  const rsa = new TokenMaker('RS256', 'rsa').jwk;
  const NONE = "Jwks doesn't have any valid public key";

  it('are read by type, curve and alg', () => {
    expect(parse(edwards, { ...edwards, alg: 'EdDSA' })).toEqual([
      ['ed', '', 'EdDSA'],
      ['ed', 'EdDSA', 'EdDSA'],
    ]);
    expect(parse({ ...rsa, alg: 'PS384' })).toEqual([['rsa', 'PS384', 'RS256,RS384,RS512,PS256,PS384,PS512']]);
    expect(parse({ kty: 'oct', kid: 1, alg: 'HS256' })).toEqual([['', 'HS256', '']]);
  });

  it.each<[what: string, key: object]>([
    ['Ed448', { ...edwards, crv: 'Ed448' }],
    ['an alg that is not for it', { ...edwards, alg: 'ES256' }],
    ['RSA for ES256', { ...rsa, alg: 'ES256' }],
    ['RSA for an alg that only holds its letters', { ...rsa, alg: 'xRS256' }],
    ['text', 'key' as unknown as object],
    ['a function of numbers', 5 as unknown as object],
  ])('%s is left out', (_what, key) => {
    expect(() => parse(key)).toThrow(NONE);
    expect(parse(key, rsa)).toHaveLength(1);
  });

  it('a list of texts that are no certificates is none', () => {
    for (const text of ['x', 'x-----BEGIN CERTIFICATE-----'])
      expect(() => parseJwks(JSON.stringify({ a: text }))).toThrow('does not have [keys]');
  });

  it('have the digest of their text for a generation', () => {
    const text = JSON.stringify({ keys: [rsa] });
    expect(parseJwks(text).digest).toBe(parseJwks(text).digest);
    expect(parseJwks(`${text} `).digest).not.toBe(parseJwks(text).digest);
  });
});

describe('verified tokens', () => {
  const maker = new TokenMaker('ES256');
  const keys = parseJwks(maker.jwks);
  const jwtOf = (payload: object) => {
    const jwt = parseJwt(maker.sign(payload));
    if (typeof jwt === 'string') throw new Error(jwt);
    return jwt;
  };

  it('are kept until a minute after they have expired', async () => {
    const cache = new VerifiedTokens(keys);
    const jwt = jwtOf({ exp: 1000 });
    expect(cache.get(jwt.token, 0)).toBeUndefined();
    expect(await cache.verify(jwt)).toBe('ok');
    expect([cache.get(jwt.token, 1060), cache.get(jwt.token, 1061), cache.get(jwt.token, 1000)]).toEqual([jwt, undefined, undefined]);
    const forever = jwtOf({});
    await cache.verify(forever);
    expect(cache.get(forever.token, 1e12)).toBe(forever);
  });

  it('are a thousand at most, and those used last stay; of 4 KiB at most', async () => {
    const cache = new VerifiedTokens(keys);
    const jwts = Array.from({ length: 1000 }, (_, at) => jwtOf({ at }));
    for (const jwt of jwts) await cache.verify(jwt);
    expect(cache.get(jwts[0]!.token, 0)).toBeDefined();
    await cache.verify(jwtOf({ at: 'more' }));
    expect(
      [cache.get(jwts[0]!.token, 0), cache.get(jwts[1]!.token, 0), cache.get(jwts[2]!.token, 0)].map((jwt) => jwt !== undefined),
    ).toEqual([true, false, true]);
    const size = (length: number) => {
      const jwt = jwtOf({ x: 'y'.repeat(length) });
      return { jwt, length: jwt.token.length };
    };
    const sized = Array.from({ length: 8 }, (_, at) => size(2950 + at));
    for (const { jwt } of sized) await cache.verify(jwt);
    expect(sized.map(({ jwt }) => cache.get(jwt.token, 0) !== undefined)).toEqual(sized.map(({ length }) => length <= 4096));
  });

  it('are kept for 32 generations of keys, those used last', () => {
    const byKeys = new VerifiedTokensByKeys();
    const generation = (digest: string) => byKeys.of({ digest, keys: [] });
    const [first, second] = [generation('0'), generation('1')];
    for (let at = 2; at < 32; at++) generation(String(at));
    expect(generation('0')).toBe(first);
    generation('new');
    expect([generation('0') === first, generation('1') === second]).toEqual([true, false]);
  });
});

describe('a filter', () => {
  const maker = new TokenMaker();
  const bad: Partial<FakeHead> = {
    lines: [
      ['authorization', 'Bearer x'],
      ['origin', 'o'],
      ['access-control-request-method', 'GET'],
    ],
  };

  it('judges preflights unless it is told not to', async () => {
    const config = istiodConfig(provider('i', maker.jwks));
    const preflight = { ...bad, method: 'OPTIONS' };
    expect((await new FilterRun(config).run(preflight)).reply).toBeUndefined();
    expect((await new FilterRun({ ...config, bypassCorsPreflight: false }).run(preflight)).reply?.status).toBe(401);
  });

  it('says in a record what it decided', async () => {
    const run = new FilterRun(istiodConfig(provider('i', maker.jwks)));
    const said = async (head: Partial<FakeHead>): Promise<readonly string[]> => {
      const { x, answer } = run.begin(head);
      x.decision = new DecisionRecord();
      await answer;
      return x.decision.decisions.map(({ text }) => text);
    };
    const good = maker.sign({ iss: 'i' });
    expect(await said({ lines: [['authorization', `Bearer ${good}`]] })).toEqual(['jwt 1 accepted']);
  });

  it('reads keys as bytes, metadata only where it is asked for, and refuses a limit of lifetimes', async () => {
    const source = { $case: 'localJwks', value: { specifier: { $case: 'inlineBytes', value: Buffer.from(maker.jwks) } } } as const;
    const quiet = provider('i', maker.jwks, { jwksSourceSpecifier: source, payloadInMetadata: '', headerInMetadata: '' });
    const { x, reply } = await new FilterRun(istiodConfig(quiet)).run({ lines: [['authorization', `Bearer ${maker.sign({ iss: 'i' })}`]] });
    expect([reply, x.metadata]).toEqual([undefined, undefined]);
    const limited = provider('i', maker.jwks, { maxLifetime: { seconds: 1, nanos: 0 } as never });
    expect(() => new FilterRun(istiodConfig(limited))).toThrow('maxLifetime is not supported');
    expect(() => new FilterRun({ ...requiring({}, quiet), rules: [{ match: {} }] })).toThrow('a rule without a path');
  });

  it('pads a payload that is passed on only as far as needed', async () => {
    const run = new FilterRun(istiodConfig(provider('i', maker.jwks, { forwardPayloadHeader: 'x-p', padForwardPayloadHeader: true })));
    for (const sub of ['', 'a', 'ab', 'abc']) {
      const { head } = await run.run({ lines: [['authorization', `Bearer ${maker.sign({ iss: 'i', sub })}`]] });
      expect(head.header('x-p')).toBe(Buffer.from(JSON.stringify({ iss: 'i', sub })).toString('base64'));
    }
  });
});
