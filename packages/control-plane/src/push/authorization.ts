import type { AuthorizationPolicySpec, MeshObject } from '@ripstop/istio-api';
import { selects } from './service.ts';

/** The policies that apply to one workload, sorted by what they do. */
export interface WorkloadPolicies {
  readonly custom: readonly MeshObject<AuthorizationPolicySpec>[];
  readonly audit: readonly MeshObject<AuthorizationPolicySpec>[];
  readonly deny: readonly MeshObject<AuthorizationPolicySpec>[];
  readonly allow: readonly MeshObject<AuthorizationPolicySpec>[];
  /** RequestAuthentications that apply: not enforced yet, so the workload refuses (see translate/rbac-filters.ts). */
  readonly requestAuthentications: readonly MeshObject[];
}

interface Selected {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
}

/** Policies of the root namespace reach every workload, others their own namespace; a selector narrows. */
export function policiesFor(
  policies: readonly MeshObject<AuthorizationPolicySpec>[],
  requestAuthentications: readonly MeshObject[],
  rootNamespace: string,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): WorkloadPolicies {
  const applies = ({ metadata, spec }: MeshObject): boolean =>
    (metadata.namespace === rootNamespace || metadata.namespace === namespace) &&
    selects((spec as Selected | undefined)?.selector?.matchLabels, labels);
  const mine = policies.filter(applies);
  const withAction = (action: string): MeshObject<AuthorizationPolicySpec>[] =>
    mine.filter(({ spec }) => (spec.action ?? 'ALLOW') === action);
  return {
    custom: withAction('CUSTOM'),
    audit: withAction('AUDIT'),
    deny: withAction('DENY'),
    allow: withAction('ALLOW'),
    requestAuthentications: requestAuthentications.filter(applies),
  };
}

/** `istio.io/dry-run: "true"`: judged, never enforced. */
export function isDryRun({ metadata }: MeshObject): boolean {
  return metadata.annotations['istio.io/dry-run'] === 'true';
}
