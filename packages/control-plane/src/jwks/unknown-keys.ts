import { createHash, ECDH } from 'node:crypto';

/** Half of all points lie on the curve. */
const MAX_TRIES = 64;

/**
 * What stands for keys that are not known: a valid point of P-256 made of the hash of a sentence, so that nobody has its private key.
 * A token fails with it, and a request without one passes. An empty list would not do: Envoy refuses such a listener as a whole
 * (istiod sends a key of its own for that reason).
 */
export const UNKNOWN_KEYS: string = JSON.stringify({
  keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'not-fetched', ...pointOfNobody() }],
});

function pointOfNobody(): { readonly x: string; readonly y: string } {
  for (let count = 0; count < MAX_TRIES; count++) {
    const x = createHash('sha256').update(`ripstop: the keys of this issuer are not known yet ${count}`).digest();
    try {
      // Half of all x lie on the curve; 02 asks for the even y.
      const point = ECDH.convertKey(Buffer.concat([Buffer.from([2]), x]), 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
      return { x: point.subarray(1, 33).toString('base64url'), y: point.subarray(33).toString('base64url') };
    } catch {
      // not on the curve: the next one
    }
  }
  throw new Error(`none of ${MAX_TRIES} points is on the curve`);
}
