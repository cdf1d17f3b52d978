import { createTcpExchange, type Exchange, type FilterChain, NO_PEER, type Peer, type Snapshot } from '@ripstop/core';
import {
  ConnectionLimit,
  HttpConnectionManager,
  Listener,
  NetworkExtAuthz,
  NetworkLocalRateLimit,
  NetworkRbac,
  packAny,
  RBAC_Action,
  TcpProxy,
  TypedStruct,
  typeUrlOf,
} from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import type { ManagerEnv } from './http-connection-manager.ts';
import { compileChains, decodeListener } from './listener.ts';
import { standardFilters } from './registry.ts';

type NetworkFilter = NonNullable<Listener['filterChains'][number]['filters']>[number];
type Principals = NonNullable<NetworkRbac['rules']>['policies'][string]['principals'];
type Permissions = NonNullable<NetworkRbac['rules']>['policies'][string]['permissions'];

function filter(name: string, value: ReturnType<typeof packAny>): NetworkFilter {
  return { name, configType: { $case: 'typedConfig', value } };
}

function proxy(
  fields: Parameters<typeof TcpProxy.fromPartial>[0] = { clusterSpecifier: { $case: 'cluster', value: 'app' } },
): NetworkFilter {
  return filter('envoy.filters.network.tcp_proxy', packAny(TcpProxy, TcpProxy.fromPartial(fields)));
}

function rbac(action: RBAC_Action, permissions: Permissions, principals: Principals): NetworkFilter {
  const rules = { action, policies: { p: { permissions, principals } } };
  return filter('envoy.filters.network.rbac', packAny(NetworkRbac, NetworkRbac.fromPartial({ statPrefix: 'tcp.', rules })));
}

function struct(type: string, value: object): NetworkFilter {
  return filter(type, packAny(TypedStruct, { typeUrl: typeUrlOf(type), value } as TypedStruct));
}

/** As it is encoded. */
function mongo(value: Uint8Array): NetworkFilter {
  return filter('mongo', { typeUrl: typeUrlOf(MONGO), value: Buffer.from(value) });
}

const MONGO = 'envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy';

const ENV = {
  random: () => 0.75,
  filterEnv: { clock: { now: () => 0 }, direction: 'outbound', state: (_key: string, create: () => unknown) => create() },
  registry: new Map(standardFilters().map((factory) => [factory.typeUrl, factory])),
  appFilters: [],
  routes: () => undefined,
} as unknown as ManagerEnv;

function compile(filters: readonly NetworkFilter[]): FilterChain {
  const listener = Listener.fromPartial({ name: '0.0.0.0_9000', filterChains: [{ name: 'c', filters: [...filters] }] });
  return compileChains(decodeListener(listener, true), ENV).chains[0]!;
}

function connection(chain: FilterChain, peer: Partial<Peer> = {}): Exchange {
  return createTcpExchange({ proxy: chain.tcp!, snapshot: {} as Snapshot, peer: { ...NO_PEER, ...peer }, port: 9000, startedAt: 0 });
}

const ANY_PRINCIPAL = { identifier: { $case: 'any', value: true } } as const;
const ANY_PERMISSION = { rule: { $case: 'any', value: true } } as const;

