import type { CertificatePins, DownstreamTls, TlsTransport, TransportSocket } from '@ripstop/core';
import {
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification,
  type CommonTlsContext,
  type DownstreamTlsContext,
  isAny,
  RawBuffer,
  TlsParameters_TlsProtocol,
  type TransportSocket as TransportSocketMessage,
  UpstreamTlsContext,
  unpackAny,
} from '@ripstop/xds-api';
import { compileStringMatcher } from '../matchers.ts';
import { isServed, type SecretLookup, type SecretState } from '../secret.ts';

/** What is taken from the request's host: the SNI, and the name that the certificate must have. */
export interface HostNames {
  readonly autoSni: boolean;
  readonly autoSanValidation: boolean;
}

const NOT_FROM_HOST: HostNames = { autoSni: false, autoSanValidation: false };

/**
 * An upstream transport socket: raw, or TLS with the SDS names that istiod uses: `default`, `ROOTCA`, `file-cert:…`, `file-root:…`, and
 * `kubernetes://…`, which the control plane serves. Until such a secret is here, every connection fails.
 */
export function compileTransportSocket(
  message: TransportSocketMessage | undefined,
  alpnOverride: boolean,
  fromHost: HostNames = NOT_FROM_HOST,
  secrets: SecretLookup = () => 'waiting',
): TransportSocket {
  if (message === undefined) return { kind: 'raw' };
  const any = message.configType?.$case === 'typedConfig' ? message.configType.value : undefined;
  if (any === undefined || isAny(RawBuffer, any)) return { kind: 'raw' };
  if (!isAny(UpstreamTlsContext, any)) throw new Error(`transport socket ${message.name} is not supported`);
  return compileUpstreamTls(unpackAny(UpstreamTlsContext, any), alpnOverride, fromHost, secrets);
}

/** SDS names in an upstream transport socket that the control plane serves. */
export function upstreamSecretNames(message: TransportSocketMessage | undefined): string[] {
  const any = message?.configType?.$case === 'typedConfig' ? message.configType.value : undefined;
  if (any === undefined || !isAny(UpstreamTlsContext, any)) return [];
  const { commonTlsContext: common } = unpackAny(UpstreamTlsContext, any);
  return [common?.tlsCertificateSdsSecretConfigs[0]?.name ?? '', validationOf(common).sdsName].filter(isServed);
}

function compileUpstreamTls(message: UpstreamTlsContext, alpnOverride: boolean, fromHost: HostNames, secrets: SecretLookup): TlsTransport {
  const common = message.commonTlsContext;
  const validation = validationOf(common);
  const certificate = clientCertificateOf(common?.tlsCertificateSdsSecretConfigs[0]?.name, secrets);
  const lacks = typeof certificate === 'string';
  const trust: TlsTransport['trust'] = lacks
    ? { kind: 'none', reason: certificate }
    : trustOf(validation.sdsName, validation.context, secrets);
  const clientCertificate = lacks ? undefined : certificate;
  const sans = sansOf(validation.context);
  return {
    kind: 'tls',
    key: JSON.stringify([message.sni, common?.alpnProtocols, alpnOverride, clientCertificate, trust, sans.text, fromHost]),
    sni: message.sni,
    alpn: common?.alpnProtocols ?? [],
    alpnOverride,
    clientCertificate,
    trust,
    acceptsSans: sans.accepts,
    expectedSans: sans.text,
    ...fromHost,
  };
}

/** A listener's TLS: which certificate it shows, what it asks of the caller. */
export function compileDownstreamTls(message: DownstreamTlsContext): DownstreamTls {
  const common = message.commonTlsContext;
  const validation = validationOf(common);
  const params = common?.tlsParams;
  const [certificateName = '', ...otherCertificateNames] = common?.tlsCertificateSdsSecretConfigs.map(({ name }) => name) ?? [];
  if (validation.context?.trustChainVerification === CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED)
    throw new Error('callers whose certificate nobody vouches for are not let in');
  const sans = sansOf(validation.context);
  const pins = pinsOf(validation.context);
  return {
    // Envoy: who asks for a name or a pin asks for a certificate.
    requireClientCertificate: message.requireClientCertificate === true || sans.text.length > 0 || pins !== undefined,
    alpn: common?.alpnProtocols ?? [],
    minVersion: params?.tlsMinimumProtocolVersion === TlsParameters_TlsProtocol.TLSv1_3 ? 'TLSv1.3' : 'TLSv1.2',
    ...maxVersion(params?.tlsMaximumProtocolVersion),
    ciphers: params?.cipherSuites ?? [],
    acceptsSans: sans.accepts,
    pins,
    certificateName,
    ...(otherCertificateNames.length === 0 ? {} : { otherCertificateNames }),
    validationName: validation.sdsName,
  };
}

