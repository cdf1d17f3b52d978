import type { EndpointState } from './endpoint-state.ts';
import type { HostPicker, Level, PickRequest, TriedPriorities } from './host-picker.ts';
import { canonical, criteriaOf, type MatchCriteria, mergeCriteria } from './lb-metadata.ts';
import type { SubsetFallback, SubsetSelector, SubsetSpec } from './subset-spec.ts';

const FALLBACK_LIST = 'fallback_list';

type PickFrom = (picker: HostPicker | undefined) => EndpointState | undefined;

/** Makes the picker of some of a cluster's hosts. */
export type BuildPicker = (hosts: readonly EndpointState[]) => HostPicker;

/**
 * Envoy's subset load balancer: a request that asks for exactly the keys of a selector is served by the hosts that have its values, by
 * the cluster's own policy; others go by the fallbacks. Subsets are made whole when hosts change.
 */
export class SubsetPicker implements HostPicker {
  private readonly spec: SubsetSpec;
  private readonly build: BuildPicker;
  private readonly hosts: readonly EndpointState[];
  private readonly selectors: ReadonlyMap<string, SubsetSelector>;
  private readonly subsets = new Map<string, HostPicker>();
  private readonly fallbacks = new Map<SubsetFallback, HostPicker | undefined>();

  constructor(spec: SubsetSpec, hosts: readonly EndpointState[], build: BuildPicker) {
    this.spec = spec;
    this.build = build;
    this.hosts = hosts;
    this.selectors = new Map(spec.selectors.map((selector) => [selector.keys.join('\n'), selector]));
    for (const selector of this.selectors.values()) this.divide(selector);
  }

  pick(request: PickRequest, attempt: number, tried?: TriedPriorities, level?: Level): EndpointState | undefined {
    const pickFrom: PickFrom = (picker) => picker?.pick(request, attempt, tried, level);
    const wanted = request.metadata?.get('envoy.lb');
    const criteria = wanted === undefined ? request.criteria : mergeCriteria(request.criteria, criteriaOf(wanted));
    for (const alternative of this.alternatives(criteria)) {
      const host = this.choose(alternative, pickFrom);
      if (host !== undefined) return host;
    }
    return undefined;
  }

  /** The criteria, or, with a fallback list, the criteria with each of its entries merged in. */
  private alternatives(criteria: MatchCriteria | undefined): readonly (MatchCriteria | undefined)[] {
    const list = this.spec.fallbackList ? criteria?.find(([name]) => name === FALLBACK_LIST) : undefined;
    if (criteria === undefined || list === undefined) return [criteria];
    const rest = criteria.filter((entry) => entry !== list);
    const entries: unknown = JSON.parse(list[1]);
    return Array.isArray(entries)
      ? entries.map((entry) => mergeCriteria(rest, criteriaOf(entry as Record<string, unknown>)) ?? [])
      : [rest];
  }

  private choose(criteria: MatchCriteria | undefined, pickFrom: PickFrom): EndpointState | undefined {
    if (criteria !== undefined) {
      const subset = this.subsets.get(keyOf(criteria));
      if (subset !== undefined) return pickFrom(subset);
      const selector = this.selectors.get(criteria.map(([name]) => name).join('\n'));
      if (selector?.fallback === 'KEYS_SUBSET') {
        const { fallbackKeys } = selector;
        return this.choose(
          criteria.filter(([name]) => fallbackKeys.includes(name)),
          pickFrom,
        );
      }
      if (selector?.fallback !== undefined) return pickFrom(this.fallback(selector.fallback));
    }
    const host = pickFrom(this.fallback(this.spec.fallback));
    return host ?? (this.spec.panicModeAny ? pickFrom(this.fallback('ANY_ENDPOINT')) : undefined);
  }

  private fallback(policy: SubsetFallback): HostPicker | undefined {
    if (policy === 'NO_FALLBACK') return undefined;
    if (!this.fallbacks.has(policy)) {
      const wanted = Object.entries(this.spec.defaultSubset).map(([name, value]) => [name, canonical(value)] as const);
      const fits = (host: EndpointState): boolean => wanted.every(([name, value]) => this.valuesOf(host, name).includes(value));
      this.fallbacks.set(policy, this.build(policy === 'ANY_ENDPOINT' ? this.hosts : this.hosts.filter(fits)));
    }
    return this.fallbacks.get(policy);
  }

  private divide({ keys, singleHost }: SubsetSelector): void {
    const members = new Map<string, EndpointState[]>();
    for (const host of this.hosts) {
      for (const criteria of this.combinations(host, keys)) {
        const key = keyOf(criteria);
        const known = members.get(key);
        if (known === undefined) members.set(key, [host]);
        else known.push(host);
      }
    }
    for (const [key, hosts] of members) {
      // One host, whatever its health: Envoy keeps no host set for it.
      this.subsets.set(key, singleHost ? { pick: () => hosts[0] } : this.build(hosts));
    }
  }

  /** Each choice of one value per key; none when a key is missing. */
  private combinations(host: EndpointState, keys: readonly string[]): MatchCriteria[] {
    let found: MatchCriteria[] = [[]];
    for (const key of keys) {
      const values = this.valuesOf(host, key);
      found = found.flatMap((criteria) => values.map((value): MatchCriteria => [...criteria, [key, value]]));
    }
    return found;
  }

  private valuesOf({ lbMetadata }: EndpointState, name: string): readonly string[] {
    const value = lbMetadata?.[name];
    if (value === undefined) return [];
    return this.spec.listAsAny && Array.isArray(value) ? value.map(canonical) : [canonical(value)];
  }
}

function keyOf(criteria: MatchCriteria): string {
  return criteria.map(([name, value]) => `${name}=${value}`).join('\n');
}
