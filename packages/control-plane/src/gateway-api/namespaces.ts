import type { MeshObject } from '@ripstop/istio-api';
import { matchesSelector, NAMESPACE_NAME_LABEL } from '../model/label-selector.ts';
import type { ListenerSpec } from './gateway-types.ts';

type Labels = Readonly<Record<string, string>>;

/** Labels of every namespace that is named: those of its document, and Kubernetes' own with its name. */
export function namespaceLabels(objects: readonly MeshObject[]): ReadonlyMap<string, Labels> {
  const found = new Map<string, Labels>();
  for (const { metadata } of objects) {
    if (metadata.namespace !== '') found.set(metadata.namespace, {});
  }
  for (const { kind, metadata } of objects) if (kind === 'Namespace') found.set(metadata.name, metadata.labels);
  return new Map([...found].map(([name, labels]) => [name, { [NAMESPACE_NAME_LABEL]: name, ...labels }]));
}

/** Namespaces whose routes a listener takes; `*` = all. */
export function allowedNamespaces({ allowedRoutes }: ListenerSpec, own: string, labels: ReadonlyMap<string, Labels>): string[] {
  const { from = 'Same', selector = {} } = allowedRoutes?.namespaces ?? {};
  switch (from) {
    case 'Same':
      return [own];
    case 'All':
      return ['*'];
    case 'Selector':
      return [...labels].flatMap(([name, entry]) => (matchesSelector(selector, entry) ? [name] : [])).sort();
    default:
      return [];
  }
}
