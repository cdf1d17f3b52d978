import { HostHealth } from '../outlier/host-health.ts';
import type { Clock } from '../ports.ts';
import type { EndpointSpec, LocalitySpec } from './cluster-spec.ts';
import { EndpointState, endpointKey } from './endpoint-state.ts';

/** What a cluster says of hosts that come and go. */
export interface HostRules {
  /** Ring hash and maglev take the hostname for the key. */
  readonly hashesByHostname: boolean;
  /** A host that comes is out until its first health check. */
  waitsForCheck(): boolean;
  /** EDS dropped it; its health checks may keep it. */
  keepsDropped(host: EndpointState): boolean;
}

const ANYWHERE: LocalitySpec = { locality: { region: '', zone: '', subZone: '' }, priority: 0, weight: 1, endpoints: [] };
/** Hosts that an app dialled through a passthrough cluster; the oldest are forgotten beyond this. */
const MAX_DIALLED_HOSTS = 1024;

/** The hosts of one cluster, by what they are called; one that stays keeps its state. */
export class ClusterHosts {
  /** Those of the localities, without those that an app dialled. */
  list: readonly EndpointState[] = [];
  /** As they were told last. */
  localities: readonly LocalitySpec[] = [];
  private readonly byKey = new Map<string, EndpointState>();
  private readonly clock: Clock;
  /** The cluster itself: a private name keeps it out of a snapshot that is written as JSON. */
  readonly #rules: HostRules;

  constructor(clock: Clock, rules: HostRules) {
    this.clock = clock;
    this.#rules = rules;
  }

  get(key: string): EndpointState | undefined {
    return this.byKey.get(key);
  }

  /** Those that an app dialled among them. */
  all(): Iterable<EndpointState> {
    return this.byKey.values();
  }

  replace(localities: readonly LocalitySpec[]): void {
    this.localities = localities;
    const list: EndpointState[] = [];
    const seen = new Set<string>();
    for (const locality of localities) {
      for (const endpoint of locality.endpoints) {
        const key = endpointKey(endpoint);
        if (seen.has(key)) continue;
        seen.add(key);
        list.push(this.host(key, endpoint, locality));
      }
    }
    for (const [key, host] of this.byKey) {
      if (seen.has(key)) continue;
      host.leaving = this.#rules.keepsDropped(host);
      if (host.leaving) {
        list.push(host);
        continue;
      }
      host.present = false;
      this.byKey.delete(key);
    }
    this.list = list;
  }

  /** A host that an app named. For a headless service, the pod of that address. */
  dialled(spec: EndpointSpec): EndpointState {
    const key = endpointKey(spec);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    if (this.byKey.size >= MAX_DIALLED_HOSTS) {
      const [oldest, host] = this.byKey.entries().next().value!;
      host.present = false;
      this.byKey.delete(oldest);
    }
    return this.host(key, spec, ANYWHERE);
  }

  close(): void {
    for (const host of this.byKey.values()) host.present = false;
    this.byKey.clear();
    this.list = [];
  }

  private host(key: string, spec: EndpointSpec, locality: LocalitySpec): EndpointState {
    let host = this.byKey.get(key);
    if (host === undefined) {
      host = new EndpointState(spec, new HostHealth(), this.clock.now());
      host.checkFailed = this.#rules.waitsForCheck();
      this.byKey.set(key, host);
    }
    host.update(spec, locality, this.#rules.hashesByHostname);
    return host;
  }
}
