import type { MeshObject, WorkloadEntrySpec } from '@ripstop/istio-api';
import { NOWHERE } from './locality-label.ts';
import type { ProxyNode } from './proxy-node.ts';
import type { WorkloadInstance } from './workload.ts';

/** Who a name may mean in a folder of YAML. */
export interface KnownWorkloads {
  /** Pods and registered processes. */
  readonly instances: readonly WorkloadInstance[];
  readonly objects: readonly MeshObject[];
}

type Workload = Pick<
  WorkloadInstance,
  'name' | 'workloadName' | 'namespace' | 'serviceAccount' | 'labels' | 'address' | 'locality' | 'clusterId'
>;

/**
 * The node that a workload of the YAML would be, were it connected: by name of a Pod or WorkloadEntry, else by `app` label. A name that
 * nothing has is a workload of its own: label `app`, service account and namespace by that name, as `createMesh` has it.
 */
export function absentNode(name: string, namespace: string, known: KnownWorkloads): ProxyNode {
  const workloads = [...known.instances, ...known.objects.filter(isEntry).map(ofEntry)].filter((one) => one.namespace === namespace);
  const found =
    workloads.find((one) => one.name === name || one.workloadName === name) ??
    workloads.find(({ labels }) => labels.app === name || labels['app.kubernetes.io/name'] === name) ??
    unknown(name, namespace);
  const { serviceAccount, labels, address, locality, clusterId } = found;
  const gateway = labels.istio !== undefined && /gateway/.test(labels.istio);
  return {
    id: `${gateway ? 'router' : 'sidecar'}~${address}~${found.name}.${namespace}~${namespace}.svc.cluster.local`,
    dialect: gateway ? 'router' : 'sidecar',
    name: found.name,
    namespace,
    serviceAccount,
    ipAddresses: [address],
    labels,
    clusterId,
    workloadName: found.workloadName,
    meshId: 'cluster.local',
    locality,
    ripstop: true,
    verified: false,
    metadata: {},
  };
}

function isEntry(object: MeshObject): object is MeshObject<WorkloadEntrySpec> {
  return object.kind === 'WorkloadEntry';
}

function ofEntry({ metadata, spec }: MeshObject<WorkloadEntrySpec>): Workload {
  return {
    name: metadata.name,
    workloadName: metadata.name,
    namespace: metadata.namespace,
    serviceAccount: spec.serviceAccount ?? 'default',
    labels: { ...spec.labels, ...metadata.labels },
    address: spec.address ?? '',
    locality: NOWHERE,
    clusterId: 'Kubernetes',
  };
}

function unknown(name: string, namespace: string): Workload {
  return {
    name,
    workloadName: name,
    namespace,
    serviceAccount: name,
    labels: { app: name },
    address: '127.0.0.1',
    locality: NOWHERE,
    clusterId: 'Kubernetes',
  };
}
