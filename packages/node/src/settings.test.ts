import { describe, expect, it } from 'vitest';
import { NodeIdentity } from './node-identity.ts';
import { parseServerAddress, resolveSettings } from './settings.ts';

describe('settings', () => {
  it.each([
    ['127.0.0.1:15010', { host: '127.0.0.1', port: 15_010, tls: false }],
    ['127.0.0.1:15012', { host: '127.0.0.1', port: 15_012, tls: true }],
    ['grpc://cp:15012', { host: 'cp', port: 15_012, tls: false }],
    ['grpcs://[::1]:15010', { host: '::1', port: 15_010, tls: true }],
  ])('reads the control plane address %s', (text, expected) => {
    expect(parseServerAddress(text, 'RIPSTOP_XDS')).toEqual(expected);
  });

  it.each(['nonsense', 'host:', 'host:0', 'host:70000', 'http://host:80'])('refuses the address %s and says what to give', (text) => {
    expect(() => parseServerAddress(text, 'RIPSTOP_XDS')).toThrow(/RIPSTOP_XDS=.*give host:port/);
  });

  it('puts options over environment, and labels app and version by themselves', () => {
    const settings = resolveSettings(
      { version: 'v2' },
      { RIPSTOP_SERVICE: 'reviews', RIPSTOP_VERSION: 'v1', RIPSTOP_LABELS: 'team=shop, tier=web', RIPSTOP_PORTS: 'auto' },
    );
    expect(settings.labels).toEqual({ app: 'reviews', version: 'v2', team: 'shop', tier: 'web' });
    expect(settings.serviceAccount).toBe('reviews');
    expect(settings.ports).toBe('auto');
  });

  it('tells the control plane the machine that it runs on, where it is told', () => {
    const nodeOf = (env: Record<string, string>) => new NodeIdentity(resolveSettings({ service: 'x' }, env)).describe().metadata.NODE_NAME;
    expect(nodeOf({ RIPSTOP_NODE_NAME: 'node-a' })).toBe('node-a');
    expect(nodeOf({})).toBeUndefined();
  });

  it.each([
    [{ RIPSTOP_PORTS: 'some' }, /RIPSTOP_PORTS=some: give one of auto, fixed/],
    [{ RIPSTOP_CONFIG: './mesh' }, /give file:/],
    [{ RIPSTOP_ADMIN: 'x:y' }, /RIPSTOP_ADMIN=x:y/],
    [{ RIPSTOP_LABELS: 'a' }, /"a" is not name=value/],
    [{ RIPSTOP_XDS: 'h:15012' }, /needs its root certificate/],
    [{ RIPSTOP_BOOT_TIMEOUT: 'soon' }, /RIPSTOP_BOOT_TIMEOUT=soon: give seconds/],
  ])('says which setting is wrong: %o', (env, message) => {
    expect(() => resolveSettings({ service: 'x' }, env)).toThrow(message);
  });
});
