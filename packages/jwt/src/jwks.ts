import { createHash, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { parseStrictObject } from './strict-json.ts';

/** One key of an issuer. */
export interface VerificationKey {
  /** '' matches any token's kid. */
  readonly keyId: string;
  /** '' = every algorithm of the key's type. */
  readonly algorithm: string;
  readonly key: KeyObject;
  /** Algorithms that the key can verify; none for keys that are never used (symmetric, or RSA under 2048 bits). */
  readonly algorithms: ReadonlySet<string>;
}

/** The keys of one issuer. */
export interface KeySet {
  /** SHA-256 of the text: the generation that verified tokens belong to. */
  readonly digest: string;
  readonly keys: readonly VerificationKey[];
}

type Jwk = Readonly<Record<string, unknown>>;

const NO_ALGORITHMS: ReadonlySet<string> = new Set();
const RSA_ALGORITHMS: ReadonlySet<string> = new Set(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']);
const EDDSA: ReadonlySet<string> = new Set(['EdDSA']);
const CURVE_ALGORITHM: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' };
/** RFC 7518 §3.3. */
const MIN_RSA_BITS = 2048;

/**
 * Reads a JWKS, or Google's `{kid: certificate}` form. Keys that are broken or of unknown kind are left out; throws with Envoy's words
 * when none is left.
 */
export function parseJwks(text: string): KeySet {
  const document = parseStrictObject(Buffer.from(text));
  if (document === undefined) throw new Error('Jwks is an invalid JSON');
  const keys = Object.hasOwn(document, 'keys') ? keysOf(document.keys) : certificatesOf(document);
  if (keys.length === 0) throw new Error("Jwks doesn't have any valid public key");
  return { digest: createHash('sha256').update(text).digest('base64url'), keys };
}

function keysOf(list: unknown): VerificationKey[] {
  if (!Array.isArray(list)) throw new Error('[keys] in Jwks is not an array');
  return list.flatMap((entry: unknown) => (typeof entry === 'object' && entry !== null ? (keyOf(entry as Jwk) ?? []) : []));
}

function keyOf(jwk: Jwk): VerificationKey | undefined {
  const text = (name: string): string => (typeof jwk[name] === 'string' ? jwk[name] : '');
  const common = { keyId: text('kid'), algorithm: text('alg') };
  switch (jwk.kty) {
    case 'RSA':
      return common.algorithm === '' || /^[RP]S/.test(common.algorithm) ? rsaKey(jwk, common) : undefined;
    case 'EC': {
      const curve = text('crv') || curveOf(common.algorithm);
      const fits = CURVE_ALGORITHM[curve];
      if (fits === undefined || (common.algorithm !== '' && common.algorithm !== fits)) return undefined;
      return withKey({ ...jwk, crv: curve }, common, new Set([fits]));
    }
    case 'OKP':
      if (jwk.crv !== 'Ed25519' || (common.algorithm !== '' && common.algorithm !== 'EdDSA')) return undefined;
      return withKey(jwk, common, EDDSA);
    case 'oct':
      // Who can verify with it could sign with it, and xDS is not a place for secrets: it matches a kid and verifies nothing.
      return { ...common, key: UNUSED_KEY, algorithms: NO_ALGORITHMS };
    default:
      return undefined;
  }
}

const UNUSED_KEY: KeyObject = createPublicKey({
  key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32, 1).toString('base64url') },
  format: 'jwk',
});

function curveOf(algorithm: string): string {
  return Object.entries(CURVE_ALGORITHM).find(([, name]) => name === algorithm)?.[0] ?? 'P-256';
}

function rsaKey(jwk: Jwk, common: Pick<VerificationKey, 'keyId' | 'algorithm'>): VerificationKey | undefined {
  const key = withKey(jwk, common, RSA_ALGORITHMS);
  if (key === undefined) return undefined;
  const { publicExponent } = key.key.asymmetricKeyDetails!;
  if (publicExponent !== 3n && publicExponent !== 65_537n) return undefined;
  return isLong(key.key) ? key : { ...key, algorithms: NO_ALGORITHMS };
}

function isLong(rsa: KeyObject): boolean {
  return rsa.asymmetricKeyDetails!.modulusLength! >= MIN_RSA_BITS;
}

function withKey(
  jwk: Jwk,
  common: Pick<VerificationKey, 'keyId' | 'algorithm'>,
  algorithms: ReadonlySet<string>,
): VerificationKey | undefined {
  const { kty, n, e, crv, x, y } = jwk;
  try {
    // Only the public members: what else an entry holds (x5u, d, …) is none of our business.
    const key = createPublicKey({ key: { kty, n, e, crv, x, y } as Record<string, string>, format: 'jwk' });
    return { ...common, key, algorithms };
  } catch {
    return undefined; // Envoy leaves out keys that it cannot read
  }
}

function certificatesOf(document: Jwk): VerificationKey[] {
  const entries = Object.entries(document);
  if (entries.length === 0 || !entries.every(([, pem]) => typeof pem === 'string' && pem.startsWith('-----BEGIN CERTIFICATE-----')))
    throw new Error('Jwks does not have [keys] field');
  return entries.map(([keyId, pem]) => {
    const key = new X509Certificate(String(pem)).publicKey;
    return { keyId, algorithm: '', key, algorithms: key.asymmetricKeyType === 'rsa' && isLong(key) ? RSA_ALGORITHMS : NO_ALGORITHMS };
  });
}
