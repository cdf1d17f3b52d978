import type { Dump } from '../istiod/istiod-process.ts';
import type { Json } from './adapt-xds.ts';
import type { Account, Request } from './trial.ts';

/** What istiod's configuration leaves to chance: which of several weighted clusters, and which host of a cluster. */
export class Choices {
  private readonly dump: Dump;
  private readonly routes: readonly Action[];
  /** Clusters that chance may choose, by route. */
  private readonly weighted: readonly (readonly string[])[];

  private readonly resolve: (host: string) => string;

  /** `resolve`: what both sides' resolvers answer. */
  constructor(dump: Dump, resolve: (host: string) => string) {
    this.dump = dump;
    this.resolve = resolve;
    this.routes = (dump.routes ?? [])
      .flatMap(({ virtual_hosts: hosts }) => (hosts ?? []) as { routes?: { route?: Action }[] }[])
      .flatMap(({ routes = [] }) => routes)
      .flatMap(({ route }) => route ?? []);
    this.weighted = this.routes.flatMap(({ weighted_clusters: weighted }) =>
      weighted === undefined ? [] : [weighted.clusters.filter(({ weight = 1 }) => Number(weight) > 0).map(({ name }) => name)],
    );
  }

  /** Another try may end otherwise: several weighted clusters stand behind the route, or several hosts in the cluster and no hash says which. */
  leavesToChance(account: Account | undefined, request: Request): boolean {
    if (account === undefined) return false;
    const { cluster } = account;
    if (this.weighted.some((names) => this.mayBe(names, cluster))) return true;
    return this.hostsOf(cluster).size > 1 && !this.isHashed(cluster, request);
  }

  /** Both are what chance may give, by the same configuration. */
  bothAllowed(one: Way, other: Way): boolean {
    if (one.account === undefined || other.account === undefined) return false;
    const { cluster } = one.account;
    if (cluster !== other.account.cluster || cluster === NONE)
      return this.weighted.some((names) => this.mayBe(names, cluster) && this.mayBe(names, other.account!.cluster));
    const hosts = this.hostsOf(cluster);
    if (!hosts.has(one.account.host) || !hosts.has(other.account.host)) return false;
    if (one.account.host !== other.account.host) return true;
    // Of several attempts each may go elsewhere, but there are as many, of copies too.
    const [mine, theirs] = [one, other].map(({ attempts }) => attempts.filter((host) => hosts.has(host)));
    return one.attempts.length === other.attempts.length && mine!.length === theirs!.length && mine!.join() !== theirs!.join();
  }

  /** One of the clusters, or a missing one of them, which the access log does not name. */
  private mayBe(names: readonly string[], cluster: string): boolean {
    return names.includes(cluster) || (cluster === NONE && names.some((name) => !this.dump.clusters?.some((each) => each.name === name)));
  }

  /** The cluster hashes, and every route to it finds in the request what is hashed. */
  private isHashed(cluster: string, request: Request): boolean {
    const policy = this.dump.clusters?.find(({ name }) => name === cluster)?.lb_policy;
    if (policy !== 'RING_HASH' && policy !== 'MAGLEV') return false;
    const policies = this.routes.filter((route) => route.cluster === cluster).flatMap(({ hash_policy: each = [] }) => each);
    return policies.length > 0 && policies.every((each) => has(request, each));
  }

  /** Healthy hosts of the priorities that calls go to, of localities that have a weight where localities are weighted. */
  hostsOf(cluster: string): ReadonlySet<string> {
    const config = this.dump.clusters?.find(({ name }) => name === cluster);
    const weighted = (config?.common_lb_config as Json | undefined)?.locality_weighted_lb_config !== undefined;
    const assignment =
      this.dump.endpoints?.find(({ cluster_name: name }) => name === cluster) ?? (config?.load_assignment as Json | undefined);
    const localities = ((assignment?.endpoints ?? []) as Locality[]).filter(
      ({ load_balancing_weight: weight, lb_endpoints: hosts = [] }) => hosts.length > 0 && (!weighted || weight !== undefined),
    );
    const asked = new Set<string>();
    let load = 0;
    for (const priority of [...new Set(localities.map(({ priority = 0 }) => priority))].sort((one, other) => one - other)) {
      const hosts = localities.filter((each) => (each.priority ?? 0) === priority).flatMap(({ lb_endpoints: each = [] }) => each);
      const healthy = hosts.filter(({ health_status: health = 'HEALTHY' }) => health === 'HEALTHY');
      for (const host of healthy) asked.add(this.addressOf(host));
      load += (OVERPROVISIONING * healthy.length) / hosts.length;
      if (load >= 1) break;
    }
    return asked;
  }

  private addressOf({ endpoint }: Host): string {
    const { address, port_value: port } = endpoint.address?.socket_address ?? { address: '', port_value: 0 };
    return `${this.resolve(address)}:${port}`;
  }

  /** Addresses and ports that somebody of this node's configuration may be sent to. */
  addresses(): { readonly address: string; readonly port: number }[] {
    const assignments = [
      ...(this.dump.endpoints ?? []),
      ...(this.dump.clusters ?? []).map((cluster) => (cluster.load_assignment ?? {}) as Json),
    ];
    return assignments
      .flatMap(({ endpoints }) => (endpoints ?? []) as Locality[])
      .flatMap(({ lb_endpoints: hosts = [] }) => hosts)
      .flatMap(({ endpoint }) => (endpoint.address?.socket_address === undefined ? [] : [endpoint.address.socket_address]))
      .map(({ address, port_value: port }) => ({ address, port }));
  }
}

/** Where a request went. */
export interface Way {
  readonly account: Account | undefined;
  /** The hosts that saw it or a copy of it, in order. */
  readonly attempts: readonly string[];
}

/** Of a request that has no cluster. */
const NONE = '-';

interface Host {
  readonly health_status?: string;
  readonly endpoint: { readonly address?: { readonly socket_address?: { readonly address: string; readonly port_value: number } } };
}

interface Locality {
  readonly priority?: number;
  readonly load_balancing_weight?: number;
  readonly lb_endpoints?: readonly Host[];
}

interface HashPolicy {
  readonly header?: { readonly header_name: string };
  readonly cookie?: { readonly name: string };
  readonly query_parameter?: { readonly name: string };
  readonly connection_properties?: unknown;
}

interface Action {
  readonly cluster?: string;
  readonly weighted_clusters?: { readonly clusters: readonly Weighted[] };
  readonly hash_policy?: readonly HashPolicy[];
}

interface Weighted {
  readonly name: string;
  readonly weight?: number | string;
}

function has(
  { headers, path }: Request,
  { header, cookie, query_parameter: parameter, connection_properties: address }: HashPolicy,
): boolean {
  if (header !== undefined) return header.header_name.toLowerCase() in headers;
  if (cookie !== undefined) return new RegExp(`(^|; )${cookie.name}=`).test(headers.cookie ?? '');
  if (parameter !== undefined) return new RegExp(`[?&]${parameter.name}=`).test(path);
  return address !== undefined;
}

/** Envoy's default: a priority of which fewer are healthy leaves the rest of its calls to the next one. */
const OVERPROVISIONING = 1.4;
