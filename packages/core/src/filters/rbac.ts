import type { DecisionRecord } from '../decision-record.ts';
import type { Exchange, Peer } from '../exchange.ts';
import type { Filter, FilterEnv } from '../filter.ts';
import type { FilterCounter } from '../filter-counters.ts';
import { localReply } from '../local-reply.ts';
import type { SourceRef } from '../source-ref.ts';

/** A compiled permission or principal. `peerOnly` = its verdict depends on nothing but the connection. */
export interface RbacRule {
  readonly peerOnly: boolean;
  test(x: Exchange): boolean;
}

export interface RbacPolicy {
  readonly name: string;
  readonly permission: RbacRule;
  readonly principal: RbacRule;
}

/** One rule set. Policies stand in lexicographic name order, as Envoy evaluates them. */
export interface RbacRuleSet {
  readonly action: 'ALLOW' | 'DENY' | 'LOG';
  readonly policies: readonly RbacPolicy[];
}

export interface RbacConfig {
  readonly rules: RbacRuleSet | undefined;
  readonly shadowRules: RbacRuleSet | undefined;
  readonly shadowPrefix: string;
  /** Of connections: in the names of what is counted; absent = nothing is. */
  readonly statPrefix?: string | undefined;
}

const FILTER_NAME = 'envoy.filters.http.rbac';

type RbacEnv = Pick<FilterEnv, 'counters' | 'statPrefix' | 'log'>;

/**
 * Envoy's RBAC filter, for requests and, by another name, for connections. Policies whose principals the connection cannot satisfy are
 * dropped once per connection, not per request.
 */
export function createRbac(config: RbacConfig, env: RbacEnv = {}, name: string = FILTER_NAME): Filter | undefined {
  const { rules, shadowRules, shadowPrefix } = config;
  if (rules === undefined && shadowRules === undefined) return undefined;
  const ruleSet = rules === undefined ? undefined : new RuleSet(rules);
  const shadow = shadowRules === undefined ? undefined : new Shadow(shadowRules, shadowPrefix, env, name, config.statPrefix);
  const [allowed, refused] = verdictCounters(env, config.statPrefix, '');
  return {
    name,
    onRequest: (x: Exchange) => {
      shadow?.judge(x);
      if (ruleSet === undefined) return undefined;
      const matched = ruleSet.match(x);
      if (ruleSet.action === 'LOG') {
        if (matched !== undefined) audit(x, matched, env, name);
        return undefined;
      }
      const denied = (matched !== undefined) === (ruleSet.action === 'DENY');
      const counter = denied ? refused : allowed;
      if (counter !== undefined) counter.value++;
      if (x.decision !== undefined) recordVerdict(x, x.decision, rules!, matched, denied);
      return denied ? denial(matched ?? 'none') : undefined;
    },
  };
}

/** What an AUDIT policy matches goes on; the log and the metadata say so. The query stays out: it may hold secrets. */
function audit(x: Exchange, policy: string, { log }: RbacEnv, filter: string): void {
  setMetadata(x, 'envoy.common', { access_log_hint: true });
  setMetadata(x, filter, { enforced_effective_policy_id: policy, enforced_engine_result: 'allowed' });
  if (x.decision?.dryRun) return;
  const { request, peer } = x;
  const caller = peer.uriSans[0] ?? peer.address;
  const what =
    x.protocol === 'tcp' ? `a connection to port ${x.port}` : `${request.method} ${JSON.stringify(request.authority + x.matchPath)}`;
  log?.(`audit: ${policy}: ${what} by ${caller}`);
}

function setMetadata(x: Exchange, filter: string, values: Readonly<Record<string, unknown>>): void {
  x.metadata ??= new Map();
  x.metadata.set(filter, { ...x.metadata.get(filter), ...values });
}

/** istiod's policy names tell which rule of which object spoke. */
const ISTIO_POLICY = /^ns\[(.*?)\]-policy\[(.*?)\]-rule\[(\d+)\]$/;

function recordVerdict(
  x: Exchange,
  record: DecisionRecord,
  { action, policies }: RbacRuleSet,
  matched: string | undefined,
  denied: boolean,
): void {
  const verdict = denied ? 'denied' : 'goes on';
  if (matched === undefined) {
    record.add('filter', `authorization: no ${action} policy matches: ${verdict}`);
    if (denied) recordMisses(x, record, policies);
    return;
  }
  const [, namespace, name, rule] = ISTIO_POLICY.exec(matched) ?? [];
  const source = namespace === undefined ? undefined : policySource(x, namespace, name!);
  record.add('filter', `authorization: ${action} by ${rule === undefined ? matched : `rule ${rule}`}: ${verdict}`, source);
}

const MOST_MISSES = 10;

/** The policies that could have let the request in: somebody will want to read them. */
function recordMisses(x: Exchange, record: DecisionRecord, policies: readonly RbacPolicy[]): void {
  const rules = new Map<string, number>();
  for (const { name } of policies) {
    const [, namespace, policy] = ISTIO_POLICY.exec(name) ?? [];
    const key = namespace === undefined ? name : `${namespace}/${policy}`;
    rules.set(key, (rules.get(key) ?? 0) + 1);
  }
  for (const [key, count] of [...rules].slice(0, MOST_MISSES)) {
    const [namespace, name] = key.split('/');
    const text = count === 1 ? `the rule of ${key} does not match` : `none of the ${count} rules of ${key} matches`;
    record.add('filter', `authorization: ${text}`, name === undefined ? undefined : policySource(x, namespace!, name));
  }
  if (rules.size > MOST_MISSES) record.add('filter', `authorization: nor do ${rules.size - MOST_MISSES} more policies`);
}

