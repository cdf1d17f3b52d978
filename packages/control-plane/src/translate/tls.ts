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
import { ZERO } from './values.ts';

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
  /** File names on the client's machine; '' = system roots. */
  readonly caCertificates: string;
  readonly clientCertificate?: string;
  readonly privateKey?: string;
  readonly http2: boolean;
}

/** TLS origination (DestinationRule tls SIMPLE and MUTUAL): certificates are files of the client's machine. */
export function originationSocket(settings: OriginationSettings): TransportSocket {
  const { sni, subjectAltNames, caCertificates, clientCertificate, privateKey } = settings;
  const mutual = clientCertificate !== undefined && privateKey !== undefined;
  return tlsSocket(
    UpstreamTlsContext.fromPartial({
      sni,
      commonTlsContext: {
        tlsParams: VERSIONS,
        ...(settings.http2 ? { alpnProtocols: ['h2'] } : {}),
        ...(mutual ? { tlsCertificateSdsSecretConfigs: [fileSecret(`file-cert:${clientCertificate}~${privateKey}`)] } : {}),
        validationContextType: {
          $case: 'combinedValidationContext',
          value: {
            defaultValidationContext: {
              matchSubjectAltNames: subjectAltNames.map((value) => ({ matchPattern: { $case: 'exact', value } })),
            },
            validationContextSdsSecretConfig: fileSecret(`file-root:${caCertificates === '' ? 'system' : caCertificates}`),
          },
        },
      },
    }),
  );
}

/** A workload's mTLS port: a client certificate of this trust domain, or of one of its aliases, is required. */
export function downstreamSocket(trustDomains: readonly string[], tcp: boolean): TransportSocket {
  const context = DownstreamTlsContext.fromPartial({
    requireClientCertificate: true,
    commonTlsContext: {
      tlsParams: { ...VERSIONS, cipherSuites: SERVER_CIPHERS },
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
