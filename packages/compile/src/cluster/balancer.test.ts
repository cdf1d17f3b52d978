import { Cluster, ClusterLoadAssignment, fromProtoJson } from '@ripstop/xds-api';
import { describe, expect, it } from 'vitest';
import { checkAssignment, compileCluster } from './cluster.ts';

const compile = (config: Readonly<Record<string, unknown>>, assignment?: Readonly<Record<string, unknown>>) =>
  compileCluster(
    fromProtoJson(Cluster, { name: 'c', type: 'EDS', ...config }),
    assignment === undefined ? undefined : fromProtoJson(ClusterLoadAssignment, { cluster_name: 'c', ...assignment }),
  );
const typed = (policy: string, config: Readonly<Record<string, unknown>> = {}) => {
  const type = `type.googleapis.com/envoy.extensions.load_balancing_policies.${policy}`;
  return { policies: [{ typed_extension_config: { name: 'lb', typed_config: { '@type': type, ...config } } }] };
};
const subsets = (selector: Readonly<Record<string, unknown>>) => ({ lb_subset_config: { subset_selectors: [selector] } });
const at = (address: string, more: Readonly<Record<string, unknown>> = {}) => ({
  endpoint: { address: { socket_address: { address, port_value: 80 } } },
  ...more,
});

/** A message of one field that is a message (or, with a number, a count). */
function field(number: number, value: Uint8Array | number): Uint8Array {
  return typeof value === 'number' ? Uint8Array.of(number << 3, value) : Uint8Array.of((number << 3) | 2, value.length, ...value);
}

describe('zone aware routing', () => {
  it.each<[config: Readonly<Record<string, unknown>>, zones: unknown]>([
    [{}, undefined],
    [{ common_lb_config: { locality_weighted_lb_config: {} } }, undefined],
    [{ common_lb_config: { zone_aware_lb_config: {} } }, { routingEnabled: 100, minClusterSize: 6, failTrafficOnPanic: false }],
    [
      { common_lb_config: { zone_aware_lb_config: { routing_enabled: { value: 30 }, min_cluster_size: 1, fail_traffic_on_panic: true } } },
      { routingEnabled: 30, minClusterSize: 1, failTrafficOnPanic: true },
    ],
    ...['round_robin.v3.RoundRobin', 'random.v3.Random', 'least_request.v3.LeastRequest'].map(
      (policy): [Readonly<Record<string, unknown>>, unknown] => [
        { load_balancing_policy: typed(policy, { locality_lb_config: { zone_aware_lb_config: { min_cluster_size: 3 } } }) },
        { routingEnabled: 100, minClusterSize: 3, failTrafficOnPanic: false, byWeight: false, forceLocalMinSize: undefined },
      ],
    ),
  ])('%j', (config, zones) => {
    expect(compile(config).zoneAware).toEqual(zones);
  });

  const young = (zones: Uint8Array) => {
    const message = fromProtoJson(Cluster, { name: 'c', type: 'EDS', load_balancing_policy: typed('round_robin.v3.RoundRobin') });
    const policy = message.loadBalancingPolicy!.policies[0]!.typedExtensionConfig!;
    policy.typedConfig = { ...policy.typedConfig!, value: field(2, field(1, zones)) };
    return compileCluster(message, undefined).zoneAware;
  };

  it('reads what is younger than the messages: force_local_zone and locality_basis', () => {
    expect(young(field(5, field(1, field(1, 3))))).toMatchObject({ forceLocalMinSize: 3, byWeight: false });
    expect(young(field(5, new Uint8Array()))).toMatchObject({ forceLocalMinSize: 1 });
    expect(young(field(6, 1))).toMatchObject({ byWeight: true, forceLocalMinSize: undefined });
    expect(() => young(field(6, 2))).toThrow('locality_basis 2 is not supported');
  });
});

describe('weights by load', () => {
  it('read what is younger than the message: slow_start_config and oob_reporting_config', () => {
    const message = fromProtoJson(Cluster, {
      name: 'c',
      type: 'EDS',
      load_balancing_policy: typed('client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin', {
        enable_oob_load_report: true,
        oob_reporting_period: '2s',
      }),
    });
    const policy = message.loadBalancingPolicy!.policies[0]!.typedExtensionConfig!;
    const window = field(1, field(1, 60));
    const where = Uint8Array.of(...field(1, 90), ...field(2, new TextEncoder().encode('orca')));
    const value = Uint8Array.of(...policy.typedConfig!.value, ...field(8, window), ...field(9, where));
    policy.typedConfig = { ...policy.typedConfig!, value };
    expect(compileCluster(message, undefined).balancer).toMatchObject({
      slowStart: { windowMs: 60_000, aggression: 1, minimumShare: 0.1 },
      outOfBand: { periodMs: 2000, port: 90, authority: 'orca' },
    });
  });
});

