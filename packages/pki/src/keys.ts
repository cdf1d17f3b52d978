import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** A P-256 key pair. It lives in memory; `privateKeyPem` is for the TLS stack, which wants text. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function createKeyPair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
}

export function privateKeyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string;
}

export function readPrivateKey(pem: string): KeyObject {
  return createPrivateKey(pem);
}

/** SubjectPublicKeyInfo in DER. */
export function publicKeyDer(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}
