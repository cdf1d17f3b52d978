import { createHash, ECDH } from 'node:crypto';

/** Its hash is an x that lies on the curve, as half of all do; the same one for ever: proxies keep what they have. */
const SENTENCE = 'ripstop: the keys of this issuer are not known yet 2';

/**
 * What stands for keys that are not known: a valid point of P-256 made of the hash of a sentence, so that nobody has its private key.
 * A token fails with it, and a request without one passes. An empty list would not do: Envoy refuses such a listener as a whole
 * (istiod sends a key of its own for that reason).
 */
export const UNKNOWN_KEYS: string = JSON.stringify({
  keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'not-fetched', ...pointOfNobody() }],
});

function pointOfNobody(): { readonly x: string; readonly y: string } {
  const x = createHash('sha256').update(SENTENCE).digest();
  // 02 asks for the even y.
  const point = ECDH.convertKey(Buffer.concat([Buffer.from([2]), x]), 'prime256v1') as Buffer;
  return { x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
}
