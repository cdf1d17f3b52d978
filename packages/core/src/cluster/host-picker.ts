import type { Warmup } from '../balancer/balancer.ts';
import { boundedLoad } from '../balancer/bounded-load.ts';
import { EdfScheduler } from '../balancer/edf.ts';
import { leastRequest } from '../balancer/least-request.ts';
import { loadWeighted } from '../balancer/load-weighted.ts';
import { maglev, randomHash, ringHash, type Share } from '../balancer/ring-hash.ts';
import { headStart, randomBalancer, roundRobin } from '../balancer/round-robin.ts';
import { slowStart } from '../balancer/slow-start.ts';
import type { Clock, Random } from '../ports.ts';
import type { Locality } from './cluster.ts';
import type { BalancerSpec, ClusterSpec } from './cluster-spec.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { MatchCriteria } from './lb-metadata.ts';
import type { Pick } from './pick.ts';
import { loadWithoutTried } from './previous-priorities.ts';
import { availability, OVERPROVISIONING, type PriorityHosts, type PriorityLoad, priorityLoad } from './priority-load.ts';
import { SubsetPicker } from './subset-picker.ts';
import { inPanic, type LocalHosts, ZONE_AWARE_DEFAULT, zoneBalancer, zoneRouting } from './zone-aware.ts';

type Source = 'all' | 'healthy' | 'degraded';

/** A priority that was chosen outside (aggregate clusters). */
export interface Level {
  readonly priority: number;
  readonly source: Source;
}

type Load = Omit<PriorityLoad, 'panic'>;

/** What a retry wants of the choice of a priority (previous_priorities). */
export interface TriedPriorities {
  readonly tried: readonly number[];
  readonly frequency: number;
}

/** What a pick looks at: an exchange is one. */
export interface PickRequest {
  readonly hash: bigint | undefined;
  /** For clusters with subsets. */
  readonly criteria?: MatchCriteria | undefined;
  readonly metadata?: ReadonlyMap<string, Readonly<Record<string, unknown>>> | undefined;
}

export interface HostPicker {
  /** Undefined: no host may be picked (UH). `attempt` = reselection index within one pick. */
  pick(request: PickRequest, attempt: number, tried?: TriedPriorities, level?: Level): EndpointState | undefined;
}

/** How many hosts there are of each priority, and how they are. */
export function countHosts(hosts: readonly EndpointState[]): readonly PriorityHosts[] {
  return groupByPriority(hosts).map((group) => ({
    total: group.length,
    healthy: group.filter((host) => host.usable).length,
    degraded: group.filter((host) => host.degraded).length,
  }));
}

export interface PickerEnv {
  readonly clock: Clock;
  readonly random: Random;
  /** In flight to the cluster. */
  readonly activeRequests: () => number;
  /** For zone aware routing: the process's own cluster, if it has told which that is. */
  readonly local?: (() => LocalHosts | undefined) | undefined;
}

/**
 * Priority, then locality, then host: rebuilt whole whenever hosts, health or ejections change, so that a pick is draws and array
 * look-ups. Hashed balancers choose the priority by the hash and have one ring over all localities, so that a key stays where it is.
 */
export function buildPicker(spec: ClusterSpec, hosts: readonly EndpointState[], env: PickerEnv): HostPicker {
  const { subsets } = spec;
  if (subsets !== undefined) {
    const inside: ClusterSpec = { ...spec, subsets: undefined, localityWeighted: spec.localityWeighted && subsets.localityWeightAware };
    return new SubsetPicker(subsets, hosts, (some) => buildPicker(inside, some, env));
  }
  if (hosts.length === 0) return { pick: () => undefined };
  const groups = groupByPriority(hosts).map((group) => new PriorityGroup(spec, group, env));
  const counts = groups.map(({ all, healthy, degraded }) => ({ total: all.length, healthy: healthy.length, degraded: degraded.length }));
  const overprovisioning = spec.overprovisioningFactor ?? OVERPROVISIONING;
  const load = priorityLoad(counts, spec.panicThreshold, overprovisioning);
  const sourceOf = (priority: number, wanted: Source): Source => (load.panic[priority] ? 'all' : wanted);
  const pickAt = (hash: bigint | undefined, attempt: number, { priority, source }: Level): EndpointState | undefined =>
    groups[priority]?.balancer(sourceOf(priority, source))?.pick(hash, attempt);
  if (groups.length === 1 && load.healthy[0] === 100) {
    const only = groups[0]!.balancer(sourceOf(0, 'healthy'));
    return {
      pick: ({ hash }, attempt, _tried, level) => (level === undefined ? only?.pick(hash, attempt) : pickAt(hash, attempt, level)),
    };
  }
  const hashed = isHashed(spec.balancer);
  return {
    pick: ({ hash }, attempt, tried, level) => {
      if (level !== undefined) return pickAt(hash, attempt, level);
      const wanted = hashed ? (hash ?? randomHash(env.random)) : undefined;
      const draw = wanted === undefined ? Math.floor(env.random() * 100) : Number(wanted % 100n);
      const now = tried === undefined ? load : loadWithoutTried(load, availability(counts, overprovisioning), tried.tried, tried.frequency);
      const [priority, source] = choosePriority(now, draw + 1);
      return groups[priority]!.balancer(sourceOf(priority, source))?.pick(wanted, attempt);
    },
  };
}

