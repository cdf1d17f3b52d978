import type { Operation, Rule, Source } from '@ripstop/istio-api';
import type { Policy } from '@ripstop/xds-api';
import type { FieldsOf } from '../values.ts';
import {
  type Attribute,
  conditionAttribute,
  HOST,
  IP_BLOCK,
  METHOD,
  NAMESPACE,
  PATH,
  PORT,
  PRINCIPAL,
  REMOTE_IP_BLOCK,
  REQUEST_PRINCIPAL,
  type RuleScope,
  SERVICE_ACCOUNT,
  TRUST_DOMAIN,
} from './attributes.ts';
import {
  allIds,
  allOf,
  anyIds,
  anyOf,
  anyPermission,
  anyPrincipal,
  notId,
  notRule,
  type PermissionFields,
  type PrincipalFields,
} from './matchers.ts';

/** One field of a rule: the values that it must have and those that it must not. */
interface Clause {
  readonly attribute: Attribute;
  readonly values: readonly string[];
  readonly notValues: readonly string[];
}

export interface RuleOptions extends RuleScope {
  /** For a TCP filter: HTTP fields cannot be judged there. */
  readonly tcp: boolean;
  /** An ALLOW rule with a field that cannot be judged is dropped; every other action keeps the rule without the field. */
  readonly allow: boolean;
}

/** One rule as an Envoy policy; undefined when it is dropped (see {@link RuleOptions}). */
export function rbacPolicy(rule: Rule, options: RuleOptions): FieldsOf<typeof Policy> | undefined {
  const when = (rule.when ?? []).map(({ key, values, notValues }) => clause(attributeOf(key), values, notValues));
  const operations = rule.to?.map(({ operation }) => operationClauses(operation ?? {})) ?? [[]];
  const sources = rule.from?.map(({ source }) => sourceClauses(source ?? {})) ?? [[]];
  const all = [...when, ...operations.flat(), ...sources.flat()];
  if (options.tcp && options.allow && all.some((entry) => entry.attribute.http)) return undefined;
  return {
    permissions: operations.map((entries) => permissionOf([...entries, ...when], options)),
    principals: sources.map((entries) => principalOf([...entries, ...when], options)),
  };
}

/** Istio refuses such a document at admission; here validation has done so before. */
function attributeOf(key: string): Attribute {
  const attribute = conditionAttribute(key);
  if (attribute === undefined) throw new Error(`unknown condition key "${key}"`);
  return attribute;
}

function clause(attribute: Attribute, values: readonly string[] | undefined, notValues: readonly string[] | undefined): Clause {
  return { attribute, values: values ?? [], notValues: notValues ?? [] };
}

function operationClauses(operation: Operation): Clause[] {
  return [
    clause(HOST, operation.hosts, operation.notHosts),
    clause(METHOD, operation.methods, operation.notMethods),
    clause(PATH, operation.paths, operation.notPaths),
    clause(PORT, operation.ports, operation.notPorts),
  ].filter(isUsed);
}

function sourceClauses(source: Source): Clause[] {
  return [
    clause(PRINCIPAL, source.principals, source.notPrincipals),
    clause(REQUEST_PRINCIPAL, source.requestPrincipals, source.notRequestPrincipals),
    clause(SERVICE_ACCOUNT, source.serviceAccounts, source.notServiceAccounts),
    clause(TRUST_DOMAIN, source.trustDomains, source.notTrustDomains),
    clause(NAMESPACE, source.namespaces, source.notNamespaces),
    clause(REMOTE_IP_BLOCK, source.remoteIpBlocks, source.notRemoteIpBlocks),
    clause(IP_BLOCK, source.ipBlocks, source.notIpBlocks),
  ].filter(isUsed);
}

function isUsed({ values, notValues }: Clause): boolean {
  return values.length > 0 || notValues.length > 0;
}

function permissionOf(clauses: readonly Clause[], options: RuleOptions): PermissionFields {
  const rules: PermissionFields[] = [];
  for (const { attribute, values, notValues } of clauses) {
    if ((attribute.on !== 'permission' && attribute.on !== 'permission-list') || (options.tcp && attribute.http)) continue;
    const match = (list: readonly string[]): PermissionFields =>
      attribute.on === 'permission-list' ? attribute.matchAll(list) : anyOf(list.map((value) => attribute.match(value, options)));
    if (values.length > 0) rules.push(match(values));
    if (notValues.length > 0) rules.push(notRule(match(notValues)));
  }
  return allOf(rules.length === 0 ? [anyPermission] : rules);
}

function principalOf(clauses: readonly Clause[], options: RuleOptions): PrincipalFields {
  const ids: PrincipalFields[] = [];
  for (const { attribute, values, notValues } of clauses) {
    if (attribute.on === 'permission' || attribute.on === 'permission-list' || (options.tcp && attribute.http)) continue;
    const match = (list: readonly string[]): PrincipalFields => {
      if (attribute.on === 'principal-list') return attribute.matchAll(list);
      const expanded = expandedDomains(attribute, list, options.trustDomains);
      const entries = expanded.map((value) => attribute.match(value, options));
      // A request principal is a conjunction of claims by itself: a lone one needs no "or" around it (istiod's form).
      return attribute === REQUEST_PRINCIPAL && entries.length === 1 ? entries[0]! : anyIds(entries);
    };
    if (values.length > 0) ids.push(match(values));
    if (notValues.length > 0) ids.push(notId(match(notValues)));
  }
  return allIds(ids.length === 0 ? [anyPrincipal] : ids);
}

function expandedDomains(attribute: Attribute, values: readonly string[], trustDomains: readonly string[]): readonly string[] {
  if (attribute === PRINCIPAL) return values.flatMap((value) => withAliases(value, trustDomains));
  // A trust domain of the mesh is all of them (Istio: ExpandTrustDomainAliases).
  if (attribute === TRUST_DOMAIN) return [...new Set(values.flatMap((value) => (trustDomains.includes(value) ? trustDomains : value)))];
  return values;
}

/**
 * `cluster.local` in a principal stands for the mesh's own trust domain; every alias is accepted as well. A domain `*x` takes those that
 * it matches, and the others are added by name (Istio: trustdomain.Bundle).
 */
function withAliases(principal: string, trustDomains: readonly string[]): string[] {
  // Only a whole identity has a trust domain: `td/ns/a/*` stands for itself.
  if (trustDomains.length === 0 || principal.split('/').length !== 5) return [principal];
  const slash = principal.indexOf('/');
  const domain = principal.slice(0, slash);
  const rest = principal.slice(slash);
  if (domain === '*') return [principal];
  const ours = domain === 'cluster.local' || trustDomains.some((name) => domainsMeet(domain, name));
  if (!ours) return [principal];
  return [...new Set(trustDomains.map((name) => (endsAs(name, domain) ? principal : name + rest)))];
}

/** Either may be a pattern (Istio: trustdomain.stringMatch). */
function domainsMeet(domain: string, name: string): boolean {
  return (
    domain === name || name === '*' || beginsAs(domain, name) || beginsAs(name, domain) || endsAs(domain, name) || endsAs(name, domain)
  );
}

function beginsAs(text: string, pattern: string): boolean {
  return pattern.endsWith('*') && text.startsWith(pattern.slice(0, -1));
}

function endsAs(text: string, pattern: string): boolean {
  return pattern.startsWith('*') && text.endsWith(pattern.slice(1));
}
