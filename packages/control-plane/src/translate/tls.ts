import type { ServerTLSSettings } from '@ripstop/istio-api';
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSource,
  DownstreamTlsContext,
  packAny,
  RawBuffer,
  type SdsSecretConfig,
  TlsParameters_TlsProtocol,
  TransportSocket,
  UpstreamTlsContext,
} from '@ripstop/xds-api';
import type { MeshTls, TlsSettings } from '../push/mesh-tls.ts';
import type { BackendTrust } from './backend-trust.ts';
import { knownSuites } from './cipher-suites.ts';
import { callersCredential, shownCredentials } from './server-credentials.ts';
import { type FieldsOf, ZERO } from './values.ts';

type CommonTlsFields = NonNullable<FieldsOf<typeof DownstreamTlsContext>['commonTlsContext']>;

type TlsParameterFields = NonNullable<CommonTlsFields['tlsParams']>;

/** What a client expects of its peer. */
export interface UpstreamIdentity {
  readonly subjectAltNames: readonly string[];
  readonly sni: string;
  readonly http2: boolean;
}

const VERSIONS = {
  tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
  tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
};

/** The server side of mTLS names its suites; clients send no list (measured on istiod). */
const SERVER_CIPHERS = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
];

/** mTLS with the workload's own certificate, as auto-mTLS and ISTIO_MUTUAL use it. */
export function istioMutualSocket({ subjectAltNames, sni, http2 }: UpstreamIdentity): TransportSocket {
  return tlsSocket(
    UpstreamTlsContext.fromPartial({
      sni,
      commonTlsContext: {
        tlsParams: VERSIONS,
        alpnProtocols: http2 ? ['istio-peer-exchange', 'istio', 'h2'] : ['istio-peer-exchange', 'istio'],
        tlsCertificateSdsSecretConfigs: [workloadSecret('default')],
        validationContextType: {
          $case: 'combinedValidationContext',
          value: {
            defaultValidationContext: {
              matchSubjectAltNames: subjectAltNames.map((value) => ({ matchPattern: { $case: 'exact', value } })),
            },
            validationContextSdsSecretConfig: workloadSecret('ROOTCA'),
          },
        },
      },
    }),
  );
}

export interface OriginationSettings {
  readonly sni: string;
  readonly subjectAltNames: readonly string[];
  readonly proof: ClientProof;
  /** Whom the client believes; undefined: anybody (insecureSkipVerify). */
  readonly trust: ServerTrust | undefined;
  readonly http2: boolean;
  readonly defaults: TlsSettings;
}

/** What a client shows: nothing, files of its machine, or a Secret that the control plane serves. */
export type ClientProof = { readonly certificate: string; readonly key: string } | { readonly secret: string } | undefined;

/** Files of the client's machine ('' = the system's roots; `crl`: lists of revoked certificates), or what a BackendTLSPolicy or a Secret names. */
export type ServerTrust = { readonly kind: 'files'; readonly ca: string; readonly crl: string } | BackendTrust;

/** TLS origination (DestinationRule tls SIMPLE and MUTUAL). */
export function originationSocket(settings: OriginationSettings): TransportSocket {
  const { sni, proof } = settings;
  const shown =
    proof === undefined ? [] : ['secret' in proof ? adsSecret(proof.secret) : fileSecret(`file-cert:${proof.certificate}~${proof.key}`)];
  const validationContextType = serverValidation(settings);
  return tlsSocket(
    UpstreamTlsContext.fromPartial({
      sni,
      commonTlsContext: {
        // istiod: the least version is for servers alone.
        tlsParams: { ...VERSIONS, ...namedSuites(settings.defaults) },
        ...(settings.http2 ? { alpnProtocols: ['h2'] } : {}),
        ...(shown.length === 0 ? {} : { tlsCertificateSdsSecretConfigs: shown }),
        ...(validationContextType === undefined ? {} : { validationContextType }),
      },
    }),
  );
}

function serverValidation({ subjectAltNames, trust, proof }: OriginationSettings): CommonTlsFields['validationContextType'] {
  const exact = (names: readonly string[]) => names.map((value) => ({ matchPattern: { $case: 'exact', value } }) as const);
  if (trust === undefined) return proof !== undefined && 'secret' in proof ? undefined : { $case: 'validationContext', value: {} };
  if (trust.kind === 'inline') {
    const names = subjectAltNames.length === 0 && trust.hostname !== '' ? [trust.hostname] : subjectAltNames;
    const trustedCa = { specifier: { $case: 'inlineString', value: trust.roots } } as const;
    return { $case: 'validationContext', value: { trustedCa, matchSubjectAltNames: exact(names) } };
  }
  const crl = trust.kind === 'files' && trust.crl !== '' ? { crl: { specifier: { $case: 'filename', value: trust.crl } as const } } : {};
  return {
    $case: 'combinedValidationContext',
    value: {
      defaultValidationContext: { matchSubjectAltNames: exact(subjectAltNames), ...crl },
      validationContextSdsSecretConfig:
        trust.kind === 'files' ? fileSecret(`file-root:${trust.ca === '' ? 'system' : trust.ca}`) : adsSecret(trust.name),
    },
  };
}

