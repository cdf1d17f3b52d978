import { HttpConnectionManager, type TypedExtensionConfig } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { compileManager, type ManagerEnv } from './http-connection-manager.ts';

const env: ManagerEnv = {
  random: () => 0,
  filterEnv: {
    clock: { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) },
    random: () => 0,
    direction: 'inbound',
    state: (_key, create) => create(),
  },
  registry: new Map(),
  appFilters: [],
  extensions: () => 'absent',
  routes: () => undefined,
};
const EXTENSION: TypedExtensionConfig = { name: 'mine', typedConfig: undefined };
const manager = (fields: Partial<HttpConnectionManager>): HttpConnectionManager =>
  HttpConnectionManager.fromPartial({ routeSpecifier: { $case: 'routeConfig', value: { name: 'a' } }, ...fields });

describe('a connection manager', () => {
  it.each([
    ['original_ip_detection_extensions', { originalIpDetectionExtensions: [EXTENSION] }],
    ['early_header_mutation_extensions', { earlyHeaderMutationExtensions: [EXTENSION] }],
  ])('with %s is refused: policies would judge another request', (field, fields) => {
    expect(() => compileManager('a', manager(fields), env)).toThrow(`${field}: mine is not supported`);
    expect(compileManager('a', manager({}), env).name).toBe('a');
  });

  it('keeps connections an hour by default, and as its options say', () => {
    expect(compileManager('a', manager({}), env).connectionLimits).toEqual({
      idleTimeoutMs: 3_600_000,
      maxDurationMs: 0,
      maxRequests: 0,
      drainTimeoutMs: 5_000,
    });
    const seconds = (count: number) => ({ seconds: count, nanos: 0 });
    const commonHttpProtocolOptions = {
      idleTimeout: seconds(0),
      maxConnectionDuration: seconds(7),
      maxRequestsPerConnection: 3,
      maxHeadersCount: 50,
    };
    const message = HttpConnectionManager.fromPartial({ ...manager({}), commonHttpProtocolOptions, drainTimeout: seconds(1) });
    const { connectionLimits, maxHeaders } = compileManager('a', message, env);
    expect(connectionLimits).toEqual({ idleTimeoutMs: 0, maxDurationMs: 7_000, maxRequests: 3, drainTimeoutMs: 1_000 });
    expect(maxHeaders).toBe(50);
  });

  it('says how much HTTP/2 callers may have open at once where its options do', () => {
    const limitsOf = (http2ProtocolOptions: object) =>
      compileManager('a', HttpConnectionManager.fromPartial({ ...manager({}), http2ProtocolOptions }), env).http2Limits;
    const none = { maxConcurrentStreams: undefined, streamWindowBytes: undefined, connectionWindowBytes: undefined };
    expect([compileManager('a', manager({}), env).http2Limits, limitsOf({})]).toEqual([undefined, undefined]);
    expect(limitsOf({ maxConcurrentStreams: 3 })).toEqual({ ...none, maxConcurrentStreams: 3 });
    expect(limitsOf({ initialStreamWindowSize: 65_535 })).toEqual({ ...none, streamWindowBytes: 65_535 });
    expect(limitsOf({ initialConnectionWindowSize: 70_000 })).toEqual({ ...none, connectionWindowBytes: 70_000 });
  });
});
