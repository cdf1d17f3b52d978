import type { Random } from '../ports.ts';
import type { Locality } from './cluster.ts';
import type { EndpointState } from './endpoint-state.ts';
import type { Pick } from './pick.ts';

/** Envoy's zone_aware_lb_config. */
export interface ZoneAwareSpec {
  /** Percent of the requests. */
  readonly routingEnabled: number;
  /** Healthy hosts that the cluster must have. */
  readonly minClusterSize: number;
  /** In panic nobody is picked, instead of anybody. */
  readonly failTrafficOnPanic: boolean;
  /** So many healthy hosts in the own locality take everything (force_local_zone). */
  readonly forceLocalMinSize?: number | undefined;
  /** What a locality's share is made of (locality_basis); default its number of healthy hosts. */
  readonly byWeight?: boolean | undefined;
}

/** Of clusters that do not configure it. */
export const ZONE_AWARE_DEFAULT: ZoneAwareSpec = { routingEnabled: 100, minClusterSize: 6, failTrafficOnPanic: false };

/** Where this process is, and where its kin are: the hosts of the cluster that it is itself one of. */
export interface LocalHosts {
  readonly own: Locality;
  readonly hosts: readonly EndpointState[];
}

/** Chooses hosts of one source (healthy, degraded) of a cluster's first priority by their locality. */
export interface ZoneRouting {
  /** The hosts of each locality, the own one first; `choose` answers an index. */
  readonly localities: readonly (readonly EndpointState[])[];
  choose(random: Random): number;
}

const MYRIAD = 10_000;

/** Envoy's zone aware routing; undefined where it does not apply. `all`: of the priority, whatever their health. */
export function zoneRouting(spec: ZoneAwareSpec, all: readonly EndpointState[], { own, hosts: kin }: LocalHosts): ZoneRouting | undefined {
  const force = spec.forceLocalMinSize;
  const upstream = byLocality(all, own);
  const local = byLocality(
    kin.filter(({ priority }) => priority === 0),
    own,
  );
  if (upstream.localities.length < 2 || (force === undefined && local.localities.length < 2)) return undefined;
  // Whoever does not know itself among its kin knows too little about them.
  if (!local.hasOwn || all.filter(isUsable).length < spec.minClusterSize) return undefined;
  const healthy = upstream.localities.map((inside) => inside.filter(isUsable));
  const shares = sharesOf(spec, healthy, local.localities);
  const ownShares = shares[0]!;
  const forced = force !== undefined && healthy[0]!.length >= force;
  if (upstream.hasOwn && ((ownShares.upstream > 0 && ownShares.upstream >= ownShares.local) || forced))
    return { localities: upstream.localities, choose: () => 0 };
  return { localities: upstream.localities, choose: residual(shares, upstream.hasOwn) };
}

/** Whether a cluster's kin are in panic by this cluster's threshold. */
export function inPanic({ hosts }: LocalHosts, threshold: number): boolean {
  const kin = hosts.filter(({ priority }) => priority === 0);
  const able = kin.filter((host) => host.usable || host.degraded).length;
  return (kin.length === 0 ? 0 : (100 * able) / kin.length) < Math.min(100, Math.trunc(threshold));
}

/** Balancers of the localities, for the hosts that `has` says are meant. */
export function zoneBalancer(
  { localities, choose }: ZoneRouting,
  has: (host: EndpointState) => boolean,
  balance: (hosts: readonly EndpointState[]) => Pick,
  random: Random,
): Pick {
  const inside = localities.map((hosts) => hosts.filter(has)).map((hosts) => (hosts.length === 0 ? undefined : balance(hosts)));
  return { pick: (hash, attempt) => inside[choose(random)]?.pick(hash, attempt) };
}

interface Shares {
  /** Of the kin, and of the upstream's hosts, per myriad. */
  readonly local: number;
  readonly upstream: number;
}

function sharesOf(
  { byWeight }: ZoneAwareSpec,
  upstream: readonly (readonly EndpointState[])[],
  local: readonly (readonly EndpointState[])[],
): Shares[] {
  const size = (hosts: readonly EndpointState[]): number =>
    byWeight === true ? hosts.reduce((sum, { weight }) => sum + weight, 0) : hosts.length;
  const kin = new Map(
    local
      .map((hosts) => hosts.filter(isUsable))
      .flatMap((hosts) => (hosts[0] === undefined ? [] : [[keyOf(hosts[0].locality), size(hosts)]])),
  );
  const allKin = [...kin.values()].reduce((sum, count) => sum + count, 0);
  const allUpstream = upstream.reduce((sum, hosts) => sum + size(hosts), 0);
  const perMyriad = (part: number, whole: number): number => (whole > 0 ? Math.floor((MYRIAD * part) / whole) : 0);
  return upstream.map((hosts) => {
    if (hosts[0] === undefined) return { local: 0, upstream: 0 };
    return { local: perMyriad(kin.get(keyOf(hosts[0].locality)) ?? 0, allKin), upstream: perMyriad(size(hosts), allUpstream) };
  });
}

/** As much as the own locality can take stays there; the rest goes where capacity is left. */
function residual(shares: readonly Shares[], hasOwn: boolean): (random: Random) => number {
  const own = shares[0]!;
  const stays = hasOwn && own.local > 0 ? Math.floor((own.upstream * MYRIAD) / own.local) : 0;
  const left: number[] = [];
  for (const [index, { local, upstream }] of shares.entries()) {
    const before = left[index - 1] ?? 0;
    left.push(before + (index === 0 && hasOwn ? 0 : Math.max(0, upstream - local)));
  }
  const total = left.at(-1)!;
  return (random) => {
    if (Math.floor(random() * MYRIAD) < stays) return 0;
    // Rounding may leave nothing: any of them then.
    if (total === 0) return Math.floor(random() * shares.length);
    const threshold = Math.floor(random() * total);
    let index = 0;
    while (threshold > left[index]!) index++;
    return index;
  };
}

interface ByLocality {
  /** The own one first, if it is there; the others in order. */
  readonly localities: readonly (readonly EndpointState[])[];
  readonly hasOwn: boolean;
}

function byLocality(hosts: readonly EndpointState[], own: Locality): ByLocality {
  const found = new Map<string, EndpointState[]>();
  for (const host of hosts) {
    const key = keyOf(host.locality);
    const inside = found.get(key);
    if (inside === undefined) found.set(key, [host]);
    else inside.push(host);
  }
  const ownKey = keyOf(own);
  const others = [...found].filter(([key]) => key !== ownKey).sort(([one], [other]) => (one < other ? -1 : 1));
  const mine = found.get(ownKey);
  return { localities: [...(mine === undefined ? [] : [mine]), ...others.map(([, inside]) => inside)], hasOwn: mine !== undefined };
}

function keyOf({ region, zone, subZone }: Locality): string {
  return `${region}\n${zone}\n${subZone}`;
}

function isUsable(host: EndpointState): boolean {
  return host.usable;
}
