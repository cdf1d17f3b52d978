import type { MeshObject } from '../object.ts';
import type { Report } from '../validate.ts';

/** Annotations that istiod gives its own objects, and refuses in others. */
const INTERNAL = ['internal.istio.io/webhook-always-reject', 'internal.istio.io/parent-namespace', 'internal.istio.io/parents'];

/** What istiod's validation says of every object of Istio (validateMetadata). */
export function checkMetadata({ apiVersion, kind, metadata: { annotations } }: MeshObject, report: Report): void {
  if (!/^[a-z]+\.istio\.io\//.test(apiVersion)) return;
  const bad = (name: string, message: string): void => report('RIPSTOP_BAD_VALUE', 'error', ['metadata', 'annotations', name], message);
  if (kind !== 'AuthorizationPolicy' && 'istio.io/dry-run' in annotations)
    bad('istio.io/dry-run', `only an AuthorizationPolicy can be run dry, not a ${kind}: remove the annotation`);
  for (const name of INTERNAL) if (name in annotations) bad(name, `${name} is for istiod's own objects: remove the annotation`);
}
