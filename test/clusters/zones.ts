/** Healthy and unhealthy hosts of a zone: `[3, 1]` = four, of which one is down. */
export type ZoneSize = readonly [healthy: number, unhealthy: number];

/** Clusters with hosts in zones, the cluster that the caller is one of, and the share of the requests that each zone gets in Envoy. */
export interface ZoneScenario {
  readonly name: string;
  /** The caller is in zone `a`. */
  readonly local: Readonly<Record<string, ZoneSize>>;
  readonly upstream: Readonly<Record<string, ZoneSize>>;
  /** Proto JSON of common_lb_config. */
  readonly common?: object;
  /** Proto JSON of the locality_lb_config of a typed round robin, in the place of `common`. */
  readonly typed?: object;
  /** It has fields that our messages do not have: packages/compile/src/cluster/balancer.test.ts reads them from bytes. */
  readonly young?: true;
  /** By zone; `-` = 503. They add up to 1. */
  readonly shares: Readonly<Record<string, number>>;
}

const three: ZoneSize = [3, 0];
const even = { a: three, b: three };
const zone = (zone_aware_lb_config: object): object => ({ zone_aware_lb_config });

export const ZONES: readonly ZoneScenario[] = [
  { name: 'as many here as there', local: even, upstream: even, shares: { a: 1 } },
  { name: 'more of the upstream here than of us', local: { a: [1, 0], b: [3, 0] }, upstream: even, shares: { a: 1 } },
  { name: 'less of the upstream here: the rest crosses', local: even, upstream: { a: [2, 0], b: [6, 0] }, shares: { a: 0.5, b: 0.5 } },
  {
    name: 'what crosses goes where capacity is left',
    local: { a: [4, 0], b: [4, 0], c: [2, 0] },
    upstream: { a: [2, 0], b: [4, 0], c: [2, 0] },
    // 4000 of us to 2500 of them here: 62.5 % stays. Left are 1000 in b and 500 in c.
    shares: { a: 0.625, b: 0.375 * (2 / 3), c: 0.375 * (1 / 3) },
  },
  { name: 'too small a cluster', local: even, upstream: { a: [1, 0], b: [4, 0] }, shares: { a: 0.2, b: 0.8 } },
  {
    name: 'a small one that need not be larger',
    local: even,
    upstream: { a: [2, 0], b: [2, 0] },
    common: zone({ min_cluster_size: 2 }),
    shares: { a: 1 },
  },
  {
    name: 'for half of the requests',
    local: even,
    upstream: even,
    common: zone({ routing_enabled: { value: 50 } }),
    shares: { a: 0.75, b: 0.25 },
  },
  { name: 'nobody of the upstream is here', local: even, upstream: { b: three, c: three }, shares: { b: 0, c: 1 } },
  { name: 'we are all in one zone', local: { a: three }, upstream: even, shares: { a: 0.5, b: 0.5 } },
  { name: 'nobody of us is here', local: { b: three, c: three }, upstream: even, shares: { a: 0.5, b: 0.5 } },
  {
    name: 'another number of zones',
    local: even,
    upstream: { a: three, b: three, c: three },
    shares: { a: 3333 / 5000, c: 1 - 3333 / 5000 },
  },
  {
    name: 'hosts that are down do not count',
    local: even,
    upstream: { a: [2, 2], b: [4, 0] },
    shares: { a: 3333 / 5000, b: 1 - 3333 / 5000 },
  },
  {
    name: 'panic of the upstream',
    local: even,
    upstream: { a: [1, 5], b: [1, 5] },
    common: { healthy_panic_threshold: { value: 50 }, zone_aware_lb_config: { min_cluster_size: 1 } },
    shares: { a: 0.5, b: 0.5 },
  },
  {
    name: 'panic of the upstream that fails traffic',
    local: even,
    upstream: { a: [1, 5], b: [1, 5] },
    common: { healthy_panic_threshold: { value: 50 }, zone_aware_lb_config: { min_cluster_size: 1, fail_traffic_on_panic: true } },
    shares: { '-': 1 },
  },
  { name: 'panic among ourselves', local: { a: [1, 5], b: [1, 5] }, upstream: even, shares: { a: 0.5, b: 0.5 } },
  {
    name: 'panic among ourselves that fails traffic',
    local: { a: [1, 5], b: [1, 5] },
    upstream: even,
    common: zone({ fail_traffic_on_panic: true }),
    shares: { '-': 1 },
  },
  { name: 'typed: as many here as there', local: even, upstream: even, typed: zone({}), shares: { a: 1 } },
  {
    name: 'typed: too many of us here, and forced',
    local: { a: [9, 0], b: [1, 0] },
    upstream: { a: three, b: [6, 0] },
    typed: zone({ force_local_zone: { min_size: 3 } }),
    young: true,
    shares: { a: 1 },
  },
  {
    name: 'typed: too many of us here, and too few of them to force it',
    local: { a: [5, 0], b: [5, 0] },
    upstream: { a: three, b: [9, 0] },
    typed: zone({ force_local_zone: { min_size: 4 } }),
    young: true,
    shares: { a: 0.5, b: 0.5 },
  },
];

/** The two clusters of a scenario as proto JSON; hosts have the ports of their zone, whatever their number. */
export function zoneClusters(
  { local, upstream, common = {}, typed }: ZoneScenario,
  name: string,
  address: (zone: string, index: number) => object,
): object[] {
  const round = 'type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin';
  const policy = { name: 'zones', typed_config: { '@type': round, locality_lb_config: typed } };
  const balancing =
    typed === undefined ? { common_lb_config: common } : { load_balancing_policy: { policies: [{ typed_extension_config: policy }] } };
  return [{ ...clusterOf(`${name}-local`, local, address) }, { ...clusterOf(name, upstream, address), ...balancing }];
}

function clusterOf(name: string, zones: ZoneScenario['local'], address: (zone: string, index: number) => object): object {
  const endpoints = Object.entries(zones).map(([zone, [healthy, unhealthy]]) => ({
    locality: { zone },
    lb_endpoints: Array.from({ length: healthy + unhealthy }, (_none, index) => ({
      endpoint: { address: address(zone, index) },
      health_status: index < healthy ? 'HEALTHY' : 'UNHEALTHY',
    })),
  }));
  return { name, type: 'STATIC', connect_timeout: '1s', load_assignment: { cluster_name: name, endpoints } };
}

/** Envoy counts per myriad, and a draw of exactly 0 goes to the first locality. */
const ROUNDING = 0.005;

/** How many of `calls` are off by more than chance allows (4.5 standard deviations), zone by zone; empty when none is. */
export function offShares(shares: ZoneScenario['shares'], counts: ReadonlyMap<string, number>, calls: number): string[] {
  return [...new Set([...Object.keys(shares), ...counts.keys()])].flatMap((zone) => {
    const wanted = shares[zone] ?? 0;
    const got = (counts.get(zone) ?? 0) / calls;
    const tolerance = 4.5 * Math.sqrt((wanted * (1 - wanted)) / calls) + ROUNDING;
    return Math.abs(got - wanted) <= tolerance ? [] : [`${zone}: ${wanted.toFixed(3)} ± ${tolerance.toFixed(3)}, got ${got.toFixed(3)}`];
  });
}
