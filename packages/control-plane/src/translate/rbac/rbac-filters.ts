import { HttpRbac, NetworkRbac, RBAC_Action, type RbacRules } from '@ripstop/xds-api';
import { isDryRun, type PolicyObject, type WorkloadPolicies } from '../../push/authorization.ts';
import type { FieldsOf } from '../values.ts';
import { allIds, allOf, anyPermission, anyPrincipal, notId, notRule } from './matchers.ts';
import { rbacPolicy } from './rule.ts';

export type RulesFields = FieldsOf<typeof RbacRules>;

export interface RbacScope {
  readonly trustDomains: readonly string[];
  readonly tcp: boolean;
}

interface ActionGroup {
  readonly action: RBAC_Action;
  readonly policies: readonly PolicyObject[];
}

/** The RBAC filters of a workload in the order in which they judge: AUDIT, DENY, ALLOW. A group without policies has no filter. */
export function httpRbacFilters(policies: WorkloadPolicies, trustDomains: readonly string[]): HttpRbac[] {
  return groups(policies, { trustDomains, tcp: false }).map((fields) => HttpRbac.fromPartial(fields));
}

/** What stands before all of them: the refusal of what is not enforced, or nothing. */
export function httpRefusals(policies: WorkloadPolicies): HttpRbac[] {
  return refusals(policies).map((fields) => HttpRbac.fromPartial(fields));
}

/** Refusals, AUDIT, DENY and ALLOW for TCP connections. */
export function networkRbacFilters(policies: WorkloadPolicies, trustDomains: readonly string[]): NetworkRbac[] {
  const scope = { trustDomains, tcp: true };
  return [...refusals(policies), ...groups(policies, scope)].map((fields) => NetworkRbac.fromPartial({ statPrefix: 'tcp.', ...fields }));
}

interface RbacFields {
  readonly rules?: RulesFields;
  readonly shadowRules?: RulesFields;
  readonly shadowRulesStatPrefix: string;
}

function groups(policies: WorkloadPolicies, scope: RbacScope): RbacFields[] {
  const filters: RbacFields[] = [];
  for (const group of [
    { action: RBAC_Action.LOG, policies: policies.audit },
    { action: RBAC_Action.DENY, policies: policies.deny },
    { action: RBAC_Action.ALLOW, policies: policies.allow },
  ]) {
    const fields = groupFields(group, scope);
    if (fields !== undefined) filters.push(fields);
  }
  return filters;
}

function groupFields({ action, policies }: ActionGroup, scope: RbacScope): RbacFields | undefined {
  if (policies.length === 0) return undefined;
  const enforced = policies.filter((policy) => !isDryRun(policy));
  const shadow = policies.filter(isDryRun);
  const dryDeny = action === RBAC_Action.DENY && shadow.length > 0;
  return {
    ...(enforced.length === 0 ? {} : { rules: rulesOf(action, enforced, scope) }),
    ...(shadow.length === 0 ? {} : { shadowRules: rulesOf(action, shadow, scope) }),
    shadowRulesStatPrefix: dryDeny ? 'istio_dry_run_deny_' : 'istio_dry_run_allow_',
  };
}

function rulesOf(action: RBAC_Action, policies: readonly PolicyObject[], scope: RbacScope): RulesFields {
  return { action, policies: policiesOf(policies, action, scope) };
}

/** An Envoy policy for each rule, by istiod's names. */
export function policiesOf(
  policies: readonly PolicyObject[],
  action: RBAC_Action,
  { trustDomains, tcp }: RbacScope,
  prefix = '',
): NonNullable<RulesFields['policies']> {
  const found: NonNullable<RulesFields['policies']> = {};
  for (const { metadata, spec } of policies) {
    const { namespace, name } = metadata;
    const rules = spec.rules ?? [];
    // No rules means never: as ALLOW it admits nobody, as DENY nobody is refused by it.
    if (rules.length === 0) found[prefix + policyName(namespace, name, 0)] = NEVER;
    for (const [index, rule] of rules.entries()) {
      const policy = rbacPolicy(rule ?? {}, { namespace, trustDomains, tcp, allow: action === RBAC_Action.ALLOW });
      if (policy !== undefined) found[prefix + policyName(namespace, name, index)] = policy;
    }
  }
  return found;
}

function policyName(namespace: string, name: string, rule: number): string {
  return `ns[${namespace}]-policy[${name}]-rule[${rule}]`;
}

const NEVER = { permissions: [notRule(anyPermission)], principals: [notId(anyPrincipal)] };
const ALWAYS = { permissions: [allOf([anyPermission])], principals: [allIds([anyPrincipal])] };

/**
 * What this version cannot enforce it refuses: a workload with a plugin or an EnvoyFilter that authenticates or authorizes answers nobody.
 * Never laxer than the document asks for.
 */
function refusals({ unenforced }: WorkloadPolicies): RbacFields[] {
  const policies: NonNullable<RulesFields['policies']> = {};
  for (const { kind, metadata } of unenforced) {
    policies[`not-enforced-${kebab(kind)}-ns[${metadata.namespace}]-name[${metadata.name}]`] = ALWAYS;
  }
  if (Object.keys(policies).length === 0) return [];
  return [{ rules: { action: RBAC_Action.DENY, policies }, shadowRulesStatPrefix: 'istio_dry_run_allow_' }];
}

/** `WasmPlugin` → `wasm-plugin`. */
function kebab(kind: string): string {
  return kind.replace(/(?<=[a-z])[A-Z]/g, '-$&').toLowerCase();
}