/** A workload's mTLS port: a client certificate of this trust domain, or of one of its aliases, is required. */
export function downstreamSocket(trustDomains: readonly string[], tcp: boolean, { mutual }: MeshTls): TransportSocket {
  const { minProtocolVersion, cipherSuites = [] } = mutual;
  const context = DownstreamTlsContext.fromPartial({
    requireClientCertificate: true,
    commonTlsContext: {
      tlsParams: {
        tlsMinimumProtocolVersion: leastVersion(minProtocolVersion),
        tlsMaximumProtocolVersion: VERSIONS.tlsMaximumProtocolVersion,
        cipherSuites: cipherSuites.length === 0 ? SERVER_CIPHERS : [...cipherSuites],
      },
      alpnProtocols: tcp ? ['istio-peer-exchange', 'h2', 'http/1.1'] : ['h2', 'http/1.1'],
      tlsCertificateSdsSecretConfigs: [workloadSecret('default')],
      validationContextType: {
        $case: 'combinedValidationContext',
        value: {
          defaultValidationContext: {
            matchSubjectAltNames: trustDomains.map((domain) => ({ matchPattern: { $case: 'prefix', value: `spiffe://${domain}/` } })),
          },
          validationContextSdsSecretConfig: workloadSecret('ROOTCA'),
        },
      },
    },
  });
  return { name: 'envoy.transport_sockets.tls', configType: { $case: 'typedConfig', value: packAny(DownstreamTlsContext, context) } };
}

const GATEWAY_VERSIONS: Readonly<Record<string, TlsParameters_TlsProtocol>> = {
  TLSV1_0: TlsParameters_TlsProtocol.TLSv1_0,
  TLSV1_1: TlsParameters_TlsProtocol.TLSv1_1,
  TLSV1_2: TlsParameters_TlsProtocol.TLSv1_2,
  TLSV1_3: TlsParameters_TlsProtocol.TLSv1_3,
};

/**
 * TLS of a Gateway's server (Istio: BuildListenerTLSContext). The certificate comes from a Secret over the same stream
 * (`kubernetes://…`), from files of the gateway's machine (`file-cert:…`), or is the one that the mesh has issued (ISTIO_MUTUAL).
 */
export function gatewaySocket(tls: ServerTLSSettings, { defaults }: MeshTls, bytes = false): TransportSocket {
  const mutual = tls.mode === 'MUTUAL' || tls.mode === 'ISTIO_MUTUAL';
  const asks = mutual || tls.mode === 'OPTIONAL_MUTUAL';
  const context = DownstreamTlsContext.fromPartial({
    requireClientCertificate: mutual,
    commonTlsContext: {
      ...gatewayParameters(tls, defaults),
      // istiod: proxies of the mesh may tell who they are where bytes are carried between them.
      alpnProtocols: bytes && tls.mode === 'ISTIO_MUTUAL' ? ['istio-peer-exchange', 'h2', 'http/1.1'] : ['h2', 'http/1.1'],
      tlsCertificateSdsSecretConfigs: gatewayCertificates(tls),
      ...(asks ? { validationContextType: callers(tls) } : {}),
    },
  });
  return { name: 'envoy.transport_sockets.tls', configType: { $case: 'typedConfig', value: packAny(DownstreamTlsContext, context) } };
}

/** istiod knows no other least version for the mesh's own settings. */
function leastVersion(name: string | undefined): TlsParameters_TlsProtocol {
  return name === 'TLSV1_3' ? TlsParameters_TlsProtocol.TLSv1_3 : TlsParameters_TlsProtocol.TLSv1_2;
}

function namedSuites({ cipherSuites = [], ecdhCurves = [] }: TlsSettings): TlsParameterFields {
  return {
    ...(cipherSuites.length === 0 ? {} : { cipherSuites: [...cipherSuites] }),
    ...(ecdhCurves.length === 0 ? {} : { ecdhCurves: [...ecdhCurves] }),
  };
}

