import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { DownstreamTls, TlsKeyPair, TlsSecrets } from '@ripstop/core';
import { type DataSource, Secret } from '@ripstop/xds-api';

/** What an SDS resource was decoded to. */
export type SecretValue = SecretKeyPair | { readonly kind: 'trust'; readonly trustBundlePem: string; readonly revokedPem: string };

/** The key is private to the object: whatever prints, compares or serializes a snapshot does not see it. */
class SecretKeyPair implements TlsKeyPair {
  readonly kind = 'keyPair';
  readonly certificateChainPem: string;
  readonly #privateKeyPem: string;

  constructor(certificateChainPem: string, privateKeyPem: string) {
    this.certificateChainPem = certificateChainPem;
    this.#privateKeyPem = privateKeyPem;
  }

  get privateKeyPem(): string {
    return this.#privateKeyPem;
  }
}

/** Throws with a reason that holds nothing of the content. */
export function decodeSecret(body: Uint8Array): SecretValue {
  const { type } = Secret.decode(body);
  switch (type?.$case) {
    case 'tlsCertificate': {
      const certificateChain = textOf(type.value.certificateChain);
      const privateKey = textOf(type.value.privateKey);
      checkPair(certificateChain, privateKey);
      return new SecretKeyPair(certificateChain, privateKey);
    }
    case 'validationContext': {
      const trustBundlePem = textOf(type.value.trustedCa);
      if (!isCertificate(trustBundlePem)) throw new Error('the bundle of callers holds no certificate in PEM');
      return { kind: 'trust', trustBundlePem, revokedPem: textOf(type.value.crl) };
    }
    default:
      throw new Error(`a secret of kind ${type?.$case ?? 'nothing'} is not supported`);
  }
}

function textOf(source: DataSource | undefined): string {
  const specifier = source?.specifier;
  if (specifier === undefined) return '';
  if (specifier.$case === 'inlineBytes') return Buffer.from(specifier.value).toString();
  if (specifier.$case === 'inlineString') return specifier.value;
  throw new Error(`a secret by ${specifier.$case} is not supported`);
}

function checkPair(certificateChain: string, privateKey: string): void {
  if (!isCertificate(certificateChain)) throw new Error('it holds no certificate in PEM');
  let belongs: boolean;
  try {
    belongs = new X509Certificate(certificateChain).checkPrivateKey(createPrivateKey(privateKey));
  } catch {
    // What node:crypto says may quote the text: it is left out.
    throw new Error('its private key is not PEM');
  }
  if (!belongs) throw new Error('its private key belongs to another certificate');
}

function isCertificate(pem: string): boolean {
  try {
    new X509Certificate(pem);
    return true;
  } catch {
    return false;
  }
}

/** Names of a chain's TLS that the control plane serves. */
export function secretNames(tls: DownstreamTls | undefined): readonly string[] {
  if (tls === undefined) return [];
  const { certificateName, otherCertificateNames = [], validationName } = tls;
  return [certificateName, ...otherCertificateNames, validationName].filter(isServed);
}

/** The control plane has it; the rest are the workload's own and files of its machine. `invalid://`: nobody has it. */
export function isServed(name: string): boolean {
  return name !== '' && !LOCAL.test(name);
}

const LOCAL = /^(?:default$|ROOTCA$|file-cert:|file-root:|invalid:)/;

/** A secret, or why there is none (yet). */
export type SecretState = SecretValue | 'waiting' | 'absent';

/** How a secret stands, by its SDS name. */
export type SecretLookup = (name: string) => SecretState;

/** The TLS of a chain with what its secrets hold. */
export function bindSecrets(tls: DownstreamTls, states: ReadonlyMap<string, SecretState>): DownstreamTls {
  if (states.size === 0) return tls;
  const missing = [...states].flatMap(([name, state]) => reasonOf(name, state, name === tls.validationName));
  const values = [...states].flatMap(([name, state]) => (typeof state === 'string' ? [] : [[name, state] as const]));
  const trust = values.find(([name]) => name === tls.validationName)?.[1];
  const secrets: TlsSecrets = {
    keyPairs: values.flatMap(([, value]) => (value.kind === 'keyPair' ? [value] : [])),
    trustBundlePem: trust?.kind === 'trust' ? trust.trustBundlePem : '',
    revokedPem: trust?.kind === 'trust' ? trust.revokedPem : '',
    missing: missing.join('; '),
  };
  return { ...tls, secrets };
}

function reasonOf(name: string, state: SecretState, isTrust: boolean): string[] {
  const what = isTrust ? 'bundle of callers' : 'certificate';
  if (state === 'waiting') return [`the ${what} ${name} has not come from the control plane; it is never kept on disk`];
  if (state === 'absent')
    return [
      `the control plane gives no ${what} ${name}: the Secret is missing, broken or of another namespace, or this gateway has not joined over TLS with a token`,
    ];
  return (state.kind === 'trust') === isTrust ? [] : [`${name} is no ${what}`];
}
