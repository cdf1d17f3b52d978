import type { MeshObject, PodSpec, PodStatus } from '@ripstop/istio-api';
import { labelledLocality, NOWHERE } from '../model/locality-label.ts';
import type { WorkloadInstance } from '../model/workload.ts';

type Locality = WorkloadInstance['locality'];

/** Whether a workload speaks mTLS. */
export const TLS_MODE_LABEL = 'security.istio.io/tlsMode';

/** Of pods that do not come back. */
const ENDED: ReadonlySet<string> = new Set(['Failed', 'Succeeded']);

/** Pods of YAML as instances: a cluster's dump, or conformance data. */
export function podInstance(object: MeshObject<PodSpec>, nodes: ReadonlyMap<string, Locality>): WorkloadInstance | undefined {
  const { metadata, spec } = object;
  const status = object.rest.status as PodStatus | undefined;
  if (status?.podIP === undefined || status.podIP === '' || ENDED.has(status.phase ?? '')) return undefined;
  const unready = status.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'False') === true;
  return {
    key: `${metadata.name}.${metadata.namespace}`,
    name: metadata.name,
    namespace: metadata.namespace,
    serviceAccount: spec.serviceAccountName ?? 'default',
    labels: metadata.labels,
    address: status.podIP,
    ports: [...(spec.containers ?? []), ...nativeSidecars(spec)].flatMap((container) =>
      (container.ports ?? []).map((port) => ({
        workloadPort: port.containerPort,
        name: port.name ?? '',
        address: status.podIP!,
        port: port.containerPort,
      })),
    ),
    listensAnywhere: (spec.containers ?? []).every(({ ports = [] }) => ports.length === 0),
    health: unready || metadata.leaving === true ? 'UNHEALTHY' : 'HEALTHY',
    mtls: metadata.labels[TLS_MODE_LABEL] === 'istio',
    workloadName: deploymentName(object),
    clusterId: 'Kubernetes',
    locality: labelledLocality(metadata.labels) ?? nodes.get(spec.nodeName ?? '') ?? NOWHERE,
    nodeName: spec.nodeName ?? '',
    adminAddress: '',
  };
}

/** Containers that start before the others and stay (Istio: FindPort, getPortMap). */
function nativeSidecars({ initContainers = [] }: PodSpec): NonNullable<PodSpec['containers']> {
  return initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always');
}

/** Istio: the Deployment's name when the owner is a ReplicaSet with a pod-template hash, the owner's name, else the pod's. */
function deploymentName({ metadata }: MeshObject): string {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (owner === undefined || metadata.generateName === undefined) return metadata.name;
  const hash = metadata.labels['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)) return owner.name.slice(0, -hash.length - 1);
  return owner.name;
}

/** Region and zone of every Node document. */
export function nodeLocalities(objects: readonly MeshObject[]): Map<string, Locality> {
  const localities = new Map<string, Locality>();
  for (const { kind, metadata } of objects) {
    if (kind !== 'Node') continue;
    localities.set(metadata.name, {
      region: metadata.labels['topology.kubernetes.io/region'] ?? '',
      zone: metadata.labels['topology.kubernetes.io/zone'] ?? '',
      subZone: metadata.labels['topology.istio.io/subzone'] ?? '',
    });
  }
  return localities;
}
