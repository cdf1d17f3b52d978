import { ClusterStates, type Exchange, type Filter } from '@ripstop/core';
import {
  type Any,
  CLUSTER_TYPE_URL,
  EXTENSION_TYPE_URL,
  fromProtoJson,
  LISTENER_TYPE_URL,
  Listener,
  TypedExtensionConfig,
} from '@ripstop/xds-api';
import { beforeEach, describe, expect, it } from 'vitest';
import { standardFilters } from './registry.ts';
import { SnapshotCompiler } from './snapshot-compiler.ts';

const TYPE = 'type.googleapis.com/';
const FAULT = `${TYPE}envoy.extensions.filters.http.fault.v3.HTTPFault`;
const WASM = `${TYPE}envoy.extensions.filters.http.wasm.v3.Wasm`;
const RBAC = `${TYPE}envoy.extensions.filters.http.rbac.v3.RBAC`;
const aborts = (status: number): object => ({ '@type': FAULT, abort: { http_status: status, percentage: { numerator: 100 } } });

const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({ cancel() {} }) };
const random = (): number => 0;

/** A server whose connection manager has discovered filters. */
function listener(...filters: readonly object[]): Uint8Array {
  const manager = {
    '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'in',
    route_config: { name: 'in', virtual_hosts: [] },
    http_filters: filters,
  };
  const chain = { name: 'in', filters: [{ name: 'http', typed_config: manager }] };
  return Listener.encode(fromProtoJson(Listener, { name: 'virtualInbound', filter_chains: [chain] })).finish();
}

const discovered = (name: string, more: object = {}): object => ({
  name,
  config_discovery: { config_source: { ads: {} }, type_urls: [FAULT], ...more },
});

function extension(name: string, typed_config: object): Uint8Array {
  return TypedExtensionConfig.encode(fromProtoJson(TypedExtensionConfig, { name, typed_config })).finish();
}

