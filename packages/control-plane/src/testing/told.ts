import type { Cluster, ClusterLoadAssignment, Listener, RouteConfiguration } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { proxyNodeOf } from '../model/proxy-node-of.ts';
import { resourcesOfNode } from '../translate/node-resources.ts';
import { pushOf, sidecar } from './mesh.ts';

export const NETWORKING = 'apiVersion: networking.istio.io/v1';

/** A document, its spec in flow YAML. */
export const doc = (kind: string, name: string, spec: string, namespace = 'default', group: string = NETWORKING): string =>
  `---\n${group}\nkind: ${kind}\nmetadata: { name: ${name}, namespace: ${namespace} }\nspec: ${spec}\n`;
export const security = (kind: string, name: string, spec: string): string =>
  doc(kind, name, spec, 'default', 'apiVersion: security.istio.io/v1');
export const core = (kind: string, name: string, spec: string): string => doc(kind, name, spec, 'default', 'apiVersion: v1');
export const entry = (name: string, spec: string): string => doc('ServiceEntry', name, spec);

export const ROUTER: ProxyNode = proxyNodeOf({
  id: 'router~10.0.0.2~gw.istio-system~istio-system.svc.cluster.local',
  metadata: { NAMESPACE: 'istio-system', LABELS: { istio: 'ingressgateway' }, INSTANCE_IPS: '10.0.0.2' },
  locality: { region: '', zone: '', subZone: '' },
});

/** What a node is told of a mesh, by name. */
export interface Told {
  cluster(name: string): Cluster | undefined;
  endpoints(name: string): ClusterLoadAssignment | undefined;
  listener(name: string): Listener | undefined;
  routes(name: string): RouteConfiguration | undefined;
  readonly clusterNames: readonly string[];
}

/** `mesh`: fields of MeshConfig. */
export function toldOf(yaml: string, node: ProxyNode = sidecar(), mesh: object = {}): Told {
  const { clusters, endpoints, listeners, routes } = resourcesOfNode(node, pushOf(yaml, [], mesh));
  const named = <T>(list: readonly { readonly name: string; readonly message: unknown }[], name: string): T | undefined =>
    list.find((resource) => resource.name === name)?.message as T | undefined;
  return {
    cluster: (name) => named<Cluster>(clusters, name),
    endpoints: (name) => named<ClusterLoadAssignment>(endpoints, name),
    listener: (name) => named<Listener>(listeners, name),
    routes: (name) => named<RouteConfiguration>(routes, name),
    clusterNames: clusters.map(({ name }) => name),
  };
}
