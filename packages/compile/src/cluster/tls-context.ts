import type { CertificatePins, DownstreamTls, TlsTransport, TransportSocket } from '@ripstop/core';
import {
  type Any,
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification,
  type CommonTlsContext,
  type DataSource,
  type DownstreamTlsContext,
  isAny,
  ProxyProtocolConfig_Version,
  ProxyProtocolUpstreamTransport,
  RawBuffer,
  TlsParameters_TlsProtocol,
  type TransportSocket as TransportSocketMessage,
  UpstreamTlsContext,
  unpackAny,
} from '@ripstop/xds-api';
import { compileStringMatcher } from '../matchers.ts';
import { rawField } from '../raw-fields.ts';
import { isServed, type SecretLookup, type SecretState } from '../secret.ts';

/** What is taken from the request's host: the SNI, and the name that the certificate must have. */
export interface HostNames {
  readonly autoSni: boolean;
  readonly autoSanValidation: boolean;
}

const RAW_BUFFER = 'envoy.transport_sockets.raw_buffer';
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
  const header = headerOf(any);
  if (header !== undefined)
    return { ...compileTransportSocket(header.inner, alpnOverride, fromHost, secrets), proxyProtocol: header.proxyProtocol };
  // Nothing goes out in plain text that does not say so.
  if (any === undefined ? message.name === RAW_BUFFER : isAny(RawBuffer, any)) return { kind: 'raw' };
  if (any === undefined || !isAny(UpstreamTlsContext, any)) throw new Error(`transport socket ${message.name} is not supported`);
  if (hasOwnValidator(any.value)) throw new Error('a validator of its own (custom_validator_config) is not supported');
  return compileUpstreamTls(unpackAny(UpstreamTlsContext, any), alpnOverride, fromHost, secrets);
}

/** Its field is younger than our messages. It may stand where no roots do: left out, any certificate would do. */
function hasOwnValidator(upstreamTlsContext: Uint8Array): boolean {
  const common = rawField(upstreamTlsContext, 1);
  const plain = common.flatMap((body) => rawField(body, 3));
  const combined = common.flatMap((body) => rawField(body, 8)).flatMap((body) => rawField(body, 1));
  return [...plain, ...combined].some((context) => rawField(context, 12).length > 0);
}

interface BehindHeader {
  readonly inner: TransportSocketMessage | undefined;
  readonly proxyProtocol: 1 | 2;
}

/** What stands behind a header of the PROXY protocol, and its version; undefined: there is no header. */
function headerOf(any: Any | undefined): BehindHeader | undefined {
  if (!isAny(ProxyProtocolUpstreamTransport, any)) return undefined;
  const { config, transportSocket } = unpackAny(ProxyProtocolUpstreamTransport, any);
  if (config?.passThroughTlvs !== undefined) throw new Error('a header of the PROXY protocol with extensions is not supported');
  return { inner: transportSocket, proxyProtocol: config?.version === ProxyProtocolConfig_Version.V2 ? 2 : 1 };
}

/** SDS names in an upstream transport socket that the control plane serves. */
export function upstreamSecretNames(message: TransportSocketMessage | undefined): string[] {
  const any = message?.configType?.$case === 'typedConfig' ? message.configType.value : undefined;
  const header = headerOf(any);
  if (header !== undefined) return upstreamSecretNames(header.inner);
  if (any === undefined || !isAny(UpstreamTlsContext, any)) return [];
  const { commonTlsContext: common } = unpackAny(UpstreamTlsContext, any);
  return [common?.tlsCertificateSdsSecretConfigs[0]?.name ?? '', validationOf(common).sdsName].filter(isServed);
}

function compileUpstreamTls(message: UpstreamTlsContext, alpnOverride: boolean, fromHost: HostNames, secrets: SecretLookup): TlsTransport {
  const common = message.commonTlsContext;
  const validation = validationOf(common);
  const certificate = clientCertificateOf(common?.tlsCertificateSdsSecretConfigs[0]?.name, secrets);
  if (pinsOf(validation.context) !== undefined) throw new Error("pins of a server's certificate are not supported");
  const lacks = typeof certificate === 'string';
  const trust: TlsTransport['trust'] = lacks
    ? { kind: 'none', reason: certificate }
    : withRevocations(trustOf(validation.sdsName, validation.context, secrets), validation.context);
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
  if (validation.context?.crl !== undefined) throw new Error('a list of revoked certificates counts in a secret only, beside its roots');
  if (validation.context?.trustedCa !== undefined) throw new Error('roots count in a secret only');
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
  if (sdsName === 'ROOTCA') return { kind: 'identity' };
  if (sdsName === 'file-root:system') return { kind: 'system' };
  if (sdsName.startsWith('file-root:')) return { kind: 'files', ca: sdsName.slice('file-root:'.length) };
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
  const roots = context?.trustedCa;
  if (roots !== undefined) {
    const text = textOf(roots);
    if (text !== undefined) return { kind: 'inline', ca: text };
    if (roots.specifier?.$case === 'filename') return { kind: 'files', ca: roots.specifier.value };
    return { kind: 'none', reason: `CA certificates by ${roots.specifier?.$case ?? 'nothing'} are not supported` };
  }
  if (context?.caCertificateProviderInstance !== undefined)
    return { kind: 'none', reason: 'CA certificates by ca_certificate_provider_instance are not supported' };
  return context?.systemRootCerts === undefined ? undefined : { kind: 'system' };
}

/** Lists of revoked certificates, of the same kind as the roots. Where they cannot be looked at nobody is trusted. */
function withRevocations(trust: TlsTransport['trust'], context: CertificateValidationContext | undefined): TlsTransport['trust'] {
  const revoked = context?.crl;
  if (revoked === undefined || trust?.kind === 'none') return trust;
  const text = textOf(revoked);
  if (trust?.kind === 'inline' && trust.crl === undefined && text !== undefined) return { ...trust, crl: text };
  if (trust?.kind === 'files' && revoked.specifier?.$case === 'filename') return { ...trust, crl: revoked.specifier.value };
  return {
    kind: 'none',
    reason: 'a list of revoked certificates must be a file beside a file of CA certificates, or a text beside a text',
  };
}

function textOf({ specifier }: DataSource): string | undefined {
  if (specifier?.$case === 'inlineString') return specifier.value;
  return specifier?.$case === 'inlineBytes' ? Buffer.from(specifier.value).toString() : undefined;
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
