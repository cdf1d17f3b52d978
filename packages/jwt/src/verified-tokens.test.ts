import { describe, expect, it } from 'vitest';
import { parseJwks } from './jwks.ts';
import { type Jwt, parseJwt } from './jwt.ts';
import { TokenMaker } from './testing/token-maker.ts';
import { VerifiedTokens, VerifiedTokensByKeys } from './verified-tokens.ts';

const maker = new TokenMaker();
const keys = parseJwks(maker.jwks);
const NOW = 1_800_000_000;
const jwtOf = (payload: object, from = maker): Jwt => parseJwt(from.sign(payload)) as Jwt;

/** A token of so many characters; three of its text are four of its encoding. */
function ofLength(length: number): Jwt {
  for (let pad = 0; ; pad++) {
    const jwt = jwtOf({ iss: 'i', pad: 'x'.repeat(pad) });
    if (jwt.token.length >= length) return jwt;
  }
}

describe('tokens that were verified', () => {
  it('are known from then on; those that were refused are not', async () => {
    const tokens = new VerifiedTokens(keys);
    const [good, bad] = [jwtOf({ iss: 'i' }), jwtOf({ iss: 'i' }, new TokenMaker())];
    expect(tokens.get(good.token, NOW)).toBeUndefined();
    expect([await tokens.verify(good), await tokens.verify(bad)]).toEqual(['ok', 'signatureWrong']);
    expect([tokens.get(good.token, NOW), tokens.get(bad.token, NOW)]).toEqual([good, undefined]);
  });

  it('are verified once for all who ask meanwhile, and again for who asks later', async () => {
    const tokens = new VerifiedTokens(keys);
    const jwt = jwtOf({ iss: 'i' });
    const first = tokens.verify(jwt);
    expect(tokens.verify(jwt)).toBe(first);
    await first;
    expect(tokens.verify(jwt)).not.toBe(first);
  });

  it('are forgotten a minute after they have expired; those without an end are not', async () => {
    const tokens = new VerifiedTokens(keys);
    const [ends, endless] = [jwtOf({ iss: 'i', exp: NOW }), jwtOf({ iss: 'i' })];
    for (const jwt of [ends, endless]) await tokens.verify(jwt);
    expect([tokens.get(ends.token, NOW + 60), tokens.get(endless.token, NOW + 61)]).toEqual([ends, endless]);
    expect([tokens.get(ends.token, NOW + 61), tokens.get(ends.token, NOW)]).toEqual([undefined, undefined]);
  });

  it('are not kept when they are longer than Envoy keeps them', async () => {
    const tokens = new VerifiedTokens(keys);
    const base = ofLength(4093);
    const [kept, long] = [base.token.length > 4096 ? ofLength(4090) : base, ofLength(4097)];
    for (const jwt of [kept, long]) expect(await tokens.verify(jwt)).toBe('ok');
    expect(kept.token.length).toBeLessThanOrEqual(4096);
    expect([tokens.get(kept.token, NOW), tokens.get(long.token, NOW)]).toEqual([kept, undefined]);
  });

  it('are those of their keys: others begin with none', async () => {
    const byKeys = new VerifiedTokensByKeys();
    const jwt = jwtOf({ iss: 'i' });
    await byKeys.of(keys).verify(jwt);
    const other = parseJwks(new TokenMaker('ES256').jwks);
    expect([byKeys.of(keys).get(jwt.token, NOW), byKeys.of(other).get(jwt.token, NOW)]).toEqual([jwt, undefined]);
  });
});
