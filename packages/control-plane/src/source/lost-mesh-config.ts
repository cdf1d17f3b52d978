import { formatFinding } from '@ripstop/istio-api';
import type { StoreState } from './object-store.ts';

/**
 * Throws when there is a mesh configuration and none of its versions can be used. Istio's defaults in its place could allow what it
 * forbids (REGISTRY_ONLY, aliases of the trust domain), so nothing is served with them.
 */
export function refuseLostMeshConfig({ objects, ofDocuments }: StoreState): void {
  if (objects.some(({ kind }) => kind === 'MeshConfig')) return;
  const lost = ofDocuments.filter(({ severity, object, position }) => severity === 'error' && mayBeMeshConfig(object, position.file));
  if (lost.length === 0) return;
  throw new Error(
    `the mesh configuration cannot be used, and no earlier version of it is known; correct it, or remove it for Istio's defaults:\n${lost.map(formatFinding).join('\n')}`,
  );

  /** Text that cannot be read is the mesh configuration when its file is called so and holds nothing else. */
  function mayBeMeshConfig(object: string, file: string): boolean {
    if (object !== '') return object.startsWith('MeshConfig ');
    return /(^|\/)mesh\.ya?ml$/.test(file) && !objects.some(({ source }) => source.file === file);
  }
}