/** What a server says itself comes before tlsDefaults of MeshConfig; neither is for ISTIO_MUTUAL (istiod: isSimpleOrMutual). */
function gatewayParameters(
  { mode, minProtocolVersion, maxProtocolVersion, cipherSuites = [] }: ServerTLSSettings,
  defaults: TlsSettings,
): CommonTlsFields {
  if (mode === 'ISTIO_MUTUAL') return {};
  const suites = knownSuites(cipherSuites);
  const given = (defaults.minProtocolVersion ?? 'TLS_AUTO') === 'TLS_AUTO' ? undefined : leastVersion(defaults.minProtocolVersion);
  const minimum = GATEWAY_VERSIONS[minProtocolVersion ?? ''] ?? given;
  const maximum = GATEWAY_VERSIONS[maxProtocolVersion ?? ''];
  const tlsParams: TlsParameterFields = {
    ...namedSuites(defaults),
    ...(minimum === undefined ? {} : { tlsMinimumProtocolVersion: minimum }),
    ...(maximum === undefined ? {} : { tlsMaximumProtocolVersion: maximum }),
    ...(suites.length === 0 ? {} : { cipherSuites: suites }),
  };
  return Object.keys(tlsParams).length === 0 ? {} : { tlsParams };
}

function gatewayCertificates(tls: ServerTLSSettings): SdsSecretConfig[] {
  if (tls.mode === 'ISTIO_MUTUAL') return [workloadSecret('default')];
  const names = shownCredentials(tls);
  // Istio: tls-terminate-mode ISTIO_SIMPLE.
  if (names.length > 0) return names.map((name) => (name === 'builtin://' ? workloadSecret('default') : adsSecret(name)));
  return [tls, ...(tls.tlsCertificates ?? [])].flatMap(({ serverCertificate = '', privateKey = '' }) =>
    serverCertificate === '' || privateKey === '' ? [] : [fileSecret(`file-cert:${serverCertificate}~${privateKey}`)],
  );
}

/** Who may call: by the names and hashes that are listed, and by a bundle. */
function callers(tls: ServerTLSSettings): CommonTlsFields['validationContextType'] {
  const { subjectAltNames = [], verifyCertificateSpki = [], verifyCertificateHash = [] } = tls;
  const matchSubjectAltNames = subjectAltNames.map((value) => ({ matchPattern: { $case: 'exact', value } }) as const);
  const pins =
    tls.mode === 'ISTIO_MUTUAL'
      ? {}
      : { verifyCertificateSpki: [...verifyCertificateSpki], verifyCertificateHash: [...verifyCertificateHash] };
  return {
    $case: 'combinedValidationContext',
    value: { defaultValidationContext: { matchSubjectAltNames, ...pins }, validationContextSdsSecretConfig: bundleOf(tls) },
  };
}

function bundleOf(tls: ServerTLSSettings): SdsSecretConfig {
  if (tls.mode === 'ISTIO_MUTUAL') return workloadSecret('ROOTCA');
  const name = callersCredential(tls);
  return name === undefined ? fileSecret(`file-root:${tls.caCertificates ?? ''}`) : adsSecret(name);
}

/** Served by the control plane over the stream that the listener came on. */
function adsSecret(name: string): SdsSecretConfig {
  return {
    name,
    sdsConfig: {
      authorities: [],
      configSourceSpecifier: { $case: 'ads', value: {} },
      initialFetchTimeout: undefined,
      resourceApiVersion: ApiVersion.V3,
    },
  };
}

export function rawSocket(): TransportSocket {
  return {
    name: 'envoy.transport_sockets.raw_buffer',
    configType: { $case: 'typedConfig', value: packAny(RawBuffer, RawBuffer.fromPartial({})) },
  };
}

function tlsSocket(context: UpstreamTlsContext): TransportSocket {
  return TransportSocket.fromPartial({
    name: 'envoy.transport_sockets.tls',
    configType: { $case: 'typedConfig', value: packAny(UpstreamTlsContext, context) },
  });
}

/** Served inside the client's own machine (Istio: the agent's SDS; ours: the identity package). */
function workloadSecret(name: string): SdsSecretConfig {
  return { name, sdsConfig: { ...localSds(), initialFetchTimeout: ZERO } };
}

function fileSecret(name: string): SdsSecretConfig {
  return { name, sdsConfig: localSds() };
}

function localSds(): ConfigSource {
  const source: ConfigSource = {
    authorities: [],
    configSourceSpecifier: {
      $case: 'apiConfigSource',
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        clusterNames: [],
        grpcServices: [
          { targetSpecifier: { $case: 'envoyGrpc', value: ENVOY_GRPC }, timeout: undefined, initialMetadata: [], retryPolicy: undefined },
        ],
        refreshDelay: undefined,
        requestTimeout: undefined,
        rateLimitSettings: undefined,
        setNodeOnFirstMessageOnly: true,
        configValidators: [],
      },
    },
    initialFetchTimeout: undefined,
    resourceApiVersion: ApiVersion.V3,
  };
  return source;
}

const ENVOY_GRPC = {
  clusterName: 'sds-grpc',
  authority: '',
  retryPolicy: undefined,
  maxReceiveMessageLength: undefined,
  skipEnvoyHeaders: false,
} as const;
