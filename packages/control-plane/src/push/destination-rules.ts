import type { DestinationRuleSpec, MeshObject, PortTrafficPolicy, Subset, TrafficPolicy } from '@ripstop/istio-api';
import type { PolicyRule } from '../gateway-api/backend-tls-policy.ts';
import { isSame } from './reuse.ts';
import { hostMatches, isVisible, namedOr, resolveHost, selects } from './service.ts';

/** The rules of one host that stand in one namespace, as one. */
export interface MergedDestinationRule {
  readonly host: string;
  readonly namespace: string;
  readonly exportTo: readonly string[];
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
  /** Labels of the clients that it is for; undefined: everybody. */
  readonly workloadSelector: Labels | undefined;
  /** The first of the merged rules: the one that metadata names. */
  readonly object: MeshObject<DestinationRuleSpec>;
  /** The document that somebody wrote: a rule, or a BackendTLSPolicy that stands alone. */
  readonly source: MeshObject;
}

/** The rules of one host in one namespace. Those that are exported to others than each other stay apart; the last one counts. */
interface HostRules {
  /** What the rules were made of. */
  readonly sources: readonly object[];
  /** For clients of the namespace itself. */
  readonly local: readonly MergedDestinationRule[];
  /** For everybody whom their exportTo names. */
  readonly exported: readonly MergedDestinationRule[];
  /** For nobody but the namespace itself. */
  readonly privateOnly: readonly MergedDestinationRule[];
}

type Labels = Readonly<Record<string, string>>;
type Pool = 'local' | 'exported' | 'privateOnly';

/** The rules of one namespace by host; wildcards once more, in order. */
interface NamespaceRules {
  readonly byHost: Map<string, HostRules>;
  readonly wildcards: { readonly host: string; readonly rules: HostRules }[];
}

/** Rules by namespace, oldest first; several for one host in one namespace are merged. */
export class DestinationRules {
  private readonly byNamespace = new Map<string, NamespaceRules>();
  private readonly rootNamespace: string;
  /** Of rules that name nobody. */
  private readonly exportTo: readonly string[];
  /** Some rule is for clients with certain labels only. */
  readonly selectClients: boolean;
  /** Some rule looks at labels of the client: to select it, or by a failoverPriority. */
  readonly compareLabels: boolean;

  /**
   * `policies`: rules made of BackendTLSPolicies. What a written rule says about the same host wins. A rule that is made of the same
   * documents as in `before` is the same object.
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
    this.selectClients = objects.some(({ spec }) => spec.workloadSelector !== undefined);
    this.compareLabels = this.selectClients || objects.some(({ spec }) => JSON.stringify(spec).includes('"failoverPriority"'));
    const written = Map.groupBy(objects, ({ spec, metadata }) =>
      key(metadata.namespace, resolveHost(spec.host, metadata.namespace, domain)),
    );
    const made = Map.groupBy(policies, ({ rule }) => key(rule.metadata.namespace, rule.spec.host));
    for (const where of new Set([...written.keys(), ...made.keys()]))
      this.add(where, written.get(where) ?? [], made.get(where) ?? [], before);
  }

  /**
   * The rule of a client's calls: client's namespace, then the service's, then the root namespace; in each the exact host, else the
   * longest wildcard (Istio: PushContext.destinationRule). A client of the root namespace begins with what the root namespace keeps for
   * itself. Of several rules the first that selects the client counts, else the last one for everybody (Istio: SidecarScope.DestinationRule).
   */
  find(host: string, serviceNamespace: string, client: string, labels: Labels): MergedDestinationRule | undefined {
    const rules = this.rulesOf(host, serviceNamespace, client);
    const selecting = rules.find(
      ({ namespace, workloadSelector }) => workloadSelector !== undefined && namespace === client && selects(workloadSelector, labels),
    );
    return selecting ?? forEverybody(rules);
  }

  /** The rule that says how a workload itself is called: selectors do not count there. */
  findInbound(host: string, serviceNamespace: string, client: string): MergedDestinationRule | undefined {
    return forEverybody(this.rulesOf(host, serviceNamespace, client));
  }

  /** The rules of a namespace that select a client, whatever their host. */
  selecting(client: string, labels: Labels): readonly MergedDestinationRule[] {
    const known = this.byNamespace.get(client)?.byHost.values() ?? [];
    return [...known]
      .flatMap(({ local }) => local)
      .filter(({ workloadSelector }) => workloadSelector !== undefined && selects(workloadSelector, labels));
  }