/** `percentile` 1 to 100 over the healthy shares, then the degraded ones; they add up to 100. */
export function choosePriority({ healthy, degraded }: Load, percentile: number): readonly [number, Source] {
  let reached = 0;
  for (let priority = 0; priority < healthy.length; priority++) {
    reached += healthy[priority]!;
    if (percentile <= reached) return [priority, 'healthy'];
  }
  for (let priority = 0; priority < degraded.length; priority++) {
    reached += degraded[priority]!;
    if (percentile <= reached) return [priority, 'degraded'];
  }
  return [0, 'healthy'];
}

function groupByPriority(hosts: readonly EndpointState[]): EndpointState[][] {
  const groups: EndpointState[][] = [];
  for (const host of hosts) {
    while (groups.length <= host.priority) groups.push([]);
    groups[host.priority]!.push(host);
  }
  return groups;
}

type HashedSpec = Extract<BalancerSpec, { readonly kind: 'ring_hash' | 'maglev' }>;

function isHashed(spec: BalancerSpec): spec is HashedSpec {
  return spec.kind === 'ring_hash' || spec.kind === 'maglev';
}

/** The hosts of one priority; its balancers are made when they are first needed. */
class PriorityGroup {
  readonly all: readonly EndpointState[];
  readonly healthy: readonly EndpointState[];
  readonly degraded: readonly EndpointState[];
  private readonly spec: ClusterSpec;
  private readonly env: PickerEnv;
  private readonly made = new Map<Source, Pick | undefined>();

  constructor(spec: ClusterSpec, all: readonly EndpointState[], env: PickerEnv) {
    this.spec = spec;
    this.env = env;
    this.all = all;
    this.healthy = all.filter((host) => host.usable);
    this.degraded = all.filter((host) => host.degraded);
  }

  balancer(source: Source): Pick | undefined {
    if (!this.made.has(source)) this.made.set(source, this.create(source));
    return this.made.get(source);
  }

  private create(source: Source): Pick | undefined {
    const hosts = this[source];
    if (hosts.length === 0) return undefined;
    const { balancer, localityWeighted } = this.spec;
    if (isHashed(balancer)) return hashedBalancer(balancer, localityWeighted ? this.localityShares(hosts) : sharesOf(hosts, 1), this.env);
    const zoneAware = this.spec.zoneAware ?? ZONE_AWARE_DEFAULT;
    if (source === 'all' && zoneAware.failTrafficOnPanic) return undefined;
    // In panic localities count for nothing: all hosts alike (measured on Envoy 1.40).
    const localities = localityWeighted && source !== 'all' ? this.localities(hosts) : [];
    if (localities.length === 0) return this.byZone(source, hosts) ?? drawnBalancer(balancer, hosts, this.env);
    const scheduler = new EdfScheduler(localities, ({ weight }) => weight, headStart(this.env.random));
    return { pick: (hash, attempt) => scheduler.next().balancer.pick(hash, attempt) };
  }

