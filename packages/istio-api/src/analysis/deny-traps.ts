import type { MeshObject } from '../object.ts';
import type { AuthorizationPolicySpec } from '../types/security.ts';
import { covers } from './authorization.ts';
import type { Analyzer, Say } from './say.ts';

type Policy = MeshObject<AuthorizationPolicySpec>;

/** DENY is looked at before ALLOW: what it denies, nothing allows. */
export const analyzeDenyTraps: Analyzer = (mesh, say) => {
  const policies = mesh.all<AuthorizationPolicySpec>('security.istio.io/AuthorizationPolicy').filter(isEnforced);
  const allows = policies.filter(({ spec }) => (spec.action ?? 'ALLOW') === 'ALLOW');
  const byNamespace = Map.groupBy(allows, ({ metadata }) => metadata.namespace);
  for (const deny of policies.filter(({ spec }) => spec.action === 'DENY')) {
    const { namespace } = deny.metadata;
    for (const allow of namespace === mesh.rootNamespace ? allows : (byNamespace.get(namespace) ?? []))
      if (covers(deny, allow, mesh.rootNamespace)) compare(deny, allow, say);
  }
};

function isEnforced({ metadata }: Policy): boolean {
  return metadata.annotations['istio.io/dry-run'] !== 'true';
}

function compare(deny: Policy, allow: Policy, say: Say): void {
  const { namespace, name } = deny.metadata;
  const other = `AuthorizationPolicy ${namespace}/${name} (${deny.source.file}:${deny.source.line})`;
  const rules = deny.spec.rules ?? [];
  if (rules.some((rule) => Object.keys(rule ?? {}).length === 0)) {
    say(
      allow,
      'RIPSTOP_DENY_OVER_ALLOW',
      [],
      `DENY wins: this ALLOW never takes effect while ${other} denies everything; remove or narrow that one`,
    );
    return;
  }
  const denied = new Set(rules.map((rule) => JSON.stringify(rule)));
  for (const [index, rule] of (allow.spec.rules ?? []).entries())
    if (denied.has(JSON.stringify(rule)))
      say(
        allow,
        'RIPSTOP_DENY_OVER_ALLOW',
        ['spec', 'rules', index],
        `DENY wins: ${other} denies by this very rule, so it allows nothing; remove one of the two`,
      );
}
