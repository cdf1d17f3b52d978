import { ObjectStore, PushContext, proxyNodeOf, wireResourcesOf } from '../../packages/control-plane/src/index.ts';
import type { Bytes } from './compile-through.ts';
import { BASE, OWN } from './corpus.ts';

export interface XdsSet {
  readonly node: string;
  readonly router: boolean;
  readonly resources: readonly Bytes[];
}

const NODES = [
  ['sidecar', 'sidecar~10.0.0.1~productpage-1.default~default.svc.cluster.local', { app: 'productpage' }],
  ['router', 'router~10.0.0.2~edge-1.istio-system~istio-system.svc.cluster.local', { istio: 'ingressgateway' }],
] as const;

/** What our control plane sends for the documents of the corpus. */
export function xdsSets(): XdsSet[] {
  const { objects } = new ObjectStore().update([BASE, ...OWN].map((text, index) => ({ name: `${index}.yaml`, text })))!;
  const push = new PushContext({ objects, workloads: [] });
  return NODES.map(([node, id, LABELS]) => {
    const namespace = id.split('.')[1] === undefined ? 'default' : id.split('~')[2]!.split('.')[1]!;
    const resources = wireResourcesOf(proxyNodeOf({ id, metadata: { LABELS, NAMESPACE: namespace } }), push);
    return { node, router: node === 'router', resources };
  });
}