  /** Zone aware routing, of the first priority only. */
  private byZone(source: Source, hosts: readonly EndpointState[]): Pick | undefined {
    const { balancer, panicThreshold, zoneAware = ZONE_AWARE_DEFAULT } = this.spec;
    const local = source === 'all' || hosts[0]!.priority !== 0 ? undefined : this.env.local?.();
    const routing = local === undefined ? undefined : zoneRouting(zoneAware, this.all, local);
    if (local === undefined || routing === undefined) return undefined;
    const { random } = this.env;
    const whole = drawnBalancer(balancer, hosts, this.env);
    const panics = inPanic(local, panicThreshold);
    const chosen = new Set(hosts);
    const zones = zoneBalancer(
      routing,
      (host) => chosen.has(host),
      (inside) => drawnBalancer(balancer, inside, this.env),
      random,
    );
    const { routingEnabled, failTrafficOnPanic } = zoneAware;
    return {
      pick: (hash, attempt) => {
        if (routingEnabled < 100 && random() * 100 >= routingEnabled) return whole.pick(hash, attempt);
        if (panics) return failTrafficOnPanic ? undefined : whole.pick(hash, attempt);
        return zones.pick(hash, attempt);
      },
    };
  }

  /** Weight by locality, scaled down once fewer than 1/1.4 of its hosts are left. */
  private localities(hosts: readonly EndpointState[]): { readonly weight: number; readonly balancer: Pick }[] {
    const factor = this.spec.overprovisioningFactor ?? OVERPROVISIONING;
    return this.spec.localities.flatMap(({ locality, weight }) => {
      const inside = hosts.filter((host) => host.locality === locality);
      if (weight === 0 || inside.length === 0) return [];
      const total = this.all.filter((host) => host.locality === locality).length;
      const effective = weight * Math.min(1, (factor / 100) * (inside.length / total));
      return [{ weight: effective, balancer: drawnBalancer(this.spec.balancer, inside, this.env) }];
    });
  }

  /** Of a hashed balancer: locality weight times host weight, each normalised; localities without weight get nothing. */
  private localityShares(hosts: readonly EndpointState[]): Share<EndpointState>[] {
    const present = new Set(this.all.map(({ locality }) => locality));
    const localities = this.spec.localities.filter(({ locality, weight }) => weight > 0 && present.has(locality));
    if (localities.length === 0) return sharesOf(hosts, 1);
    const total = localities.reduce((sum, { weight }) => sum + weight, 0);
    return [...localities]
      .sort((a, b) => compareLocalities(a.locality, b.locality))
      .flatMap(({ locality, weight }) =>
        sharesOf(
          hosts.filter((host) => host.locality === locality),
          weight / total,
        ),
      );
  }
}

function compareLocalities(a: Locality, b: Locality): number {
  const order = (x: string, y: string): number => (x < y ? -1 : x > y ? 1 : 0);
  return order(a.region, b.region) || order(a.zone, b.zone) || order(a.subZone, b.subZone);
}

function sharesOf(hosts: readonly EndpointState[], of: number): Share<EndpointState>[] {
  const total = hosts.reduce((sum, host) => sum + host.weight, 0);
  return hosts.map((host) => ({ host, share: (host.weight * of) / total }));
}

function hashedBalancer(
  spec: HashedSpec,
  shares: readonly Share<EndpointState>[],
  { random, activeRequests }: PickerEnv,
): Pick | undefined {
  if (shares.length === 0) return undefined;
  const hashed = spec.kind === 'ring_hash' ? ringHash(shares, spec, random) : maglev(shares, spec.tableSize, random);
  return spec.balanceFactor === undefined ? hashed : boundedLoad(hashed, shares, spec.balanceFactor, activeRequests, random);
}

function drawnBalancer(spec: BalancerSpec, hosts: readonly EndpointState[], { clock, random }: PickerEnv): Pick {
  switch (spec.kind) {
    case 'least_request':
      return leastRequest(hosts, spec, random, warmupOf(spec, clock));
    case 'load_weighted':
      return loadWeighted(hosts, spec, clock, random, warmupOf(spec, clock));
    case 'round_robin':
      return roundRobin(hosts, random, warmupOf(spec, clock));
    default:
      return randomBalancer(hosts, random);
  }
}

function warmupOf(
  { slowStart: config }: Extract<BalancerSpec, { kind: 'round_robin' | 'least_request' | 'load_weighted' }>,
  clock: Clock,
): Warmup<EndpointState> | undefined {
  return config === undefined ? undefined : slowStart(config, clock);
}
