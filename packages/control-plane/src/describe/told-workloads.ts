import type { MeshObject } from '@ripstop/istio-api';
import { NOWHERE } from '../model/locality-label.ts';
import type { WorkloadInstance } from '../model/workload.ts';

/** Kinds of `apps` and `batch` that make pods of a template. */
const TEMPLATED: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job']);
/** No ports at all would mean: whatever a service asks for. */
const NOT_SERVED = [{ workloadPort: 0, name: '', address: '', port: 0 }];

/** The documents say who runs: the analysis compares selectors with that. */
export function tellWhoRuns(objects: readonly MeshObject[]): boolean {
  return objects.some(({ kind }) => kind === 'Pod' || TEMPLATED.has(kind));
}

/** What the templates of the documents will start, as workloads without an address: for descriptions of a folder. */
export function templateWorkloads(objects: readonly MeshObject[]): WorkloadInstance[] {
  return objects
    .filter(({ kind }) => TEMPLATED.has(kind))
    .map(({ kind, metadata: { name, namespace }, spec }) => ({
      key: `${name}.${namespace}`,
      name,
      namespace,
      serviceAccount: '',
      labels: (spec as { template?: { metadata?: { labels?: Record<string, string> } } } | undefined)?.template?.metadata?.labels ?? {},
      address: `(${kind})`,
      ports: NOT_SERVED,
      health: 'HEALTHY',
      mtls: true,
      workloadName: name,
      clusterId: 'Kubernetes',
      locality: NOWHERE,
      nodeName: '',
      adminAddress: '',
    }));
}

/** Registered processes as the Pods that they would be on Kubernetes: the analysis takes those for who runs. */
export function asPods(instances: readonly WorkloadInstance[]): MeshObject[] {
  const source = { file: '', line: 0, column: 0 };
  return instances.map(({ name, namespace, labels, serviceAccount }) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations: {}, creationTimestamp: 0 },
    spec: { serviceAccountName: serviceAccount },
    rest: {},
    source,
    locate: () => source,
  }));
}
