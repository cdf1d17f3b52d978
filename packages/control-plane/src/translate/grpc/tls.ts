import { type CommonTlsContext, DownstreamTlsContext, packAny, TransportSocket, UpstreamTlsContext } from '@ripstop/xds-api';
import type { FieldsOf } from '../values.ts';

/** The plugin `default` of the client's bootstrap holds the workload's certificate and the mesh's roots. */
const IDENTITY = { instanceName: 'default', certificateName: 'default' };
const ROOTS = { instanceName: 'default', certificateName: 'ROOTCA' };

/** mTLS to servers with one of these names; none: with any certificate of the mesh. */
export function grpcUpstreamSocket(subjectAltNames: readonly string[]): TransportSocket {
  return socket(packAny(UpstreamTlsContext, UpstreamTlsContext.fromPartial({ commonTlsContext: common(subjectAltNames) })));
}

/** gRPC servers refuse name matchers here, so any certificate that the mesh's roots vouch for may connect. */
export function grpcDownstreamSocket(): TransportSocket {
  const context = DownstreamTlsContext.fromPartial({ requireClientCertificate: true, commonTlsContext: common([]) });
  return socket(packAny(DownstreamTlsContext, context));
}

/** Both forms of each provider field, as istiod sends them: old clients read the deprecated one. */
function common(subjectAltNames: readonly string[]): FieldsOf<typeof CommonTlsContext> {
  return {
    tlsCertificateProviderInstance: IDENTITY,
    tlsCertificateCertificateProviderInstance: IDENTITY,
    validationContextType: {
      $case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          caCertificateProviderInstance: ROOTS,
          matchSubjectAltNames: subjectAltNames.map((value) => ({ matchPattern: { $case: 'exact', value } })),
        },
        validationContextCertificateProviderInstance: ROOTS,
      },
    },
  };
}

function socket(value: ReturnType<typeof packAny>): TransportSocket {
  return TransportSocket.fromPartial({ name: 'envoy.transport_sockets.tls', configType: { $case: 'typedConfig', value } });
}
