import type { AuthorizationPolicySpec, MeshObject, PolicyTargetReference, RequestAuthenticationSpec } from '@ripstop/istio-api';
import { GATEWAY_API } from '../gateway-api/gateway-types.ts';
import { selects } from './service.ts';

export type PolicyObject = MeshObject<AuthorizationPolicySpec>;

/** The policies that apply to one workload, sorted by what they do. */
export interface WorkloadPolicies {
  readonly custom: readonly PolicyObject[];
  readonly audit: readonly PolicyObject[];
  readonly deny: readonly PolicyObject[];
  readonly allow: readonly PolicyObject[];
  /** Oldest first. */
  readonly requestAuthentications: readonly MeshObject<RequestAuthenticationSpec>[];
  /** What protects this workload and is not enforced yet, so the workload refuses (see translate/rbac/rbac-filters.ts). */
  readonly unenforced: readonly MeshObject[];
}

interface Selected {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  /** EnvoyFilter's. */
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly targetRef?: PolicyTargetReference;
  readonly targetRefs?: readonly PolicyTargetReference[];
}

/** Every document of the mesh that says who may call. */
export interface SecurityObjects {
  readonly policies: readonly PolicyObject[];
  readonly requestAuthentications: readonly MeshObject<RequestAuthenticationSpec>[];
  readonly unenforced: readonly MeshObject[];
}

/**
 * Policies of the root namespace reach every workload, others their own namespace; a selector narrows. With targetRefs they are for
 * Gateways of their namespace alone. `gateways`: names of those that the workload runs, asked for when a policy names one.
 */
export function policiesFor(
  { policies, requestAuthentications, unenforced }: SecurityObjects,
  rootNamespace: string,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  gateways: () => ReadonlySet<string>,
): WorkloadPolicies {
  const applies = (object: MeshObject): boolean =>
    (object.metadata.namespace === rootNamespace || object.metadata.namespace === namespace) &&
    attaches(object, namespace, labels, gateways);
  const mine = policies.filter(applies);
  const withAction = (action: string): PolicyObject[] => mine.filter(({ spec }) => (spec.action ?? 'ALLOW') === action);
  return {
    custom: withAction('CUSTOM'),
    audit: withAction('AUDIT'),
    deny: withAction('DENY'),
    allow: withAction('ALLOW'),
    requestAuthentications: requestAuthentications.filter(applies),
    unenforced: unenforced.filter(applies),
  };
}

/** Whether a document's targetRefs or selector take a workload. Its namespace is the caller's business where it has a selector. */
export function attaches(
  { metadata, spec }: MeshObject,
  namespace: string,
  labels: Readonly<Record<string, string>>,
  gateways: () => ReadonlySet<string>,
): boolean {
  const { selector, workloadSelector, targetRef, targetRefs = [] } = (spec as Selected | undefined) ?? {};
  const targets = targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
  if (targets.length > 0) return metadata.namespace === namespace && targets.some((target) => isOneOf(target, gateways()));
  return selects(selector?.matchLabels, labels) && selects(workloadSelector?.labels, labels);
}

function isOneOf({ group, kind, name }: PolicyTargetReference, gateways: ReadonlySet<string>): boolean {
  return group === GATEWAY_API && kind === 'Gateway' && name !== undefined && gateways.has(name);
}

/** `istio.io/dry-run: "true"`: judged, never enforced. */
export function isDryRun({ metadata }: MeshObject): boolean {
  return metadata.annotations['istio.io/dry-run'] === 'true';
}
