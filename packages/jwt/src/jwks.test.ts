import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseJwks } from './jwks.ts';
import { FilterRun, istiodConfig, provider } from './testing/filter-run.ts';
import { TokenMaker } from './testing/token-maker.ts';

const claims = { iss: 'i', sub: 's' };
/** Of a key that was thrown away. */
/** Self-signed, until 2126: of P-256, and of RSA with 1024 bits. */
const CURVE_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBbzCCARWgAwIBAgIUKzXlTEJd5EY3frPtjkmoU0gQJLkwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBYTAgFw0yNjExMjcwMjA0NTNaGA8yMTI2MTEwMzAyMDQ1M1ow
DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHjv7fWuWbox
hPZkm/Xi+sz585RkYFPXMlzgqA4UD+WDNDYUjLnXJpNwJ5Q+HFW8pa4V7d2YH/et
Iq+W1NDTAYajUzBRMB0GA1UdDgQWBBQx3PE/W3oIwqSqnczSTIDKlJNDdDAfBgNV
HSMEGDAWgBQx3PE/W3oIwqSqnczSTIDKlJNDdDAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0gAMEUCIEpZDUMuiiftQYGfVxQgatSMhJhJbfUDahNvhKUohEAj
AiEA0CMz1jx3yHO2gCk7b/q1RV9T1ishBl4qM99Qq3gtGw4=
-----END CERTIFICATE-----`;
const SHORT_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIB9jCCAV+gAwIBAgIUHLF5W+N4pZ7rlg2DZyIr7Y0m+OcwDQYJKoZIhvcNAQEL
BQAwDDEKMAgGA1UEAwwBYTAgFw0yNjExMjcwMjA0NTNaGA8yMTI2MTEwMzAyMDQ1
M1owDDEKMAgGA1UEAwwBYTCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkCgYEAxyzd
NT1x61L6mHwNYvF650MhMqCr408BViyqYm6j27CYaBquXK91nakNaEHPgYOzbefa
3w4oSUU1pxStGttrUA+/OUhxIY6ekA+pef2diHko09KX8wljYephy8vbbEhN/sAh
BVHR4A1DNZeOGzmfEjh96GpzXFTN/FiolArflIkCAwEAAaNTMFEwHQYDVR0OBBYE
FFjCXSkPe68p3iIVaMJT8l6h3L5fMB8GA1UdIwQYMBaAFFjCXSkPe68p3iIVaMJT
8l6h3L5fMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYEALg6kMtQj
hVgQYCi4Xkb9/DAyuOE1obgoOKJnYlxCnudbXkHp4b0qzHjRipMqfOPB3QsX+V3I
xTVz71weC04uohDsPsO+G1AeT5oJV2hZw4nnecAbtkfnmmRNrcK1ZNK2aSkF7tKs
nwN2uByvnyPlOZe0pkhnuXKE38hnbJpTZFc=
-----END CERTIFICATE-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIDBTCCAe2gAwIBAgIUeLJG1RiRCen/WqHp/gLT7DjDxBYwDQYJKoZIhvcNAQEL
BQAwETEPMA0GA1UEAwwGaXNzdWVyMCAXDTI2MTEyNjEzMjE1OFoYDzIxMjYxMTAy
MTMyMTU4WjARMQ8wDQYDVQQDDAZpc3N1ZXIwggEiMA0GCSqGSIb3DQEBAQUAA4IB
DwAwggEKAoIBAQCEcH9cL4ezaU0FmhyMJZ6r5XGD8RQY+wtWuQ/AMfGfRQeD5ENQ
5f50kO/eYKRKdbYFCBhigiXvoBW3ZSrPxa9U0VWzteDxO0dJKFOFSKAJNIEQEXp6
NEGIjciJ4Rdi/KHCgF1ZKVI7dFGJ4gI+JsLXqvfr4xZVI39pNihkjGZdvCEvkkqb
EM+Y3NbGiw2f7PyalJBLQXunF2g0vIWR06Cu3h/0vIcLIp3MuAnCW/rYU/8j1czh
QlZgPZZ8Xbe8Z9L8dVQ5KJwTMzVDMWuCTkiohYAHF5JKoiJdAWrhRxy49mmwOdBR
wdGEET70UQx/iyJPLnmuM3+291yMc/d1kbkTAgMBAAGjUzBRMB0GA1UdDgQWBBRu
NF3CWkT57hiQDiDQjfFqhSQ59TAfBgNVHSMEGDAWgBRuNF3CWkT57hiQDiDQjfFq
hSQ59TAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA4IBAQAMrpd9puLW
ykHoqGcerX2PE0EUz0kmFUk0CWwHRCvXvt6nS8vRqpv1U0oOF+0AAumgC+7wGW33
/EUddpxvEdqxivau2bui7Ge8pDXGNI040ZjLQ+nsABhLErj85046wU+rlMGB1vYA
zlOPBnmD9yzA+0NIJDKZGBbkhw3RNF8Wv9DWa3nFJd2PdKiU7AEdtPDRx0u25+2M
J4nJzhhkbaRo+dzIHYyIBCR9PsvNXdk8xk02nUakeqzjV7pq9qm7/ORHxLjgzEHX
AY0s1RsS9zvZw/VzT7e8UPwDJ1mubs3cnXYlbzHGTQ2CW7tvamlQP3Yjs5v0v6hs
+dm5Bd/7Lpno
-----END CERTIFICATE-----
`;
const accepts = (keys: readonly object[]): FilterRun => new FilterRun(istiodConfig(provider('i', JSON.stringify({ keys }))));

