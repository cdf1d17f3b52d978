import type { MeshObject } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';

type Metadata = { readonly filterMetadata: Record<string, Record<string, unknown>> };

/**
 * The documents that say who may call a workload, with file and line, in `filter_metadata.ripstop.objects` of its listener: filters name
 * policies, and a message about one should name its line. For our own clients only, as `sourceMetadata`.
 */
export function listenerSources(node: ProxyNode, push: PushContext): { readonly metadata?: Metadata } {
  if (!node.ripstop) return {};
  const policies = push.policiesFor(node.namespace, node.labels);
  const objects: readonly MeshObject[] = [
    ...push.peerAuthentications.sourcesFor(node.namespace, node.labels),
    ...policies.requestAuthentications,
    ...policies.custom,
    ...policies.audit,
    ...policies.deny,
    ...policies.allow,
  ];
  if (objects.length === 0) return {};
  return { metadata: { filterMetadata: { ripstop: { objects: objects.map(sourceOf) } } } };
}

function sourceOf(object: MeshObject): Record<string, unknown> {
  const { file, line } = object.locate([]);
  const { name, namespace } = object.metadata;
  return { kind: object.kind, namespace, name, file, line };
}
