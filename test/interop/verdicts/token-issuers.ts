import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { Call } from '../../conformance/authorization-policy.ts';
import { ISSUERS, NAMESPACE } from './draw-policies.ts';

/** What is wrong with a token; '' = nothing. */
export type Defect = '' | 'expired' | 'unsigned' | 'unknown issuer' | 'foreign key';
export const DEFECTS: readonly Defect[] = ['', '', '', '', 'expired', 'unsigned', 'unknown issuer', 'foreign key'];

/** Two issuers with a key each, which every workload of the namespace knows. */
export class TokenIssuers {
  private readonly keys = new Map<string, KeyObject>();
  private readonly foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  readonly document: string;

  constructor() {
    const jwtRules = ISSUERS.map((issuer, index) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      this.keys.set(issuer, privateKey);
      const key = { ...publicKey.export({ format: 'jwk' }), kid: `key-${index}`, alg: 'ES256', use: 'sig' };
      return { issuer, jwks: JSON.stringify({ keys: [key] }) };
    });
    this.document = `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: issuers, namespace: ${NAMESPACE} }
spec: ${JSON.stringify({ jwtRules })}
`;
  }

  token({ iss, sub, aud, azp, nested }: NonNullable<Call['claims']>, defect: Defect): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const text = [
      part({ alg: 'ES256', typ: 'JWT', kid: `key-${ISSUERS.indexOf(iss)}` }),
      part({
        iss: defect === 'unknown issuer' ? 'https://nobody.test' : iss,
        ...(sub === '' ? {} : { sub }),
        aud,
        azp,
        nested1: { nested2: nested },
        exp: now + (defect === 'expired' ? -3_600 : 3_600),
      }),
    ].join('.');
    if (defect === 'unsigned') return `${text}.`;
    const key = defect === 'foreign key' ? this.foreign : this.keys.get(iss)!;
    return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  }
}