describe('keys', () => {
  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'])('verify %s', async (algorithm) => {
    const maker = new TokenMaker(algorithm);
    expect(await accepts([maker.jwk]).bearer(maker.sign(claims))).toBe('ok');
    expect(await accepts([{ ...maker.jwk, alg: algorithm }]).bearer(maker.sign(claims))).toBe('ok');
    expect(await accepts([maker.jwk]).bearer(new TokenMaker(algorithm).sign(claims))).toBe('401 Jwt verification fails');
  });

  const maker = new TokenMaker();
  const stranger = new TokenMaker('RS256', 'k1');
  const { kid: _kid, ...anonymous } = maker.jwk;
  it.each([
    ['a token without kid tries them all', [stranger.jwk, maker.jwk], maker.sign(claims, { kid: undefined }), 'ok'],
    ['two of one kid are both tried', [stranger.jwk, maker.jwk], maker.sign(claims), 'ok'],
    ['one without kid fits every token', [anonymous], maker.sign(claims, { kid: 'x' }), 'ok'],
    [
      'an alg of its own must be the token’s',
      [{ ...maker.jwk, alg: 'RS384' }],
      maker.sign(claims),
      "401 Jwks doesn't have key to match kid or alg from Jwt",
    ],
    [
      'a wrong kid is passed over',
      [{ ...maker.jwk, kid: 'x' }],
      maker.sign(claims),
      "401 Jwks doesn't have key to match kid or alg from Jwt",
    ],
    [
      'a broken one beside it does no harm',
      [{ kty: 'RSA', n: '!', e: 'AQAB' }, { kty: 'x' }, 5, null, maker.jwk],
      maker.sign(claims),
      'ok',
    ],
    [
      'a symmetric one verifies nothing',
      [{ kty: 'oct', k: 'c2VjcmV0', kid: 'k1' }],
      maker.sign(claims, { alg: 'HS256' }),
      '401 Jwt verification fails',
    ],
  ])('%s', async (_what, keys, token, expected) => {
    expect(await accepts(keys as object[]).bearer(token)).toBe(expected);
  });

  it('of an elliptic curve may leave the curve to their alg, and that to its default', () => {
    const { crv: _crv, ...key } = new TokenMaker('ES256').jwk;
    const { crv: _longer, ...longer } = new TokenMaker('ES384').jwk;
    const algorithms = (jwk: object): string[] => [...(parseJwks(JSON.stringify({ keys: [jwk] })).keys[0]?.algorithms ?? [])];
    expect([algorithms(key), algorithms({ ...key, alg: 'ES256' }), algorithms({ ...longer, alg: 'ES384' })]).toEqual([
      ['ES256'],
      ['ES256'],
      ['ES384'],
    ]);
    expect(() => algorithms(longer)).toThrow('any valid public key');
  });

  it('may be certificates by kid', () => {
    const [key] = parseJwks(JSON.stringify({ a: CERTIFICATE })).keys;
    expect([key?.keyId, key?.algorithm, key?.algorithms.has('RS256'), key?.algorithms.has('ES256')]).toEqual(['a', '', true, false]);
  });

  it('of certificates verify nothing when they are of a curve, or of RSA under 2048 bits', () => {
    const { keys } = parseJwks(JSON.stringify({ curve: CURVE_CERTIFICATE, short: SHORT_CERTIFICATE }));
    expect(keys.map(({ keyId, algorithms }) => [keyId, algorithms.size])).toEqual([
      ['curve', 0],
      ['short', 0],
    ]);
  });

  it('of RSA under 2048 bits verify nothing', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    expect(parseJwks(JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] })).keys[0]?.algorithms.size).toBe(0);
  });

  it('a signature of Ed25519 with another length is told only where a key of that kind may have made it', async () => {
    const edwards = new TokenMaker('EdDSA');
    const short = edwards.sign(claims).slice(0, -8);
    expect(await accepts([maker.jwk]).bearer(short)).toBe('401 Jwt verification fails');
    expect(await accepts([maker.jwk, edwards.jwk]).bearer(short)).toBe('401 Jwt ED25519 signature is wrong length');
    expect(await accepts([edwards.jwk, maker.jwk]).bearer(maker.sign(claims))).toBe('ok');
  });

  it('a signature of Ed25519 with another length is told', async () => {
    const edwards = new TokenMaker('EdDSA');
    expect(await accepts([edwards.jwk]).bearer(edwards.sign(claims).slice(0, -8))).toBe('401 Jwt ED25519 signature is wrong length');
  });
});

