import { Listener } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { decodeListener } from './listener.ts';

describe('a listener', () => {
  it('that begins with the PROXY protocol is refused, since its line would be taken for the request', () => {
    const listener = (name: string): Listener => Listener.fromPartial({ name: '0.0.0.0_8080', listenerFilters: [{ name }] });
    expect(() => decodeListener(listener('envoy.filters.listener.proxy_protocol'), true)).toThrow(
      'listener filter envoy.filters.listener.proxy_protocol is not supported',
    );
    expect(decodeListener(listener('envoy.filters.listener.tls_inspector'), true).kind).toBe('gateway');
  });
});
