import { type KeyObject, sign } from 'node:crypto';
import { KUBE_ISSUER } from './kube-cluster.ts';

export interface TokenClaims {
  readonly account: string;
  readonly uid: string;
  readonly audience?: string;
  readonly issuer?: string;
  /** Seconds from now; negative: over. */
  readonly expiresIn: number;
}

/** A service account token as the API server makes them, with claims that it would not give. */
export function signedToken(key: KeyObject, { account, uid, audience = 'istio-ca', issuer = KUBE_ISSUER, expiresIn }: TokenClaims): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'RS256' })}.${part({
    iss: issuer,
    aud: [audience],
    sub: `system:serviceaccount:default:${account}`,
    iat: now - 3_600,
    nbf: now - 3_600,
    exp: now + expiresIn,
    'kubernetes.io': { namespace: 'default', serviceaccount: { name: account, uid } },
  })}`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}