describe('a JWKS', () => {
  const curve = new TokenMaker('ES256');
  it.each([
    ['no JSON', 'x', 'Jwks is an invalid JSON'],
    ['certificates of which one is none', JSON.stringify({ a: CERTIFICATE, b: 1 }), 'Jwks does not have [keys] field'],
    ['no keys', '{}', 'Jwks does not have [keys] field'],
    ['keys of another type', '{"keys":{}}', '[keys] in Jwks is not an array'],
    ['an empty list', '{"keys":[]}', "Jwks doesn't have any valid public key"],
    ['an exponent of 1', JSON.stringify({ keys: [{ ...new TokenMaker().jwk, e: 'AQ' }] }), "Jwks doesn't have any valid public key"],
    ['alg of another kind of key', JSON.stringify({ keys: [{ ...curve.jwk, alg: 'RS256' }] }), "Jwks doesn't have any valid public key"],
    ['alg of another curve', JSON.stringify({ keys: [{ ...curve.jwk, alg: 'ES384' }] }), "Jwks doesn't have any valid public key"],
    [
      'a point that is not on the curve',
      JSON.stringify({ keys: [{ ...curve.jwk, x: curve.jwk.y }] }),
      "Jwks doesn't have any valid public key",
    ],
  ])('is refused with its listener, as by Envoy: %s', (_what, jwks, reason) => {
    expect(() => new FilterRun(istiodConfig(provider('i', jwks)))).toThrow(
      `Provider 'origins-0' in jwt_authn config has invalid local jwks: ${reason}`,
    );
  });

  it('that the data plane would have to fetch is not fetched: its tokens are refused, others pass', async () => {
    const run = new FilterRun(
      istiodConfig({ issuer: 'i', jwksSourceSpecifier: { $case: 'remoteJwks', value: { httpUri: { uri: 'http://127.0.0.1:1/' } } } }),
    );
    expect(await run.bearer(curve.sign(claims))).toBe('401 Jwks remote fetch is failed');
    expect((await run.run({})).reply).toBeUndefined();
  });
});