  private rulesOf(host: string, serviceNamespace: string, client: string): readonly MergedDestinationRule[] {
    const own = this.inNamespace(host, client, client === this.rootNamespace ? 'privateOnly' : 'local');
    if (own.length > 0) return own;
    const exported = this.exported(host, serviceNamespace, client);
    return exported.length > 0 ? exported : this.exported(host, this.rootNamespace, client);
  }

  private exported(host: string, namespace: string, client: string): readonly MergedDestinationRule[] {
    return this.inNamespace(host, namespace, 'exported').filter(
      ({ exportTo }) => exportTo.length === 0 || exportTo.includes('*') || exportTo.includes(client),
    );
  }

  private inNamespace(host: string, namespace: string, pool: Pool): readonly MergedDestinationRule[] {
    const known = this.byNamespace.get(namespace);
    if (known === undefined) return [];
    const exact = known.byHost.get(host)?.[pool] ?? [];
    if (exact.length > 0) return exact;
    let best: NamespaceRules['wildcards'][number] | undefined;
    for (const candidate of known.wildcards) {
      if (candidate.host.length <= (best?.host.length ?? 0) || candidate.rules[pool].length === 0) continue;
      if (hostMatches(candidate.host, host)) best = candidate;
    }
    return best?.rules[pool] ?? [];
  }

  private add(where: string, written: readonly MeshObject<DestinationRuleSpec>[], made: readonly PolicyRule[], before?: DestinationRules) {
    const slash = where.indexOf('/');
    const [namespace, host] = [where.slice(0, slash), where.slice(slash + 1)];
    let known = this.byNamespace.get(namespace);
    if (known === undefined) {
      known = { byHost: new Map(), wildcards: [] };
      this.byNamespace.set(namespace, known);
    }
    // Istio: sortConfigBySelectorAndCreationTime, where rules that are made have no time.
    const isFor = (all: boolean): Member[] =>
      written.filter(({ spec }) => (spec.workloadSelector === undefined) === all).map((rule) => ({ rule, source: rule }));
    const members = [...isFor(false), ...made, ...isFor(true)];
    const sources = members.map(({ rule }) => rule);
    const last = before?.byNamespace.get(namespace)?.byHost.get(host);
    const reusable = last !== undefined && isSame(before?.exportTo, this.exportTo) && isSame(last.sources, sources, 1);
    const rules = reusable ? last : { sources, ...this.pools(host, namespace, members) };
    known.byHost.set(host, rules);
    if (host.startsWith('*')) known.wildcards.push({ host, rules });
  }

  private pools(host: string, namespace: string, members: readonly Member[]): Omit<HostRules, 'sources'> {
    const exportTo = ({ rule: { spec } }: Member): readonly string[] => namedOr(writtenExportTo(spec), this.exportTo);
    const merged = (takes: (names: readonly string[]) => boolean): MergedDestinationRule[] =>
      mergeAll(
        host,
        this.exportTo,
        members.filter((member) => takes(exportTo(member))),
      );
    const isPrivate = (names: readonly string[]): boolean => names.length === 1 && (names[0] === '.' || names[0] === namespace);
    return {
      local: merged((names) => isVisible(names, namespace, namespace)),
      exported: merged((names) => !isPrivate(names)),
      privateOnly: merged(isPrivate),
    };
  }
}

/** A namespace has no slash. */
function key(namespace: string, host: string): string {
  return `${namespace}/${host}`;
}

/** A rule, and the document that somebody wrote: the rule itself, or a BackendTLSPolicy. */
type Member = PolicyRule;

function isMade({ rule, source }: Member): boolean {
  return rule !== source;
}

function mergeAll(host: string, exportTo: readonly string[], members: readonly Member[]): MergedDestinationRule[] {
  const rules: { readonly first: Member; merged: MergedDestinationRule }[] = [];
  for (const member of members) {
    let apart = true;
    for (const known of rules) {
      // A rule that stays apart from a later one of the list is there twice (Istio: mergeDestinationRule).
      const how = meeting(known.merged, member.rule.spec);
      apart = how !== 'joins';
      if (how !== 'apart') known.merged = merge(known.merged, known.first, member);
    }
    if (apart) rules.push({ first: member, merged: { ...single(member.rule, host, exportTo), source: member.source } });
  }
  return rules.map(({ merged }) => merged);
}

/** Rules that select clients are for their own namespace. */
function writtenExportTo({ workloadSelector, exportTo = [] }: DestinationRuleSpec): readonly string[] {
  return workloadSelector === undefined ? exportTo : ['.'];
}

/**
 * Rules become one when the later one is exported to all that the first one names, as it is written, and both select the same clients. Of
 * one that selects and one that does not, the first one takes what the later one has; the later one vanishes if both are exported alike.
 */
