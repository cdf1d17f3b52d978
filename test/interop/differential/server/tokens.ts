import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Draw } from '../draw.ts';

const PUBLIC_KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};
/** RFC 7515, A.3. */
const KEY: KeyObject = createPrivateKey({ format: 'jwk', key: { ...PUBLIC_KEY, d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' } });

export const JWKS: string = JSON.stringify({ keys: [{ ...PUBLIC_KEY, kid: 'k1', alg: 'ES256' }] });
export const ISSUERS = ['https://one.test', 'https://two.test'] as const;
export const AUDIENCES = ['shop', 'https://shop.test/'] as const;
export const CLAIMS = ['sub', 'groups', 'a.b', 'n', 'none'] as const;

/** Mostly a good one. */
export function drawToken(draw: Draw): string {
  if (draw.chance(0.05)) return draw.one(['', 'a.b', 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.', 'nonsense']);
  const claims = {
    iss: draw.chance(0.9) ? draw.one(ISSUERS) : 'somebody else',
    sub: draw.one(['me', 'you']),
    ...draw.maybe(0.85, () => ({ aud: draw.one(['shop', ['other', 'shop'], 'https://shop.test', 'other']) })),
    exp: draw.chance(0.9) ? 4_102_444_800 : 1_000_000_000,
    ...draw.maybe(0.1, () => ({ nbf: 4_000_000_000 })),
    groups: draw.one(['admin', ['admin', 'all'], []]),
    a: { b: draw.one(['c', 'd']) },
    n: draw.one([1, 2.5, true]),
  };
  const token = signed(claims, draw.one(['k1', 'k1', 'k1', 'k1', 'k9', undefined]));
  return draw.chance(0.93) ? token : token.replace(/\.[^.]{8}([^.]*)$/, '.AAAAAAAA$1');
}

function signed(claims: object, kid: string | undefined): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', kid, typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: KEY, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