function maxVersion(version: TlsParameters_TlsProtocol | undefined): Pick<DownstreamTls, 'maxVersion'> {
  switch (version) {
    case TlsParameters_TlsProtocol.TLSv1_0:
    case TlsParameters_TlsProtocol.TLSv1_1:
      throw new Error('a maximum below TLS 1.2 is not supported');
    case TlsParameters_TlsProtocol.TLSv1_2:
      return { maxVersion: 'TLSv1.2' };
    default:
      return {};
  }
}

/** Envoy takes hashes with and without colons, in any case. */
function pinsOf(context: CertificateValidationContext | undefined): CertificatePins | undefined {
  const { verifyCertificateHash = [], verifyCertificateSpki = [] } = context ?? {};
  if (verifyCertificateHash.length + verifyCertificateSpki.length === 0) return undefined;
  return {
    certificates: new Set(verifyCertificateHash.map((hash) => hash.replaceAll(':', '').toLowerCase())),
    publicKeys: new Set(verifyCertificateSpki),
  };
}

interface Validation {
  readonly sdsName: string;
  readonly context: CertificateValidationContext | undefined;
}

function validationOf(common: CommonTlsContext | undefined): Validation {
  const type = common?.validationContextType;
  switch (type?.$case) {
    case 'combinedValidationContext':
      return { sdsName: type.value.validationContextSdsSecretConfig?.name ?? '', context: type.value.defaultValidationContext };
    case 'validationContextSdsSecretConfig':
      return { sdsName: type.value.name, context: undefined };
    case 'validationContext':
      return { sdsName: '', context: type.value };
    case undefined:
      return { sdsName: '', context: undefined };
    default:
      throw new Error(`validation by ${type?.$case} is not supported`);
  }
}

function trustOf(sdsName: string, context: CertificateValidationContext | undefined, secrets: SecretLookup): TlsTransport['trust'] {
  const crl = context?.crl?.specifier?.$case === 'filename' ? { crl: context.crl.specifier.value } : {};
  if (sdsName === 'ROOTCA') return { kind: 'identity' };
  if (sdsName === 'file-root:system') return { kind: 'system' };
  if (sdsName.startsWith('file-root:')) return { kind: 'files', ca: sdsName.slice('file-root:'.length), ...crl };
  if (sdsName.startsWith('invalid://'))
    return {
      kind: 'none',
      reason: 'the CA certificates of the backend cannot be had: see the findings of its BackendTLSPolicy or DestinationRule',
    };
  if (sdsName !== '') {
    const state = secrets(sdsName);
    if (typeof state === 'string' || state.kind !== 'trust') return { kind: 'none', reason: missingSecret('bundle', sdsName, state) };
    return { kind: 'inline', ca: state.trustBundlePem, ...(state.revokedPem === '' ? {} : { crl: state.revokedPem }) };
  }
  const file = context?.trustedCa?.specifier;
  if (file?.$case === 'filename') return { kind: 'files', ca: file.value, ...crl };
  if (file?.$case === 'inlineString') return { kind: 'inline', ca: file.value };
  if (file?.$case === 'inlineBytes') return { kind: 'inline', ca: Buffer.from(file.value).toString() };
  return undefined;
}

/** A text says why the certificate is not here. */
function clientCertificateOf(sdsName: string | undefined, secrets: SecretLookup): TlsTransport['clientCertificate'] | string {
  if (sdsName === undefined || sdsName === '') return undefined;
  if (sdsName === 'default') return { kind: 'identity' };
  const files = /^file-cert:(.+)~(.+)$/.exec(sdsName);
  if (files !== null) return { kind: 'files', certificate: files[1]!, key: files[2]! };
  const state = secrets(sdsName);
  return typeof state !== 'string' && state.kind === 'keyPair'
    ? { kind: 'secret', pair: state }
    : missingSecret('certificate', sdsName, state);
}

function missingSecret(what: string, name: string, state: SecretState): string {
  if (state === 'waiting') return `the ${what} ${name} has not come from the control plane; it is never kept on disk`;
  if (typeof state !== 'string') return `${name} is no ${what}`;
  return `the control plane gives no ${what} ${name}: the Secret is missing, broken or of another namespace, or this workload may not have it`;
}

/** Any listed name suffices; an empty list accepts every certificate of the trust bundle. */
function sansOf(context: CertificateValidationContext | undefined): { accepts: DownstreamTls['acceptsSans']; text: readonly string[] } {
  const typed = context?.matchTypedSubjectAltNames.flatMap(({ matcher }) => matcher ?? []) ?? [];
  const matchers = [...(context?.matchSubjectAltNames ?? []), ...typed];
  const tests = matchers.map(compileStringMatcher);
  const text = matchers.map(({ matchPattern }) =>
    matchPattern === undefined
      ? ''
      : matchPattern.$case === 'exact'
        ? String(matchPattern.value)
        : `${matchPattern.$case}:${typeof matchPattern.value === 'string' ? matchPattern.value : '…'}`,
  );
  if (tests.length === 0) return { accepts: () => true, text };
  return { accepts: (uris, dns) => tests.some((test) => uris.some(test) || dns.some(test)), text };
}
