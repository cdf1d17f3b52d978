import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Document } from '../istiod/mesh/document.ts';
import type { Random } from '../istiod/mesh/random.ts';

type Json = Record<string, unknown>;

interface TokenRule {
  readonly issuer: string;
  readonly audiences?: readonly string[];
  readonly fromHeaders?: readonly { readonly name: string; readonly prefix?: string }[];
}

/** A token by one of the mesh's rules: mostly a good one, where the rule wants it. */
export function drawToken(random: Random, documents: readonly Document[]): Record<string, string> {
  const rules = documents
    .filter(({ kind }) => kind === 'RequestAuthentication')
    .flatMap(({ spec }) => ((spec as Json).jwtRules ?? []) as TokenRule[]);
  if (rules.length === 0 || random.chance(0.3)) return {};
  const { issuer, audiences = ['shop'], fromHeaders } = random.pick(rules);
  const claims = {
    iss: random.chance(0.85) ? issuer : 'somebody else',
    sub: random.pick(['sub', 'me']),
    aud: random.chance(0.85) ? random.pick([audiences[0], [...audiences]]) : 'other',
    azp: random.pick(['me', 'you']),
    exp: random.chance(0.9) ? 4_102_444_800 : 1_000_000_000,
    groups: random.pick(['admin', ['admin', 'all'], []]),
    a: { b: random.pick(['c', 'd']) },
  };
  const token = random.chance(0.9) ? signed(claims) : signed(claims).replace(/\.[^.]{8}([^.]*)$/, '.AAAAAAAA$1');
  const place = random.chance(0.8) ? fromHeaders?.[0] : undefined;
  return place === undefined ? { authorization: `Bearer ${token}` } : { [place.name]: `${place.prefix ?? ''}${token}` };
}

/** The private half of the key that drawn rules name: RFC 7515, A.3. */
const KEY: KeyObject = createPrivateKey({
  format: 'jwk',
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
    d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
  },
});

function signed(claims: Json): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', kid: 'k1', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: KEY, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
