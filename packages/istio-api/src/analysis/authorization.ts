import type { MeshObject } from '../object.ts';
import type { AuthorizationPolicySpec } from '../types/security.ts';
import { formatSelector, type Labels, selects } from './labels.ts';
import type { MeshDocuments } from './mesh-documents.ts';
import type { Analyzer, Say } from './say.ts';

interface Selecting {
  readonly selector?: { readonly matchLabels?: Labels };
  readonly targetRef?: object;
  readonly targetRefs?: readonly object[];
}

const GATEWAY_LABEL = 'gateway.networking.k8s.io/gateway-name';

/** What policies select, and namespaces that they name (Istio: AuthorizationPoliciesAnalyzer, k8sgateway.SelectorAnalyzer). */
export const analyzeAuthorization: Analyzer = (mesh, say) => {
  const kinds = ['AuthorizationPolicy', 'RequestAuthentication', 'PeerAuthentication'].map((kind) => `security.istio.io/${kind}`);
  for (const kind of [...kinds, 'telemetry.istio.io/Telemetry', 'extensions.istio.io/WasmPlugin'])
    for (const object of mesh.all<Selecting>(kind)) {
      if ((object.spec.targetRef ?? object.spec.targetRefs) !== undefined) continue;
      if (kinds.includes(kind)) checkSelection(object, mesh, say);
      if (!kind.endsWith('PeerAuthentication')) checkKubernetesGateways(object, mesh, say);
    }
  checkNamespaces(mesh, say);
};

function checkSelection(object: MeshObject<Selecting>, { workloads, rootNamespace }: MeshDocuments, say: Say): void {
  if (!workloads.areTold) return;
  const selector = object.spec.selector?.matchLabels ?? {};
  const { namespace } = object.metadata;
  const isGeneral = Object.keys(selector).length === 0;
  if (namespace === rootNamespace && (isGeneral || workloads.anywhere(selector).length > 0)) return;
  if (workloads.in(namespace, selector).length > 0) return;
  const where = namespace === rootNamespace ? 'in any namespace' : `in namespace ${namespace}`;
  say(
    object,
    'IST0127',
    isGeneral ? ['metadata', 'namespace'] : ['spec', 'selector', 'matchLabels'],
    isGeneral
      ? `the documents tell of no workload ${where}: the policy holds for nothing`
      : `no workload ${where} has the labels ${formatSelector(selector)}: the policy holds for nothing; correct its selector`,
  );
}

/** Gateways of the Gateway API are named, not selected. */
function checkKubernetesGateways(object: MeshObject<Selecting>, { workloads }: MeshDocuments, say: Say): void {
  const selector = object.spec.selector?.matchLabels;
  if (selector === undefined) return;
  const names = workloads.in(object.metadata.namespace, selector).flatMap(({ labels }) => labels[GATEWAY_LABEL] ?? []);
  for (const name of new Set(names))
    say(
      object,
      'IST0166',
      ['spec', 'selector', 'matchLabels'],
      `labels do not select Gateway ${name} of the Gateway API: name it in targetRefs`,
    );
}

/** Only when the documents have Namespaces at all: they are seldom written down. */
function checkNamespaces(mesh: MeshDocuments, say: Say): void {
  const known = mesh.all('Namespace').map(({ metadata }) => metadata.name);
  if (known.length === 0) return;
  for (const object of mesh.all<AuthorizationPolicySpec>('security.istio.io/AuthorizationPolicy'))
    for (const [rule, { from = [] }] of (object.spec.rules ?? []).entries())
      for (const [index, { source }] of from.entries())
        for (const field of ['namespaces', 'notNamespaces'] as const)
          for (const [at, namespace] of (source?.[field] ?? []).entries())
            if (!known.some((name) => isMeant(name, namespace)))
              say(
                object,
                'IST0101',
                ['spec', 'rules', rule, 'from', index, 'source', field, at],
                `Referenced namespace not found: "${namespace}": the documents have ${known.join(', ')}; correct the name`,
              );
}

function isMeant(name: string, pattern: string): boolean {
  if (pattern === '*') return true;
  if (pattern.startsWith('*')) return name.endsWith(pattern.slice(1));
  if (pattern.endsWith('*')) return name.startsWith(pattern.slice(0, -1));
  return name.toLowerCase() === pattern.toLowerCase();
}

/** Whether a policy holds for every workload that another one selects. */
export function covers(wide: MeshObject<Selecting>, narrow: MeshObject<Selecting>, rootNamespace: string): boolean {
  if (wide.spec.targetRef !== undefined || wide.spec.targetRefs !== undefined) return false;
  if (wide.metadata.namespace !== narrow.metadata.namespace && wide.metadata.namespace !== rootNamespace) return false;
  const selector = wide.spec.selector?.matchLabels ?? {};
  return selects(selector, narrow.spec.selector?.matchLabels ?? {});
}