function meeting({ object: { spec: first } }: MergedDestinationRule, later: DestinationRuleSpec): 'joins' | 'adds' | 'apart' {
  const [names, laterNames] = [writtenExportTo(first), writtenExportTo(later)];
  const covered = names.every((name) => laterNames.includes(name));
  const alike = covered && laterNames.every((name) => names.includes(name));
  if (!alike && (names.length === 0 || !covered)) return 'apart';
  const [one, other] = [first.workloadSelector, later.workloadSelector];
  if (one === undefined && other === undefined) return 'joins';
  if (one !== undefined && other !== undefined) return isSame(one.matchLabels ?? {}, other.matchLabels ?? {}, 1) ? 'joins' : 'apart';
  return alike ? 'joins' : 'adds';
}

/** Of several the last one counts. */
function forEverybody(rules: readonly MergedDestinationRule[]): MergedDestinationRule | undefined {
  return rules.findLast(({ workloadSelector }) => workloadSelector === undefined);
}

function single(object: MeshObject<DestinationRuleSpec>, host: string, exportTo: readonly string[]): MergedDestinationRule {
  const { spec, metadata } = object;
  return {
    host,
    namespace: metadata.namespace,
    exportTo: namedOr(writtenExportTo(spec), exportTo),
    workloadSelector: spec.workloadSelector === undefined ? undefined : (spec.workloadSelector.matchLabels ?? {}),
    trafficPolicy: spec.trafficPolicy,
    subsets: spec.subsets ?? [],
    object,
    source: object,
  };
}

/**
 * Subsets are concatenated (a name that exists is dropped), the first trafficPolicy wins (Istio: mergeDestinationRule); what somebody wrote
 * wins over what a BackendTLSPolicy made, which fills its gaps.
 */
function merge(rule: MergedDestinationRule, first: Member, later: Member): MergedDestinationRule {
  const { spec } = later.rule;
  const more = (spec.subsets ?? []).filter(({ name }) => !rule.subsets.some((subset) => subset.name === name));
  const subsets = [...rule.subsets, ...more];
  if (isMade(first) === isMade(later)) return { ...rule, subsets, trafficPolicy: rule.trafficPolicy ?? spec.trafficPolicy };
  if (isMade(later)) return { ...rule, subsets, trafficPolicy: filled(rule.trafficPolicy, spec.trafficPolicy) };
  return { ...rule, subsets, trafficPolicy: filled(spec.trafficPolicy, rule.trafficPolicy), source: later.source };
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
export type Policy = Omit<PortTrafficPolicy, 'port'> & Pick<TrafficPolicy, (typeof WHOLE)[number]>;

/** Blocks that MeshConfig sets for rules that leave them out. */
export type DefaultPolicy = Pick<Policy, 'connectionPool' | 'outlierDetection'>;

/** What has no port: a port's entry takes the rule's away, and a subset's stands over it. */
const WHOLE = ['retryBudget', 'proxyProtocol'] as const;
const BLOCKS = ['loadBalancer', 'connectionPool', 'outlierDetection', 'tls'] as const;

/**
 * The policy for one port of a subset. A subset's block replaces the rule's block; a port's entry replaces all blocks, and one that
 * it leaves out is at its default, not inherited (Istio: MergeTrafficPolicy, MergeSubsetTrafficPolicy).
 */
export function policyFor(
  rule: MergedDestinationRule | undefined,
  subset: Subset | undefined,
  port: number,
  defaults: DefaultPolicy = {},
): Policy {
  const base = { ...defaults, ...blocks(entryOf(rule?.trafficPolicy, port) ?? rule?.trafficPolicy) };
  const own = entryOf(subset?.trafficPolicy, port);
  const whole = entryOf(rule?.trafficPolicy, port) === undefined ? rule?.trafficPolicy : undefined;
  return {
    ...(own === undefined ? { ...base, ...blocks(subset?.trafficPolicy) } : blocks(own)),
    ...chosen(whole, WHOLE),
    ...(own === undefined ? chosen(subset?.trafficPolicy, WHOLE) : {}),
  };
}

function entryOf(policy: TrafficPolicy | undefined, port: number): PortTrafficPolicy | undefined {
  return policy?.portLevelSettings?.find((entry) => entry.port?.number === port);
}

/** The blocks that a policy sets. */
function blocks(policy: Policy = {}): Policy {
  return chosen(policy, BLOCKS);
}

function chosen(policy: Policy = {}, names: readonly (keyof Policy)[]): Policy {
  return Object.fromEntries(names.flatMap((name) => (policy[name] === undefined ? [] : [[name, policy[name]]])));
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