describe('a discovered configuration (ECDS)', () => {
  let compiler: SnapshotCompiler;
  beforeEach(() => {
    const clusterStates = new ClusterStates({ clock, random, resolveDns: async () => [] });
    compiler = new SnapshotCompiler({ clock, random, filters: standardFilters(), clusterStates });
    compiler.apply({ typeUrl: CLUSTER_TYPE_URL, version: '1', resources: [], removed: [], full: true });
  });

  function apply(typeUrl: string, name: string, body: Uint8Array | undefined): readonly string[] {
    const resources = body === undefined ? [] : [{ name, version: '1', body }];
    const update = { typeUrl, version: '1', resources, removed: body === undefined ? [name] : [], full: false };
    return compiler.apply(update).map(({ reason }) => reason);
  }
  const listen = (...filters: readonly object[]): readonly string[] => apply(LISTENER_TYPE_URL, 'virtualInbound', listener(...filters));
  const serve = (name: string, config: object | undefined): readonly string[] =>
    apply(EXTENSION_TYPE_URL, name, config && extension(name, config));

  /** Statuses that the filters of requests without a route answer; undefined: they pass. */
  async function answers(): Promise<readonly (number | undefined)[] | 'none'> {
    const filters: readonly Filter[] | undefined = compiler.build()?.inbound[0]?.http?.defaultFilters;
    if (filters === undefined) return 'none';
    const x = { request: { header: () => undefined } } as unknown as Exchange;
    return Promise.all(filters.map(async (filter) => (await filter.onRequest?.(x))?.status));
  }

  it('is asked for by the name of the filter, and waited for', async () => {
    listen(discovered('f'));
    expect([compiler.wanted().extensions, compiler.missing()]).toEqual([['f'], ['filter configuration (ECDS) f']]);
    expect(await answers()).toBe('none');
    expect(serve('f', aborts(418))).toEqual([]);
    expect(await answers()).toEqual([418]);
  });

  it('changes without its listener, and stays when a new one is refused', async () => {
    listen(discovered('f'));
    serve('f', aborts(418));
    await answers();
    serve('f', aborts(429));
    expect(await answers()).toEqual([429]);
    expect(serve('f', { '@type': RBAC })).toEqual([
      'http filter f: a configuration is of type envoy.extensions.filters.http.rbac.v3.RBAC, expected envoy.extensions.filters.http.fault.v3.HTTPFault',
    ]);
    expect(serve('f', { '@type': FAULT, max_active_faults: 1, response_rate_limit: {} })).toHaveLength(1);
    expect(await answers()).toEqual([429]);
  });

  it.each([
    ['it is removed', () => serve('f', undefined)],
    ['the first one is refused', () => serve('f', { '@type': RBAC })],
    ['its time is up', () => compiler.giveUp({ typeUrl: EXTENSION_TYPE_URL, name: 'f', fetchTimeoutMs: 0 })],
  ])('is the default one when %s, else requests end with 500', async (_what, lose) => {
    listen(discovered('f', { default_config: aborts(418) }));
    lose();
    expect(await answers()).toEqual([418]);
    listen(discovered('f'));
    expect(await answers()).toEqual([500]);
    serve('f', aborts(429));
    expect(await answers()).toEqual([429]);
  });

  it('is not waited for when the default one is to be applied at once', async () => {
    listen(discovered('f', { default_config: aborts(418), apply_default_config_without_warming: true }));
    expect([compiler.awaited(), await answers()]).toEqual([[], [418]]);
  });

  it('is waited for by a new version of its listener only', async () => {
    listen(discovered('f', { default_config: aborts(418), apply_default_config_without_warming: true }));
    await answers();
    listen(discovered('g'));
    expect([compiler.missing(), compiler.awaited().map(({ name }) => name)]).toEqual([[], ['g']]);
    expect(await answers()).toEqual([418]);
    serve('g', aborts(429));
    expect(await answers()).toEqual([429]);
  });

  it('is the default one where the one that is there is of another type', async () => {
    listen(discovered('f'));
    serve('f', aborts(418));
    listen(discovered('f', { type_urls: [RBAC], default_config: { '@type': RBAC } }));
    expect(await answers()).toEqual([]);
  });

  it.each([
    ['another source than ADS', { config_source: { path_config_source: { path: '/x' } } }, 'config_discovery by pathConfigSource is not'],
    ['no types', { type_urls: [] }, 'config_discovery has no type_urls'],
    ['a default one of another type', { default_config: { '@type': RBAC } }, 'is of type envoy.extensions.filters.http.rbac.v3.RBAC'],
    ['a default one that is unknown', { type_urls: ['x/a.B'], default_config: { '@type': 'x/a.B' } }, '(a.B) is not supported'],
    ['no default one to apply at once', { apply_default_config_without_warming: true }, 'has no default_config'],
  ])('is refused with its listener for %s', (_what, more, why) => {
    expect(listen(discovered('f', more))[0]).toContain(`http filter f: `);
    expect(listen(discovered('f', more))[0]).toContain(why);
  });

  it('of a plugin for Wasm lets requests pass where it fails open, else refuses them', async () => {
    listen(discovered('f', { type_urls: [WASM] }));
    const plugin = (...config: readonly number[]): Uint8Array =>
      TypedExtensionConfig.encode({
        name: 'f',
        typedConfig: { typeUrl: WASM, value: Buffer.from([0x0a, config.length, ...config]) } as Any,
      }).finish();
    const serveWasm = (...config: readonly number[]): readonly string[] => apply(EXTENSION_TYPE_URL, 'f', plugin(...config));
    // PluginConfig: 5 = fail_open, 7 = failure_policy.
    for (const [config, answer] of [
      [[0x28, 1], []],
      [[0x38, 3], []],
      [[0x38, 2], [403]],
      [[0x38, 1], [403]],
      [[], [403]],
    ] as const) {
      serveWasm(...config);
      expect(await answers()).toEqual(answer);
    }
  });
});
