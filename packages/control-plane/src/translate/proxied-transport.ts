import type { ProxyProtocol } from '@ripstop/istio-api';
import { ProxyProtocolConfig_Version, ProxyProtocolUpstreamTransport, packAny, type TransportSocket } from '@ripstop/xds-api';
import type { ClusterFields } from './cluster-policy.ts';
import { rawSocket } from './tls.ts';
import type { FieldsOf } from './values.ts';

type SocketFields = FieldsOf<typeof TransportSocket>;

const NAME = 'envoy.transport_sockets.upstream_proxy_protocol';

/** Connections begin with a header of the PROXY protocol, in front of whatever else the transport says (Istio: applyUpstreamProxyProtocol). */
export function proxied(transport: ClusterFields, policy: ProxyProtocol | undefined): ClusterFields {
  if (policy === undefined) return transport;
  const { transportSocket, transportSocketMatches = [] } = transport;
  if (transportSocket === undefined && transportSocketMatches.length === 0)
    return { transportSocket: behindHeader({ ...rawSocket(), name: 'raw_buffer' }, policy) };
  return {
    ...(transportSocket === undefined ? {} : { transportSocket: behindHeader(transportSocket, policy) }),
    ...(transportSocketMatches.length === 0
      ? {}
      : {
          transportSocketMatches: transportSocketMatches.map((match) => ({
            ...match,
            transportSocket: behindHeader(match.transportSocket, policy),
          })),
        }),
  };
}

function behindHeader(socket: SocketFields | undefined, { version }: ProxyProtocol): SocketFields {
  const config = { version: version === 'V2' ? ProxyProtocolConfig_Version.V2 : ProxyProtocolConfig_Version.V1 };
  const value = packAny(
    ProxyProtocolUpstreamTransport,
    ProxyProtocolUpstreamTransport.fromPartial({ config, transportSocket: socket as never }),
  );
  return { name: NAME, configType: { $case: 'typedConfig', value } };
}
