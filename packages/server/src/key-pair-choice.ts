import { X509Certificate } from 'node:crypto';
import type { TlsKeyPair } from '@ripstop/core';
import { splitSubjectAltName } from './peer-certificate.ts';

/**
 * Which of a listener's certificates a client is shown (Envoy: the TLS certificate selector): one whose names take the name that it asks
 * for, else the first; of these one of each kind of key, and the client's abilities decide. Node would take the last of a kind.
 */
export interface KeyPairChoice {
  /** For names that no certificate has. */
  readonly otherwise: readonly TlsKeyPair[];
  /** By DNS name, wildcards first: node:tls asks the last ones first. */
  readonly byName: readonly (readonly [name: string, keyPairs: readonly TlsKeyPair[]])[];
}

export function chooseKeyPairs(keyPairs: readonly TlsKeyPair[]): KeyPairChoice {
  if (keyPairs.length < 2) return { otherwise: keyPairs, byName: [] };
  const read = keyPairs.map((keyPair) => {
    const certificate = new X509Certificate(keyPair.certificateChainPem);
    return { keyPair, type: certificate.publicKey.asymmetricKeyType ?? '', names: splitSubjectAltName(certificate.subjectAltName).dns };
  });
  const firstOfEachType = (of: typeof read): TlsKeyPair[] =>
    of.filter(({ type }, index) => of.findIndex((other) => other.type === type) === index).map(({ keyPair }) => keyPair);
  const names = [...new Set(read.flatMap((entry) => entry.names))];
  const ordered = [...names.filter((name) => name.startsWith('*')), ...names.filter((name) => !name.startsWith('*'))];
  return {
    otherwise: firstOfEachType(read),
    byName: ordered.map((name) => [name, firstOfEachType(read.filter((entry) => entry.names.includes(name)))]),
  };
}
