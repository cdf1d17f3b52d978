import type { MeshObject } from '@ripstop/istio-api';
import { type LabelSelector, matchesSelector, NAMESPACE_NAME_LABEL } from '../model/label-selector.ts';

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
      const all = { [NAMESPACE_NAME_LABEL]: namespace, ...labels.get(namespace) };
      selected = selectors.some((selector) => matchesSelector(selector, all));
      known.set(namespace, selected);
    }
    return selected;
  };
  return objects.filter(({ metadata }) => metadata.namespace === '' || isSelected(metadata.namespace));
}