function policySource({ manager }: Exchange, namespace: string, name: string): SourceRef {
  return manager.sources?.get(`AuthorizationPolicy ${namespace}/${name}`) ?? { kind: 'AuthorizationPolicy', namespace, name };
}

/** Envoy's reply: 403 without a response flag, the policy in the details. */
function denial(policy: string): ReturnType<typeof localReply> {
  return localReply({ status: 403, details: `rbac_access_denied_matched_policy[${policy}]`, body: 'RBAC: access denied' });
}

/** Rules that decide nothing: their verdict is dynamic metadata for logs, traces and other filters; dry runs are counted. */
class Shadow {
  private readonly rules: RuleSet;
  private readonly prefix: string;
  private readonly filter: string;
  private readonly allowed: FilterCounter | undefined;
  private readonly denied: FilterCounter | undefined;

  constructor(rules: RbacRuleSet, prefix: string, env: RbacEnv, filter: string, statPrefix?: string) {
    this.rules = new RuleSet(rules);
    this.prefix = prefix;
    this.filter = filter;
    const dryRun = /^istio_dry_run_(allow|deny)_$/.exec(prefix)?.[1];
    const counter = (result: string): FilterCounter | undefined =>
      dryRun === undefined ? undefined : env.counters?.counter(dryRunMetric(env.statPrefix), DRY_RUN_HELP, labels(dryRun, result));
    const [allowed, denied] = verdictCounters(env, statPrefix, `${prefix}shadow_`);
    this.allowed = counter('allowed') ?? allowed;
    this.denied = counter('denied') ?? denied;
  }

  judge(x: Exchange): void {
    const { rules, prefix, filter } = this;
    const matched = rules.match(x);
    const denied = (matched !== undefined) === (rules.action === 'DENY');
    setMetadata(x, filter, {
      ...(matched === undefined ? {} : { [`${prefix}shadow_effective_policy_id`]: matched }),
      [`${prefix}shadow_engine_result`]: denied ? 'denied' : 'allowed',
    });
    const counter = denied ? this.denied : this.allowed;
    if (counter !== undefined && !x.decision?.dryRun) counter.value++;
  }
}

/** Envoy's names for connections: [allowed, denied]. Of istiod's prefix, `tcp.`, its Prometheus takes both words for labels. */
function verdictCounters(env: RbacEnv, statPrefix: string | undefined, kind: string): readonly (FilterCounter | undefined)[] {
  if (statPrefix === undefined) return [];
  const istiods = statPrefix === 'tcp.';
  const by: Readonly<Record<string, string>> = istiods
    ? { envoy_rbac_prefix: 'tcp', envoy_tcp_prefix: 'rbac' }
    : { envoy_rbac_prefix: statPrefix };
  const name = istiods ? 'envoy' : 'envoy_rbac';
  return ['allowed', 'denied'].map((verdict) => env.counters?.counter(`${name}_${kind}${verdict}`, 'Connections judged by policies', by));
}

const DRY_RUN_HELP = 'Requests judged by policies with the annotation istio.io/dry-run';

/** Istio's name: `envoy_http_inbound_0_0_0_0_8000_rbac`. */
function dryRunMetric(statPrefix = ''): string {
  return `envoy_http_${statPrefix.replace(/;$/, '').replace(/[^a-zA-Z0-9_]/g, '_')}_rbac`;
}

function labels(action: string, result: string): Readonly<Record<string, string>> {
  return { authz_dry_run_action: action, authz_dry_run_result: result };
}

class RuleSet {
  readonly action: RbacRuleSet['action'];
  private readonly policies: readonly RbacPolicy[];
  /** Policies that a connection can still match; the answer for a Peer never changes. */
  private readonly byPeer = new WeakMap<Peer, readonly RbacPolicy[]>();

  constructor({ action, policies }: RbacRuleSet) {
    this.action = action;
    this.policies = policies;
  }

  match(x: Exchange): string | undefined {
    let policies = this.byPeer.get(x.peer);
    if (policies === undefined) {
      policies = this.policies.filter(({ principal }) => !principal.peerOnly || principal.test(x));
      this.byPeer.set(x.peer, policies);
    }
    for (let index = 0; index < policies.length; index++) {
      const policy = policies[index]!;
      if (policy.permission.test(x) && (policy.principal.peerOnly || policy.principal.test(x))) return policy.name;
    }
    return undefined;
  }
}

export const ANY_RULE: RbacRule = { peerOnly: true, test: () => true };

export function andRules(rules: readonly RbacRule[]): RbacRule {
  if (rules.length === 1) return rules[0]!;
  return {
    peerOnly: rules.every((rule) => rule.peerOnly),
    test: (x) => {
      for (let index = 0; index < rules.length; index++) if (!rules[index]!.test(x)) return false; // no closure per request
      return true;
    },
  };
}

export function orRules(rules: readonly RbacRule[]): RbacRule {
  if (rules.length === 1) return rules[0]!;
  return {
    peerOnly: rules.every((rule) => rule.peerOnly),
    test: (x) => {
      for (let index = 0; index < rules.length; index++) if (rules[index]!.test(x)) return true;
      return false;
    },
  };
}

export function notRule(rule: RbacRule): RbacRule {
  return { peerOnly: rule.peerOnly, test: (x) => !rule.test(x) };
}

/** Envoy's authenticated principal: any URI SAN, else any DNS SAN, else the subject; without TLS false; undefined test = any TLS peer. */
export function authenticatedRule(test: ((name: string) => boolean) | undefined): RbacRule {
  return {
    peerOnly: true,
    test: ({ peer }) => peer.mtls && (test === undefined || peer.uriSans.some(test) || peer.dnsSans.some(test) || test(peer.subject)),
  };
}
