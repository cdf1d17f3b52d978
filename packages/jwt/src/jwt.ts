import type { JwtFailure } from './jwt-status.ts';
import { parseStrictObject } from './strict-json.ts';

/** A token taken apart. Nothing in it is to be believed before its signature was verified. */
export interface Jwt {
  /** As the caller sent it. */
  readonly token: string;
  /** The three sections, base64url. */
  readonly sections: readonly [header: string, payload: string, signature: string];
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly algorithm: string;
  /** '' = none: every key is tried. */
  readonly keyId: string;
  readonly issuer: string;
  readonly audiences: readonly string[];
  /** Seconds since the epoch; 0 = not given. */
  readonly notBefore: number;
  /** Seconds since the epoch; undefined = never expires. */
  readonly expires: number | undefined;
}

/** Algorithms that Envoy knows by name. HS… is among them and verifies nothing here: no key is symmetric (see jwks.ts). */
const KNOWN_ALGORITHMS: ReadonlySet<string> = new Set([
  ...['ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'],
]);
const UINT64 = 2 ** 64;

/** Takes a token apart, checking in Envoy's order (source/common/jwt/jwt.cc), so that the same fault is the one named. */
export function parseJwt(token: string): Jwt | JwtFailure {
  const sections = token.split('.').filter((section) => section !== '') as [string, string, string];
  if (sections.length !== 3) return 'badFormat';
  const headerBytes = decodeBase64Url(sections[0]);
  if (headerBytes === undefined) return 'headerBadBase64';
  const header = parseStrictObject(headerBytes);
  if (header === undefined) return 'headerBadJson';
  const { alg: algorithm, kid = '' } = own(header, ['alg', 'kid']);
  if (typeof algorithm !== 'string') return 'badAlg';
  if (!KNOWN_ALGORITHMS.has(algorithm)) return 'unknownAlg';
  if (typeof kid !== 'string') return 'badKid';

  const payloadBytes = decodeBase64Url(sections[1]);
  if (payloadBytes === undefined) return 'payloadBadBase64';
  const payload = parseStrictObject(payloadBytes);
  if (payload === undefined) return 'payloadBadJson';
  const claims = readClaims(payload);
  if (typeof claims === 'string') return claims;
  if (decodeBase64Url(sections[2]) === undefined) return 'signatureBadBase64';
  return { token, sections, header, payload, algorithm, keyId: kid, ...claims };
}

type Claims = Pick<Jwt, 'issuer' | 'audiences' | 'notBefore' | 'expires'>;

function readClaims(payload: Readonly<Record<string, unknown>>): Claims | JwtFailure {
  const { iss = '', sub = '', iat = 0, nbf = 0, exp, jti = '', aud = [] } = own(payload, ['iss', 'sub', 'iat', 'nbf', 'exp', 'jti', 'aud']);
  if (typeof iss !== 'string') return 'issNotString';
  if (typeof sub !== 'string') return 'subNotString';
  if (typeof iat !== 'number') return 'iatNotInteger';
  if (!isUint64(iat)) return 'iatOutOfRange';
  if (typeof nbf !== 'number') return 'nbfNotInteger';
  if (!isUint64(nbf)) return 'nbfOutOfRange';
  if (exp !== undefined && typeof exp !== 'number') return 'expNotInteger';
  if (exp !== undefined && !isUint64(exp)) return 'expOutOfRange';
  if (typeof jti !== 'string') return 'jtiNotString';
  const audiences: unknown = typeof aud === 'string' ? [aud] : aud;
  if (!Array.isArray(audiences) || !audiences.every((audience) => typeof audience === 'string')) return 'audNotString';
  return { issuer: iss, audiences, notBefore: Math.trunc(nbf), expires: exp === undefined ? undefined : Math.trunc(exp) };
}

function isUint64(value: number): boolean {
  return value >= 0 && value < UINT64;
}

/** Own members only: a token has no `toString` claim. */
function own<K extends string>(object: Readonly<Record<string, unknown>>, names: readonly K[]): { readonly [name in K]?: unknown } {
  const found: { [name in K]?: unknown } = {};
  for (const name of names) if (Object.hasOwn(object, name)) found[name] = object[name];
  return found;
}

/** RFC 7515 allows neither padding nor white space; Envoy lets the right number of `=` and any white space pass. */
function decodeBase64Url(text: string): Uint8Array | undefined {
  return /^[A-Za-z0-9_-]*$/.test(text) && text.length % 4 !== 1 ? Buffer.from(text, 'base64url') : undefined;
}