describe('a chain of bytes', () => {
  it('leads to its cluster, or to one that is drawn by weight', () => {
    const one = compile([proxy()]);
    expect(one.tcp!.chooseCluster(connection(one))).toBe('app');
    expect(one.tcp).toMatchObject({ idleTimeoutMs: 3_600_000, maxDurationMs: 0, maxConnectAttempts: 1 });
    const clusters = [
      { name: 'a', weight: 70 },
      { name: 'b', weight: 30 },
    ];
    const split = compile([
      proxy({ clusterSpecifier: { $case: 'weightedClusters', value: { clusters } }, idleTimeout: { seconds: 5, nanos: 0 } }),
    ]);
    expect(split.tcp!.chooseCluster(connection(split))).toBe('b');
    expect(split.tcp!.idleTimeoutMs).toBe(5_000);
  });

  it.each([
    ['its port', { rule: { $case: 'destinationPort', value: 9000 } }, {}],
    [
      'its name',
      { rule: { $case: 'requestedServerName', value: { matchPattern: { $case: 'suffix', value: '.test' } } } },
      { sni: 'a.test' },
    ],
    ['its address', { rule: { $case: 'destinationIp', value: { addressPrefix: '10.0.0.0', prefixLen: 8 } } }, { localAddress: '10.1.1.1' }],
  ] as const)('is denied by %s', (_what, permission, peer) => {
    const chain = compile([rbac(RBAC_Action.DENY, [permission as Permissions[number]], [ANY_PRINCIPAL]), proxy()]);
    const [judge] = chain.tcp!.filters;
    expect(judge!.onRequest!(connection(chain, peer))).toMatchObject({ details: 'rbac_access_denied_matched_policy[p]' });
  });

  it('admits callers by certificate and address only', () => {
    const name = { matchPattern: { $case: 'exact', value: 'spiffe://td/ns/a/sa/b' } } as const;
    const chain = compile([
      rbac(RBAC_Action.ALLOW, [ANY_PERMISSION], [
        {
          identifier: {
            $case: 'andIds',
            value: {
              ids: [
                { identifier: { $case: 'authenticated', value: { principalName: name } } },
                { identifier: { $case: 'directRemoteIp', value: { addressPrefix: '10.0.0.0', prefixLen: 8 } } },
              ],
            },
          },
        },
      ] as Principals),
      proxy(),
    ]);
    const [judge] = chain.tcp!.filters;
    const caller = { mtls: true, uriSans: ['spiffe://td/ns/a/sa/b'], address: '10.0.0.1' };
    expect(judge!.onRequest!(connection(chain, caller))).toBeUndefined();
    expect(judge!.onRequest!(connection(chain, { ...caller, address: '11.0.0.1' }))).toMatchObject({
      details: 'rbac_access_denied_matched_policy[none]',
    });
    expect(judge!.onRequest!(connection(chain, { address: '10.0.0.1' }))).toBeDefined();
  });

  it.each([
    [
      'an external authorizer that nobody can ask',
      [filter('ask', packAny(NetworkExtAuthz, NetworkExtAuthz.fromPartial({ statPrefix: 'x' }))), proxy()],
      /no grpc_service/,
    ],
    ['a filter that nobody knows', [struct('some.Filter', { a: 1 }), proxy()], /some\.Filter/],
    ['a plugin by discovery', [{ name: 'wasm', configType: undefined }, proxy()], /network filter wasm is not supported/],
    ['a tunnel', [proxy({ clusterSpecifier: { $case: 'cluster', value: 'app' }, tunnelingConfig: { hostname: 'x' } })], /tunnelling/],
    [
      'a delay for MongoDB',
      [struct('envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy', { stat_prefix: 'm', delay: {} }), proxy()],
      /mongo_proxy/,
    ],
    [
      'a filter for MongoDB that does more than count, written as a message',
      [mongo(Uint8Array.of(0x0a, 1, 0x6d, 0x12, 0)), proxy()],
      /mongo_proxy/,
    ],
    ['one whose first field is another', [mongo(Uint8Array.of(0x12, 1, 0x6d)), proxy()], /mongo_proxy/],
    ['one that says nothing', [mongo(new Uint8Array()), proxy()], /mongo_proxy/],
    ['no end', [], /no filter that serves it/],
  ])('with %s lets nobody in', (_what, filters, reason) => {
    const chain = compile(filters as NetworkFilter[]);
    expect(chain).toMatchObject({ http: undefined, tcp: undefined });
    expect(chain.refused).toMatch(reason);
  });

  it('is carried behind filters that only tell of it', () => {
    const chain = compile([
      struct('envoy.tcp.metadataexchange.config.MetadataExchange', { protocol: 'istio-peer-exchange' }),
      struct('envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy', { stat_prefix: 'm' }),
      mongo(Uint8Array.of(0x0a, 1, 0x6d)),
      struct('stats.PluginConfig', {}),
      proxy(),
    ]);
    expect(chain.refused).toBeUndefined();
    expect(chain.tcp!.filters).toEqual([]);
  });
});

const MANAGER = filter(
  'hcm',
  packAny(HttpConnectionManager, HttpConnectionManager.fromPartial({ routeSpecifier: { $case: 'routeConfig', value: { name: 'r' } } })),
);

describe('a chain of requests', () => {
  it('is refused behind a network filter that is not enforced', () => {
    const manager = MANAGER;
    expect(compile([manager]).http).toBeDefined();
    expect(() => compile([struct('some.Filter', {}), manager])).toThrow(/filter chain c: network filter some\.Filter .* is not supported/);
    expect(() => compile([struct('envoy.extensions.filters.network.direct_response.v3.Config', {}), manager])).toThrow(/is not supported/);
  });

  it('asks the filters that stand in front of it, limits first, and is as it was without any', () => {
    const limit = filter('limit', packAny(ConnectionLimit, ConnectionLimit.fromPartial({ statPrefix: 'l', maxConnections: 1 })));
    const bucket = { maxTokens: 1, fillInterval: { seconds: 60, nanos: 0 } };
    const rate = filter(
      'rate',
      packAny(NetworkLocalRateLimit, NetworkLocalRateLimit.fromPartial({ statPrefix: 'r', tokenBucket: bucket })),
    );
    const deny = rbac(RBAC_Action.DENY, [ANY_PERMISSION], [ANY_PRINCIPAL]);
    expect(compile([MANAGER]).admission).toBeUndefined();
    const { admission } = compile([deny, limit, rate, MANAGER]);
    expect(admission!.filters.map(({ name }) => name)).toEqual([
      'envoy.filters.network.connection_limit',
      'envoy.filters.network.local_ratelimit',
      'envoy.filters.network.rbac',
    ]);
    expect(compile([deny, limit, rate, MANAGER]).admission!.key).toBe(admission!.key);
    expect(compile([deny, MANAGER]).admission!.key).not.toBe(admission!.key);
  });

  it.each([
    ['no limit', ConnectionLimit, { statPrefix: 'l' }, /max_connections must be above 0/],
    ['a limit without a name', ConnectionLimit, { maxConnections: 1 }, /stat_prefix is empty/],
    ['no bucket', NetworkLocalRateLimit, { statPrefix: 'r' }, /max_tokens must be above 0/],
    ['a bucket that fills too fast', NetworkLocalRateLimit, { statPrefix: 'r', tokenBucket: { maxTokens: 1 } }, /fill_interval must be/],
  ])('with %s is refused', (_what, type, fields, reason) => {
    const judge = filter('judge', packAny(type as typeof ConnectionLimit, type.fromPartial(fields as never) as never));
    expect(() => compile([judge, MANAGER])).toThrow(reason);
  });

  it('has no limit that is switched off', () => {
    const runtimeEnabled = { defaultValue: false, runtimeKey: 'a' };
    const fields = ConnectionLimit.fromPartial({ statPrefix: 'l', maxConnections: 1, runtimeEnabled });
    expect(compile([filter('limit', packAny(ConnectionLimit, fields)), MANAGER]).admission).toBeUndefined();
  });
});
