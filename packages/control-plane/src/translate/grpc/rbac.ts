import type { AuthorizationPolicySpec, MeshObject, RequestAuthenticationSpec } from '@ripstop/istio-api';
import { type Policy, RBAC_Action, type RbacRules } from '@ripstop/xds-api';
import { isDryRun, type WorkloadPolicies } from '../../push/authorization.ts';
import { allIds, allOf, anyPermission, anyPrincipal, headerMatch, notId, notRule } from '../rbac/matchers.ts';
import { rbacPolicy } from '../rbac/rule.ts';
import type { FieldsOf } from '../values.ts';
import { enforceable } from './enforceable.ts';

type PolicyFields = FieldsOf<typeof Policy>;
type PolicyObject = MeshObject<AuthorizationPolicySpec>;
type NamedPolicy = readonly [string, PolicyFields];
type Note = (text: string) => void;

export interface GrpcRbac {
  readonly name: string;
  readonly rules: FieldsOf<typeof RbacRules>;
}

export interface GrpcServer {
  readonly trustDomains: readonly string[];
  /** It finds its callers' addresses in ranges (see client.ts). */
  readonly addresses: boolean;
  readonly note: Note;
}

const NEVER: PolicyFields = { permissions: [notRule(anyPermission)], principals: [notId(anyPrincipal)] };
const ALWAYS: PolicyFields = { permissions: [allOf([anyPermission])], principals: [allIds([anyPrincipal])] };

/**
 * The RBAC filters of a gRPC server: DENY, then ALLOW, by istiod's names. Unlike istiod's, an ALLOW policy without rules denies, a
 * dry-run policy does nothing and trust domain aliases count. What gRPC cannot judge is denied: CUSTOM policies, requests that carry a
 * token which a RequestAuthentication wants validated, workloads with an EnvoyFilter or plugin that authorizes.
 */
export function grpcRbac(policies: WorkloadPolicies, server: GrpcServer): GrpcRbac[] {
  const { note } = server;
  const { custom, audit, deny, allow, requestAuthentications, unenforced } = policies;
  for (const { metadata } of audit) note(`AuthorizationPolicy ${metadata.namespace}/${metadata.name}: gRPC servers do not audit`);
  for (const { metadata } of [...custom, ...deny, ...allow].filter(isDryRun)) {
    note(`AuthorizationPolicy ${metadata.namespace}/${metadata.name}: gRPC servers have no dry run; it does nothing`);
  }
  const rules = (action: RBAC_Action, objects: readonly PolicyObject[]): NamedPolicy[] =>
    objects.filter((object) => !isDryRun(object)).flatMap((object) => policyRules(object, action, server));
  const denied = byName([
    ...refusals([...requestAuthentications, ...unenforced], note),
    ...rules(RBAC_Action.DENY, custom).map(([name, policy]): NamedPolicy => [`not-enforced-custom-${name}`, policy]),
    ...rules(RBAC_Action.DENY, deny),
  ]);
  const allowed = byName(rules(RBAC_Action.ALLOW, allow));
  for (const { metadata } of custom.filter((object) => !isDryRun(object))) {
    note(`AuthorizationPolicy ${metadata.namespace}/${metadata.name}: CUSTOM cannot be asked; it denies`);
  }
  return [
    { name: 'envoy.filters.http.rbac.DENY', rules: { action: RBAC_Action.DENY, policies: denied } },
    { name: 'envoy.filters.http.rbac', rules: { action: RBAC_Action.ALLOW, policies: allowed } },
  ].filter((filter) => Object.keys(filter.rules.policies).length > 0);
}

/** istiod's names are not unique: `a-b` of namespace `c` and `b` of `c-a` would be one, and one of them lost. */
function byName(policies: readonly NamedPolicy[]): Record<string, PolicyFields> {
  const found: Record<string, PolicyFields> = {};
  for (const [name, policy] of policies) {
    let free = name;
    while (Object.hasOwn(found, free)) free += '+';
    found[free] = policy;
  }
  return found;
}

/** One entry per rule. Without rules a policy matches nothing: as ALLOW it must stand there all the same, so that nobody is let in. */
function policyRules(
  { metadata: { namespace, name }, spec }: PolicyObject,
  action: RBAC_Action,
  { trustDomains, addresses, note }: GrpcServer,
): NamedPolicy[] {
  const allow = action === RBAC_Action.ALLOW;
  const rules = spec.rules ?? [];
  if (rules.length === 0) return allow ? [[`${namespace}-${name}-0`, NEVER]] : [];
  return rules.flatMap((rule, index): NamedPolicy[] => {
    const policy = rbacPolicy(rule ?? {}, { namespace, trustDomains, tcp: false, allow });
    if (policy === undefined) return [];
    const unknown = (what: string): void =>
      note(
        `AuthorizationPolicy ${namespace}/${name}: gRPC servers cannot judge ${what}; ${allow ? 'such a rule lets nobody in' : 'the rule denies without it'}`,
      );
    return [[`${namespace}-${name}-${index}`, enforceable(policy, { deny: !allow, addresses, unknown })]];
  });
}

function refusals(objects: readonly MeshObject[], note: Note): NamedPolicy[] {
  const policies: NamedPolicy[] = [];
  for (const object of objects) {
    const { kind, metadata } = object;
    const what = `${kind} ${metadata.namespace}/${metadata.name}`;
    if (kind !== 'RequestAuthentication') {
      note(`${what}: gRPC servers cannot enforce it; every call is denied`);
      policies.push([`not-enforced-${kind}-${metadata.namespace}-${metadata.name}`, ALWAYS]);
      continue;
    }
    const headers = tokenHeaders(object as MeshObject<RequestAuthenticationSpec>);
    note(`${what}: gRPC servers cannot validate tokens; calls with ${headers.join(' or ')} are denied`);
    if (headers.length > 0)
      policies.push([`not-enforced-jwt-${metadata.namespace}-${metadata.name}`, { ...ALWAYS, principals: headers.map(present) }]);
  }
  return policies;
}

/** Where tokens may stand. A call without one is anonymous, as it is to Envoy; a gRPC call has no query parameters. */
function tokenHeaders({ spec }: MeshObject<RequestAuthenticationSpec>): string[] {
  const headers = new Set<string>();
  for (const { fromHeaders = [], fromCookies = [], fromParams = [] } of spec.jwtRules ?? []) {
    if (fromHeaders.length + fromCookies.length + fromParams.length === 0) headers.add('authorization');
    for (const { name } of fromHeaders) headers.add(name.toLowerCase());
    if (fromCookies.length > 0) headers.add('cookie');
  }
  return [...headers];
}

function present(name: string): NonNullable<PolicyFields['principals']>[number] {
  return { identifier: { $case: 'header', value: headerMatch(name, '*') } };
}
