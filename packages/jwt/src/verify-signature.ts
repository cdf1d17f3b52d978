import { compactVerify } from 'jose';
import type { KeySet, VerificationKey } from './jwks.ts';
import type { Jwt } from './jwt.ts';
import type { JwtStatus } from './jwt-status.ts';

const ED25519_SIGNATURE_BYTES = 64;

/**
 * Verifies a token with the keys of its issuer: keys with another kid or alg are passed over, the rest are tried in order
 * (Envoy: source/common/jwt/verify.cc). Keys inside of the token (jwk, jku, x5u) are never looked at.
 */
export async function verifySignature(jwt: Jwt, { keys }: KeySet): Promise<JwtStatus> {
  // An extension that must be understood, and none is (RFC 7515 §4.1.11).
  if (Object.hasOwn(jwt.header, 'crit')) return 'signatureWrong';
  const candidates = keys.filter((key) => mayVerify(jwt, key));
  if (candidates.length === 0) return 'noMatchingKey';
  if (jwt.algorithm === 'EdDSA' && candidates.some(({ algorithms }) => algorithms.has('EdDSA')) && !hasEd25519Length(jwt))
    return 'ed25519Length';
  for (const { key, algorithms } of candidates) {
    if (algorithms.has(jwt.algorithm) && (await verifies(jwt, key))) return 'ok';
  }
  return 'signatureWrong';
}

function mayVerify({ keyId, algorithm }: Jwt, key: VerificationKey): boolean {
  return (keyId === '' || key.keyId === '' || key.keyId === keyId) && (key.algorithm === '' || key.algorithm === algorithm);
}

function hasEd25519Length({ sections }: Jwt): boolean {
  return Buffer.from(sections[2], 'base64url').length === ED25519_SIGNATURE_BYTES;
}

async function verifies({ sections, algorithm }: Jwt, key: VerificationKey['key']): Promise<boolean> {
  try {
    await compactVerify(sections.join('.'), key, { algorithms: [algorithm] });
    return true;
  } catch {
    return false; // whatever jose has against it, the token is not verified
  }
}
