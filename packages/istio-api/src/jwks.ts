import { createPublicKey, type JsonWebKey, X509Certificate } from 'node:crypto';

/** A public key of a token issuer: only what verification needs, whatever else its entry held. */
export type PublicJwk = Readonly<Record<string, string>>;

/** More are no key set but a mistake, and a token without kid is tried with each of them. */
const MAX_KEYS = 100;
const MEMBERS = ['kty', 'kid', 'alg', 'n', 'e', 'crv', 'x', 'y'] as const;

/** The keys of a JWKS (or of Google's `{kid: certificate}` form) that tokens can be verified with. Throws when there is none, with the reason. */
export function publicKeysOf(text: string): readonly PublicJwk[] {
  const document = parse(text);
  const list = 'keys' in document ? document.keys : certificateKeys(document);
  if (!Array.isArray(list)) throw new Error('"keys" is not a list');
  const entries: readonly unknown[] = list;
  if (entries.length > MAX_KEYS) throw new Error(`${entries.length} keys are more than ${MAX_KEYS}`);
  const keys = entries.flatMap(publicKeys);
  if (keys.length > 0) return keys;
  if (entries.some((entry) => isObject(entry) && entry.kty === 'oct'))
    throw new Error('symmetric keys (kty oct) are not used: whoever can verify a token with one could make it. Give a public key');
  throw new Error('it holds no public key that can be read (RSA, EC on P-256, P-384 or P-521, Ed25519)');
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Error(`it is no JSON (${error instanceof Error ? error.message : error})`);
  }
  if (!isObject(document)) throw new Error('it is no JSON object');
  return document;
}

function publicKeys(entry: unknown): readonly PublicJwk[] {
  if (!isObject(entry) || entry.kty === 'oct') return [];
  const jwk = Object.fromEntries(MEMBERS.flatMap((name) => (typeof entry[name] === 'string' ? [[name, entry[name]]] : [])));
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    // RFC 7518 §3.3 for the length; Envoy takes no other exponents.
    const usable =
      asymmetricKeyType !== 'rsa' ||
      ((asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 && [3n, 65_537n].includes(asymmetricKeyDetails?.publicExponent ?? 0n));
    return usable ? [jwk] : [];
  } catch {
    return []; // one key that cannot be read does not spoil the others (Envoy)
  }
}

function certificateKeys(document: Readonly<Record<string, unknown>>): unknown[] {
  const entries = Object.entries(document);
  if (entries.length === 0 || !entries.every(([, pem]) => typeof pem === 'string' && pem.startsWith('-----BEGIN CERTIFICATE-----')))
    throw new Error('it has no "keys"');
  return entries.map(([kid, pem]) => ({ ...new X509Certificate(String(pem)).publicKey.export({ format: 'jwk' }), kid }));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
