import { createHmac, generateKeyPairSync, type KeyObject, type SignKeyObjectInput, sign } from 'node:crypto';

type Header = Readonly<Record<string, unknown>>;

/** An issuer's key pair that signs whatever a test wants. */
export class TokenMaker {
  readonly keyId: string;
  readonly jwk: Readonly<Record<string, unknown>>;
  readonly algorithm: string;
  private readonly privateKey: KeyObject;

  constructor(algorithm = 'RS256', keyId = 'k1') {
    this.algorithm = algorithm;
    this.keyId = keyId;
    const pair = keyPair(algorithm);
    this.privateKey = pair.privateKey;
    this.jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: keyId };
  }

  get jwks(): string {
    return JSON.stringify({ keys: [this.jwk] });
  }

  sign(payload: object, header: Header = {}): string {
    return this.signText(JSON.stringify(payload), { alg: this.algorithm, kid: this.keyId, ...header });
  }

  /** For payloads that JSON.stringify does not write. */
  signText(payload: string | Uint8Array, header: Header = { alg: this.algorithm, kid: this.keyId }): string {
    const data = `${encode(JSON.stringify(header))}.${encode(payload)}`;
    return `${data}.${sign(hash(this.algorithm), Buffer.from(data), this.signingKey()).toString('base64url')}`;
  }

  /** HS256 with the public key's text as secret: the classic confusion. */
  signWithPublicKey(payload: object): string {
    const data = `${encode(JSON.stringify({ alg: 'HS256', kid: this.keyId }))}.${encode(JSON.stringify(payload))}`;
    return `${data}.${createHmac('sha256', JSON.stringify(this.jwk)).update(data).digest('base64url')}`;
  }

  private signingKey(): SignKeyObjectInput {
    const { privateKey: key, algorithm } = this;
    if (algorithm.startsWith('PS')) return { key, padding: 6, saltLength: -1 } as SignKeyObjectInput;
    return { key, dsaEncoding: 'ieee-p1363' };
  }
}

export function encode(text: string | Uint8Array): string {
  return Buffer.from(text as string).toString('base64url');
}

function hash(algorithm: string): string | null {
  return algorithm === 'EdDSA' ? null : `sha${algorithm.slice(2)}`;
}

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function keyPair(algorithm: string): Pair {
  if (algorithm === 'EdDSA') return generateKeyPairSync('ed25519');
  const curve = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' }[algorithm];
  return curve === undefined ? nextRsa() : generateKeyPairSync('ec', { namedCurve: curve });
}

/** RSA keys in turn: making one takes longer than any test. No test has as many makers at once. */
const RSA_PAIRS: Pair[] = [];
const MAX_RSA_PAIRS = 12;
let taken = 0;

function nextRsa(): Pair {
  const at = taken++ % MAX_RSA_PAIRS;
  RSA_PAIRS[at] ??= generateKeyPairSync('rsa', { modulusLength: 2048 });
  return RSA_PAIRS[at];
}
