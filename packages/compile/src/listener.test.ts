import { Listener, ProxyProtocol, packAny } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { decodeListener } from './listener.ts';

describe('a listener', () => {
  const proxied = (config: object = {}): Listener =>
    Listener.fromPartial({
      name: '0.0.0.0_8080',
      listenerFilters: [
        {
          name: 'envoy.filters.listener.proxy_protocol',
          configType: { $case: 'typedConfig', value: packAny(ProxyProtocol, ProxyProtocol.fromPartial(config)) },
        },
      ],
    });

  it('of a gateway may begin with the PROXY protocol; another is refused, since the header would be taken for the request', () => {
    expect(decodeListener(proxied(), true).readsProxyProtocol).toBe(true);
    expect(decodeListener(Listener.fromPartial({ name: '0.0.0.0_8080' }), true).readsProxyProtocol).toBe(false);
    expect(() => decodeListener(proxied(), false)).toThrow('only gateways read the PROXY protocol');
  });

  it.each([{ allowRequestsWithoutProxyProtocol: true }, { disallowedVersions: [1] }, { rules: [{ tlvType: 2 }] }])(
    'that asks for more of the PROXY protocol is refused: %o',
    (config) => expect(() => decodeListener(proxied(config), true)).toThrow('are not supported'),
  );

  it('listens at an address or at a Unix socket', () => {
    const at = (address: object): unknown => {
      const { address: place, port } = decodeListener(Listener.fromPartial({ name: 'a', address: { address } } as never), true);
      return [place, port];
    };
    const portSpecifier = { $case: 'portValue', value: 80 };
    expect(at({ $case: 'socketAddress', value: { address: '10.0.0.1', portSpecifier } })).toEqual(['10.0.0.1', 80]);
    expect(at({ $case: 'pipe', value: { path: '/run/edge.sock' } })).toEqual(['unix:///run/edge.sock', 0]);
  });
});
