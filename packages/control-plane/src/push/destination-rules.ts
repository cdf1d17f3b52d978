import type { DestinationRuleSpec, MeshObject, PortTrafficPolicy, Subset, TrafficPolicy } from '@ripstop/istio-api';
import type { PolicyRule } from '../gateway-api/backend-tls-policy.ts';
import { hostMatches, isVisible, resolveHost } from './service.ts';

/** The rules of one host that stand in one namespace, as one. */
export interface MergedDestinationRule {
  readonly host: string;
  readonly namespace: string;
  readonly exportTo: readonly string[];
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** The first of the merged rules: the one that metadata names. */
  readonly object: MeshObject<DestinationRuleSpec>;
  /** The document that somebody wrote: that rule, or a BackendTLSPolicy. */
  readonly source: MeshObject;
}

/** Rules by namespace, oldest first; several for one host in one namespace are merged. */
export class DestinationRules {
  private readonly byNamespace = new Map<string, MergedDestinationRule[]>();
  private readonly rootNamespace: string;
  /** Some rule has a failoverPriority. */
  readonly compareLabels: boolean;

  /** `policies`: rules made of BackendTLSPolicies. What a written rule says about the same host comes first. */
  constructor(
    objects: readonly MeshObject<DestinationRuleSpec>[],
    domain: string,
    rootNamespace: string,
    policies: readonly PolicyRule[] = [],
  ) {
    this.rootNamespace = rootNamespace;
    this.compareLabels = objects.some(({ spec }) => JSON.stringify(spec).includes('"failoverPriority"'));
    for (const object of objects) {
      const { namespace } = object.metadata;
      const host = resolveHost(object.spec.host, namespace, domain);
      const rules = this.byNamespace.get(namespace) ?? [];
      this.byNamespace.set(namespace, rules);
      const at = rules.findIndex((rule) => rule.host === host);
      if (at === -1) rules.push(single(object, host));
      else rules[at] = merge(rules[at]!, object.spec);
    }
    for (const policy of policies) this.fill(policy);
  }

  private fill({ rule: object, source }: PolicyRule): void {
    const { namespace } = object.metadata;
    const rules = this.byNamespace.get(namespace) ?? [];
    this.byNamespace.set(namespace, rules);
    const at = rules.findIndex(({ host }) => host === object.spec.host);
    if (at === -1) rules.push({ ...single(object, object.spec.host), source });
    else rules[at] = { ...rules[at]!, trafficPolicy: filled(rules[at]!.trafficPolicy, object.spec.trafficPolicy) };
  }

  /** Client's namespace, then the service's, then the root namespace; in each the exact host, else the longest wildcard. */
  find(host: string, serviceNamespace: string, clientNamespace: string): MergedDestinationRule | undefined {
    const own = clientNamespace === this.rootNamespace ? undefined : this.inNamespace(host, clientNamespace, clientNamespace);
    return own ?? this.inNamespace(host, serviceNamespace, clientNamespace) ?? this.inNamespace(host, this.rootNamespace, clientNamespace);
  }

  private inNamespace(host: string, namespace: string, client: string): MergedDestinationRule | undefined {
    let best: MergedDestinationRule | undefined;
    for (const rule of this.byNamespace.get(namespace) ?? []) {
      if (!isVisible(rule.exportTo, namespace, client) || !hostMatches(rule.host, host)) continue;
      if (rule.host === host) return rule;
      if (best === undefined || rule.host.length > best.host.length) best = rule;
    }
    return best;
  }
}

function single(object: MeshObject<DestinationRuleSpec>, host: string): MergedDestinationRule {
  const { spec, metadata } = object;
  return {
    host,
    namespace: metadata.namespace,
    exportTo: spec.exportTo ?? ['*'],
    trafficPolicy: spec.trafficPolicy,
    subsets: spec.subsets ?? [],
    object,
    source: object,
  };
}

/** Subsets are concatenated (a name that exists is dropped), the first trafficPolicy wins (Istio: mergeDestinationRule). */
function merge(rule: MergedDestinationRule, spec: DestinationRuleSpec): MergedDestinationRule {
  const more = (spec.subsets ?? []).filter(({ name }) => !rule.subsets.some((subset) => subset.name === name));
  return { ...rule, subsets: [...rule.subsets, ...more], trafficPolicy: rule.trafficPolicy ?? spec.trafficPolicy };
}

/** A written policy with the gaps filled by one of a BackendTLSPolicy (Istio: mergeBackendPolicyTrafficPolicy). */
function filled(written: TrafficPolicy | undefined, policy: TrafficPolicy = {}): TrafficPolicy {
  if (written === undefined) return policy;
  const numbers = new Set([...(written.portLevelSettings ?? []), ...(policy.portLevelSettings ?? [])].map(({ port }) => port?.number));
  const at = (settings: TrafficPolicy, number: number | undefined) =>
    settings.portLevelSettings?.find(({ port }) => port?.number === number);
  const portLevelSettings = [...numbers].map((number) => ({ ...at(policy, number), ...at(written, number) }));
  return { ...policy, ...written, ...(portLevelSettings.length === 0 ? {} : { portLevelSettings }) };
}

/** What governs the calls of one port. */
export type Policy = Omit<PortTrafficPolicy, 'port'>;

/**
 * The policy for one port of a subset. A subset's block replaces the rule's block; a port's entry replaces all blocks, and one that
 * it leaves out is at its default, not inherited (Istio: MergeTrafficPolicy, MergeSubsetTrafficPolicy).
 */
export function policyFor(rule: MergedDestinationRule | undefined, subset: Subset | undefined, port: number): Policy {
  if (rule === undefined) return {};
  const base = portPolicy(rule.trafficPolicy, port);
  const own = portPolicy(subset?.trafficPolicy, port);
  return {
    ...pick('loadBalancer', own, base),
    ...pick('connectionPool', own, base),
    ...pick('outlierDetection', own, base),
    ...pick('tls', own, base),
  };
}

function pick<K extends keyof Policy>(key: K, own: Policy, base: Policy): Pick<Policy, K> {
  const value = own[key] ?? base[key];
  return (value === undefined ? {} : { [key]: value }) as Pick<Policy, K>;
}

function portPolicy(policy: TrafficPolicy | undefined, port: number): Policy {
  return policy?.portLevelSettings?.find((entry) => entry.port?.number === port) ?? policy ?? {};
}