describe('the balancer of a cluster', () => {
  const slow_start_config = { slow_start_window: '60s', aggression: { default_value: 2 }, min_weight_percent: { value: 25 } };
  const slowStart = { windowMs: 60_000, aggression: 2, minimumShare: 0.25 };

  it.each<[config: Readonly<Record<string, unknown>>, balancer: unknown]>([
    [{}, { kind: 'round_robin', slowStart: undefined }],
    [{ round_robin_lb_config: { slow_start_config } }, { kind: 'round_robin', slowStart }],
    [
      { round_robin_lb_config: { slow_start_config: { slow_start_window: '1s' } } },
      { slowStart: { windowMs: 1000, aggression: 1, minimumShare: 0.1 } },
    ],
    [{ lb_policy: 'RANDOM' }, { kind: 'random' }],
    [{ lb_policy: 'LEAST_REQUEST' }, { kind: 'least_request', choiceCount: 2, activeRequestBias: undefined }],
    [
      {
        lb_policy: 'LEAST_REQUEST',
        least_request_lb_config: { choice_count: 4, active_request_bias: { default_value: 0.5 }, slow_start_config },
      },
      { choiceCount: 4, activeRequestBias: 0.5, slowStart },
    ],
    [{ lb_policy: 'RING_HASH' }, { kind: 'ring_hash', minimumRingSize: 1024, maximumRingSize: 8_388_608, hashFunction: 'xx_hash' }],
    [{ lb_policy: 'MAGLEV' }, { kind: 'maglev', tableSize: 65_537, useHostname: false }],
    [{ load_balancing_policy: typed('round_robin.v3.RoundRobin', { slow_start_config }) }, { kind: 'round_robin', slowStart }],
    [{ load_balancing_policy: typed('random.v3.Random') }, { kind: 'random' }],
    [
      { load_balancing_policy: typed('client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin') },
      { kind: 'load_weighted', blackoutMs: 10_000, expirationMs: 180_000, updateMs: 1000, errorPenalty: 0, metrics: [] },
    ],
    [
      {
        load_balancing_policy: typed('client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin', {
          weight_update_period: '0.01s',
          error_utilization_penalty: 0,
          metric_names_for_computing_utilization: ['named_metrics.q'],
        }),
      },
      { updateMs: 100, errorPenalty: 0, metrics: ['named_metrics.q'] },
    ],
    [
      {
        load_balancing_policy: typed('client_side_weighted_round_robin.v3.ClientSideWeightedRoundRobin', { enable_oob_load_report: true }),
      },
      { outOfBand: { periodMs: 10_000, port: 0, authority: '' }, slowStart: undefined },
    ],
    [
      { load_balancing_policy: typed('least_request.v3.LeastRequest', { selection_method: 'FULL_SCAN' }) },
      { kind: 'least_request', fullScan: true },
    ],
    [{ load_balancing_policy: typed('maglev.v3.Maglev', { table_size: 1009 }) }, { kind: 'maglev', tableSize: 1009 }],
    [
      { load_balancing_policy: { policies: [...typed('nobody.v3.Knows').policies, ...typed('random.v3.Random').policies] } },
      { kind: 'random' },
    ],
  ])('%j', (config, balancer) => {
    expect(compile(config).balancer).toMatchObject(balancer as object);
  });

  it.each<[config: Readonly<Record<string, unknown>>, why: string]>([
    [{ lb_policy: 'LEAST_REQUEST', least_request_lb_config: { choice_count: 1 } }, 'choice_count is 1; it must be at least 2'],
    [
      { lb_policy: 'RING_HASH', ring_hash_lb_config: { minimum_ring_size: 2000, maximum_ring_size: 1000 } },
      'the minimum must not exceed the maximum',
    ],
    [{ lb_policy: 'MAGLEV', maglev_lb_config: { table_size: 1000 } }, 'table_size is 1000; it must be a prime'],
    [{ load_balancing_policy: typed('nobody.v3.Knows') }, 'is supported'],
    [
      { lb_policy: 'RING_HASH', common_lb_config: { consistent_hashing_lb_config: { hash_balance_factor: 99 } } },
      'hash_balance_factor is 99; it must be at least 100',
    ],
    [subsets({ keys: ['v', 'w'], single_host_per_subset: true }), 'single_host_per_subset needs exactly one key'],
    [subsets({ keys: ['v', 'w'], fallback_policy: 'KEYS_SUBSET' }), 'fallback_keys_subset is empty'],
    [subsets({ keys: ['v'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['x'] }), 'fallback_keys_subset names other keys'],
    [subsets({ keys: ['v'], fallback_policy: 'KEYS_SUBSET', fallback_keys_subset: ['v'] }), 'must leave a key out'],
    [{ lb_subset_config: { subset_selectors: [{ keys: ['v'] }], scale_locality_weight: true } }, 'scale_locality_weight is not supported'],
  ])('is refused: %j', (config, why) => {
    expect(() => compile(config)).toThrow(why);
  });

  it('localities are weighed where either form says so', () => {
    const locality_weighted_lb_config = {};
    const forms = [
      {},
      { common_lb_config: { locality_weighted_lb_config } },
      { load_balancing_policy: typed('round_robin.v3.RoundRobin', { locality_lb_config: { locality_weighted_lb_config } }) },
      { load_balancing_policy: typed('ring_hash.v3.RingHash', { locality_weighted_lb_config }) },
    ];
    expect(forms.map((config) => compile(config).localityWeighted)).toEqual([false, true, true, true]);
  });
});

describe('thresholds, outlier detection and load of a cluster', () => {
  it('have Envoy’s defaults', () => {
    const { thresholds, outlier, panicThreshold } = compile({ outlier_detection: {} });
    expect(thresholds).toEqual({
      maxConnections: 1024,
      maxPendingRequests: 1024,
      maxRequests: 1024,
      maxRetries: 3,
      retryBudget: undefined,
    });
    expect(panicThreshold).toBe(50);
    expect(outlier).toEqual({
      consecutive5xx: 5,
      consecutiveGatewayFailure: 5,
      consecutiveLocalOriginFailure: 5,
      splitExternalLocalOrigin: false,
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      maxEjectionJitterMs: 0,
      maxEjectionPercent: 10,
      alwaysEjectOneHost: false,
      uneject: true,
      enforcing5xxPercent: 100,
      enforcingGatewayPercent: 0,
      enforcingLocalOriginPercent: 100,
      successRate: { enforcingPercent: 100, enforcingLocalOriginPercent: 100, minimumHosts: 5, requestVolume: 100, stdevFactor: 1900 },
      failurePercentage: { enforcingPercent: 0, enforcingLocalOriginPercent: 0, threshold: 85, minimumHosts: 5, requestVolume: 50 },
    });
    expect(compile({ outlier_detection: { base_ejection_time: '400s' } }).outlier?.maxEjectionMs).toBe(400_000);
  });

  it('the first thresholds of the default priority count, budgets with 20 % and 3', () => {
    const thresholds = [{ priority: 'HIGH', max_requests: 1 }, { max_requests: 2, retry_budget: {} }, { max_requests: 3 }];
    expect(compile({ circuit_breakers: { thresholds } }).thresholds).toMatchObject({
      maxRequests: 2,
      retryBudget: { percent: 20, minimumConcurrency: 3 },
    });
  });

  it('EDS says how much to overprovision and to drop, and names hash keys', () => {
    const policy = {
      overprovisioning_factor: 200,
      drop_overloads: [{ category: 'x', drop_percentage: { numerator: 5, denominator: 'TEN_THOUSAND' } }],
    };
    const endpoints = [
      { lb_endpoints: [at('10.0.0.1', { metadata: { filter_metadata: { 'envoy.lb': { hash_key: 'me' } } } }), at('10.0.0.2')] },
    ];
    const spec = compile({}, { policy, endpoints });
    expect(spec).toMatchObject({ overprovisioningFactor: 200, dropOverloadPercent: 0.05 });
    expect(spec.localities[0]!.endpoints.map(({ hashKey }) => hashKey)).toEqual(['me', undefined]);
  });

  it.each<[assignment: Readonly<Record<string, unknown>>, why: string]>([
    [{ endpoints: [{ lb_endpoints: [at('10.0.0.1', { load_balancing_weight: 0 })] }] }, 'load_balancing_weight is 0'],
    [{ endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: {} } } }] }] }, 'the path of its pipe is empty'],
    [{ endpoints: [{ lb_endpoints: [{ endpoint: {} }] }] }, 'must have a socket address or a pipe, not nothing'],
    [{ policy: { drop_overloads: [{ category: 'a' }, { category: 'b' }] } }, '2 drop_overloads'],
  ])('endpoints are refused alone: %j', (assignment, why) => {
    expect(() => checkAssignment(fromProtoJson(ClusterLoadAssignment, { cluster_name: 'c', ...assignment }))).toThrow(why);
  });
});
