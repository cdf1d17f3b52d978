import type { MeshObject } from '@ripstop/istio-api';
import { selects } from './service.ts';

/** A label selector of Kubernetes. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key?: string; readonly operator?: string; readonly values?: readonly string[] }[];
}

type Labels = Readonly<Record<string, string>>;

/** Kubernetes writes it on every Namespace. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/**
 * The documents of the namespaces that one of `selectors` takes, and those of no namespace: MeshConfig's discoverySelectors. Without
 * selectors all of them. A namespace without a document of its own has its name as only label.
 */
export function discovered(objects: readonly MeshObject[], selectors: readonly LabelSelector[]): readonly MeshObject[] {
  if (selectors.length === 0) return objects;
  const labels = new Map(objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => [metadata.name, metadata.labels]));
  const known = new Map<string, boolean>();
  const isSelected = (namespace: string): boolean => {
    let selected = known.get(namespace);
    if (selected === undefined) {
      const all = { [NAME_LABEL]: namespace, ...labels.get(namespace) };
      selected = selectors.some((selector) => matches(selector, all));
      known.set(namespace, selected);
    }
    return selected;
  };
  return objects.filter(({ metadata }) => metadata.namespace === '' || isSelected(metadata.namespace));
}

function matches({ matchLabels, matchExpressions = [] }: LabelSelector, labels: Labels): boolean {
  return selects(matchLabels, labels) && matchExpressions.every((expression) => holds(expression, labels));
}

function holds({ key = '', operator, values = [] }: NonNullable<LabelSelector['matchExpressions']>[number], labels: Labels): boolean {
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
}
