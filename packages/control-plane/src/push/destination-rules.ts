import type { DestinationRuleSpec, MeshObject, PortTrafficPolicy, Subset, TrafficPolicy } from '@ripstop/istio-api';
import type { PolicyRule } from '../gateway-api/backend-tls-policy.ts';
import { isSame } from './reuse.ts';
import { hostMatches, isVisible, namedOr, resolveHost } from './service.ts';

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

interface Merged {
  /** What the rule was made of. */
  readonly sources: readonly object[];
  readonly rule: MergedDestinationRule;
}

/** The rules of one namespace by host; wildcards once more, in order. */
interface NamespaceRules {
  readonly byHost: Map<string, Merged>;
  readonly wildcards: Merged[];
}

/** Rules by namespace, oldest first; several for one host in one namespace are merged. */
export class DestinationRules {
  private readonly byNamespace = new Map<string, NamespaceRules>();
  private readonly rootNamespace: string;
  /** Of rules that name nobody. */
  private readonly exportTo: readonly string[];
  /** Some rule has a failoverPriority. */
  readonly compareLabels: boolean;

  /**
   * `policies`: rules made of BackendTLSPolicies. What a written rule says about the same host comes first. A rule that is made of the
   * same documents as in `before` is the same object.
   */
  constructor(
    objects: readonly MeshObject<DestinationRuleSpec>[],
    domain: string,
    rootNamespace: string,
    policies: readonly PolicyRule[] = [],
    exportTo: readonly string[] = ['*'],
    before?: DestinationRules,
  ) {
    this.rootNamespace = rootNamespace;
    this.exportTo = exportTo;
    this.compareLabels = objects.some(({ spec }) => JSON.stringify(spec).includes('"failoverPriority"'));
    const written = Map.groupBy(objects, ({ spec, metadata }) =>
      key(metadata.namespace, resolveHost(spec.host, metadata.namespace, domain)),
    );
    const made = Map.groupBy(policies, ({ rule }) => key(rule.metadata.namespace, rule.spec.host));
    for (const where of new Set([...written.keys(), ...made.keys()]))
      this.add(where, written.get(where) ?? [], made.get(where) ?? [], before);
  }

  /** Client's namespace, then the service's, then the root namespace; in each the exact host, else the longest wildcard. */
  find(host: string, serviceNamespace: string, clientNamespace: string): MergedDestinationRule | undefined {
    const own = clientNamespace === this.rootNamespace ? undefined : this.inNamespace(host, clientNamespace, clientNamespace);
    return own ?? this.inNamespace(host, serviceNamespace, clientNamespace) ?? this.inNamespace(host, this.rootNamespace, clientNamespace);
  }

  private inNamespace(host: string, namespace: string, client: string): MergedDestinationRule | undefined {
    const rules = this.byNamespace.get(namespace);
    if (rules === undefined) return undefined;
    const exact = rules.byHost.get(host)?.rule;
    if (exact !== undefined && isVisible(exact.exportTo, namespace, client)) return exact;
    let best: MergedDestinationRule | undefined;
    for (const { rule } of rules.wildcards) {
      if (rule.host.length <= (best?.host.length ?? 0) || !isVisible(rule.exportTo, namespace, client)) continue;
      if (hostMatches(rule.host, host)) best = rule;
    }
    return best;
  }

  private add(where: string, written: readonly MeshObject<DestinationRuleSpec>[], made: readonly PolicyRule[], before?: DestinationRules) {
    const slash = where.indexOf('/');
    const [namespace, host] = [where.slice(0, slash), where.slice(slash + 1)];
    let rules = this.byNamespace.get(namespace);
    if (rules === undefined) {
      rules = { byHost: new Map(), wildcards: [] };
      this.byNamespace.set(namespace, rules);
    }
    const sources = [...written, ...made];
    const known = before?.byNamespace.get(namespace)?.byHost.get(host);
    const reusable = known !== undefined && isSame(before?.exportTo, this.exportTo) && isSame(known.sources, sources, 1);
    const merged = reusable ? known : { sources, rule: mergeAll(host, this.exportTo, written, made) };
    rules.byHost.set(host, merged);
    if (host.startsWith('*')) rules.wildcards.push(merged);
  }
}

/** A namespace has no slash. */
function key(namespace: string, host: string): string {
  return `${namespace}/${host}`;
}

function mergeAll(
  host: string,
  exportTo: readonly string[],
  written: readonly MeshObject<DestinationRuleSpec>[],
  made: readonly PolicyRule[],
): MergedDestinationRule {
  const [first] = written;
  let rule = first === undefined ? { ...single(made[0]!.rule, host, exportTo), source: made[0]!.source } : single(first, host, exportTo);
  for (const { spec } of written.slice(1)) rule = merge(rule, spec);
  for (const { rule: object } of first === undefined ? made.slice(1) : made)
    rule = { ...rule, trafficPolicy: filled(rule.trafficPolicy, object.spec.trafficPolicy) };
  return rule;
}

function single(object: MeshObject<DestinationRuleSpec>, host: string, exportTo: readonly string[]): MergedDestinationRule {
  const { spec, metadata } = object;
  return {
    host,
    namespace: metadata.namespace,
    exportTo: namedOr(spec.exportTo, exportTo),
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
export type Policy = Omit<PortTrafficPolicy, 'port'> & Pick<TrafficPolicy, 'retryBudget'>;

/** Blocks that MeshConfig sets for rules that leave them out. */
export type DefaultPolicy = Pick<Policy, 'connectionPool' | 'outlierDetection'>;

const BLOCKS = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'] as const;

/**
 * The policy for one port of a subset. A subset's block replaces the rule's block; a port's entry replaces all blocks, and one that
 * it leaves out is at its default, not inherited (Istio: MergeTrafficPolicy, MergeSubsetTrafficPolicy). A retry budget has no port.
 */
export function policyFor(
  rule: MergedDestinationRule | undefined,
  subset: Subset | undefined,
  port: number,
  defaults: DefaultPolicy = {},
): Policy {
  const base = { ...defaults, ...blocks(entryOf(rule?.trafficPolicy, port) ?? rule?.trafficPolicy) };
  const own = entryOf(subset?.trafficPolicy, port);
  const retryBudget =
    subset?.trafficPolicy?.retryBudget ?? (entryOf(rule?.trafficPolicy, port) === undefined ? rule?.trafficPolicy?.retryBudget : undefined);
  return {
    ...(own === undefined ? { ...base, ...blocks(subset?.trafficPolicy) } : blocks(own)),
    ...(retryBudget === undefined ? {} : { retryBudget }),
  };
}

function entryOf(policy: TrafficPolicy | undefined, port: number): PortTrafficPolicy | undefined {
  return policy?.portLevelSettings?.find((entry) => entry.port?.number === port);
}

/** The blocks that a policy sets. */
function blocks(policy: Policy = {}): Policy {
  return Object.fromEntries(BLOCKS.flatMap((name) => (policy[name] === undefined ? [] : [[name, policy[name]]])));
}

/**
 * The tls mode that endpoints are marked by. Other than for the cluster itself, a port's entry without one leaves the rule's in force
 * (Istio: tlsModeForDestinationRule).
 */
export function endpointTlsMode(rule: MergedDestinationRule | undefined, subset: Subset | undefined, port: number): string | undefined {
  const modeOf = (policy: TrafficPolicy | undefined): string | undefined => {
    const tls = entryOf(policy, port)?.tls ?? policy?.tls;
    return tls === undefined ? undefined : (tls.mode ?? 'DISABLE');
  };
  return modeOf(subset?.trafficPolicy) ?? modeOf(rule?.trafficPolicy);
}
