import type { MeshObject } from '../object.ts';
import type { Labels } from './labels.ts';
import type { Analyzer } from './say.ts';
import { checkOnePerWorkload } from './selector-conflicts.ts';

interface SidecarSpec {
  readonly workloadSelector?: { readonly labels?: Labels };
  readonly outboundTrafficPolicy?: { readonly egressProxy?: object };
}

/** Istio: sidecar.SelectorAnalyzer, and what is deprecated in a Sidecar. */
export const analyzeSidecars: Analyzer = (mesh, say) => {
  const sidecars = mesh.all<SidecarSpec>('networking.istio.io/Sidecar');
  checkOnePerWorkload(
    sidecars,
    mesh,
    {
      kind: 'Sidecars',
      several: 'IST0111',
      overlap: 'IST0110',
      selectorPath: ['spec', 'workloadSelector', 'labels'],
      selectorOf: (object) => (object as MeshObject<SidecarSpec>).spec.workloadSelector?.labels,
    },
    say,
  );
  for (const object of sidecars)
    if (object.spec.outboundTrafficPolicy?.egressProxy !== undefined)
      say(
        object,
        'IST0002',
        ['spec', 'outboundTrafficPolicy', 'egressProxy'],
        'egressProxy is deprecated, and Istio ignores it: remove it',
      );
};
