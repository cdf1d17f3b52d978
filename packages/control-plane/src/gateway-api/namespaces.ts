import type { MeshObject } from '@ripstop/istio-api';
import type { LabelSelector, ListenerSpec } from './gateway-types.ts';

type Labels = Readonly<Record<string, string>>;

/** Labels of every namespace that is named: those of its document, and Kubernetes' own with its name. */
export function namespaceLabels(objects: readonly MeshObject[]): ReadonlyMap<string, Labels> {
  const found = new Map<string, Labels>();
  for (const { metadata } of objects) {
    if (metadata.namespace !== '') found.set(metadata.namespace, {});
  }
  for (const { kind, metadata } of objects) if (kind === 'Namespace') found.set(metadata.name, metadata.labels);
  return new Map([...found].map(([name, labels]) => [name, { 'kubernetes.io/metadata.name': name, ...labels }]));
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
      return [...labels].flatMap(([name, entry]) => (fits(selector, entry) ? [name] : [])).sort();
    default:
      return [];
  }
}

function fits({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels): boolean {
  for (const name in matchLabels) if (labels[name] !== matchLabels[name]) return false;
  return matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      case 'Exists':
        return value !== undefined;
      case 'DoesNotExist':
        return value === undefined;
      default:
        return false;
    }
  });
}
