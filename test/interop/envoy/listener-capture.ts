import {
  type Any,
  DeltaDiscoveryResponse,
  DiscoveryResponse,
  LISTENER_TYPE_URL,
  Listener,
  type ListenerListenerFilter,
  ProxyProtocol,
  packAny,
  Resource,
  type SocketAddress,
  unpackAny,
} from '@ripstop/xds-api';

/**
 * Istio leads traffic into a sidecar with iptables, which tests may not touch. Here the address that a connection was meant for comes
 * in a PROXY protocol line instead of from the kernel; from there on Envoy goes its normal way (`use_original_dst`, filter chains
 * by destination port, ORIGINAL_DST clusters). Two details of a listener change for that, and nothing else:
 *
 * - the one that binds a port takes a free one of the loopback, so that several Envoys and two runs fit on one machine;
 * - a listener that captures reads the PROXY line where it asked the kernel.
 */
export function captureByProxyProtocol(listener: Listener): Listener {
  if (listener.bindToPort === false || listener.address?.address?.$case === 'pipe') return listener;
  return {
    ...listener,
    address: { address: { $case: 'socketAddress', value: onLoopback(listener) } },
    listenerFilters: captures(listener)
      ? [PROXY_PROTOCOL, ...listener.listenerFilters.filter(({ name }) => name !== ORIGINAL_DST)]
      : listener.listenerFilters,
  };
}

/** The same, inside a response of either protocol variant; other types pass untouched. */
export const rewriteListeners = {
  delta(bytes: Buffer): Buffer {
    const response = DeltaDiscoveryResponse.decode(bytes);
    if (response.typeUrl !== LISTENER_TYPE_URL) return bytes;
    for (const entry of response.resources) if (entry.resource !== undefined) entry.resource = rewritten(entry.resource.value);
    return Buffer.from(DeltaDiscoveryResponse.encode(response).finish());
  },
  sotw(bytes: Buffer): Buffer {
    const response = DiscoveryResponse.decode(bytes);
    if (response.typeUrl !== LISTENER_TYPE_URL) return bytes;
    response.resources = response.resources.map((any: Any) => {
      if (any.typeUrl === LISTENER_TYPE_URL) return rewritten(any.value);
      const wrapped = unpackAny(Resource, any);
      return packAny(Resource, wrapped.resource === undefined ? wrapped : { ...wrapped, resource: rewritten(wrapped.resource.value) });
    });
    return Buffer.from(DiscoveryResponse.encode(response).finish());
  },
} as const;

const ORIGINAL_DST = 'envoy.filters.listener.original_dst';

const PROXY_PROTOCOL: ListenerListenerFilter = {
  name: 'envoy.filters.listener.proxy_protocol',
  configType: { $case: 'typedConfig', value: packAny(ProxyProtocol, ProxyProtocol.fromPartial({})) },
  filterDisabled: undefined,
};

function rewritten(value: Uint8Array) {
  return packAny(Listener, captureByProxyProtocol(Listener.decode(value)));
}

function captures({ useOriginalDst, listenerFilters }: Listener): boolean {
  return useOriginalDst === true || listenerFilters.some(({ name }) => name === ORIGINAL_DST);
}

function onLoopback({ address }: Listener): SocketAddress {
  if (address?.address?.$case !== 'socketAddress') throw new Error('a listener without a socket address cannot be captured');
  return { ...address.address.value, address: '127.0.0.1', portSpecifier: { $case: 'portValue', value: 0 } };
}
