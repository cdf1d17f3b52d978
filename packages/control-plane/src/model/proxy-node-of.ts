import { clientsLocality, NOWHERE } from './locality-label.ts';
import type { Dialect, ProxyNode } from './proxy-node.ts';

/** An xDS node as it came over the wire, or as a recording holds it. */
export interface NodeMessage {
  readonly id: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality?: { readonly region: string; readonly zone: string; readonly subZone: string } | undefined;
}

/**
 * Reads `<type>~<ip>~<pod>.<namespace>~<domain>` and the metadata (Istio: ParseServiceNodeWithMetadata). Throws with the reason when
 * the id is not of that form: such a client cannot be served.
 */
export function proxyNodeOf({ id, metadata, locality }: NodeMessage): ProxyNode {
  const parts = id.split('~');
  if (parts.length !== 4) throw new Error(`node id "${id}" is not <type>~<ip>~<pod>.<namespace>~<domain>`);
  const [type, ip, workload] = parts as [string, string, string, string];
  if (type !== 'sidecar' && type !== 'router') throw new Error(`node id "${id}": type "${type}" is not served (sidecar, router)`);
  const dot = workload.lastIndexOf('.');
  const text = (key: string): string => (typeof metadata[key] === 'string' ? (metadata[key] as string) : '');
  const name = text('NAME') || workload.slice(0, dot);
  const labels = labelsOf(metadata.LABELS);
  const dialect: Dialect = metadata.GENERATOR === 'grpc' ? 'grpc' : type;
  return {
    id,
    dialect,
    name,
    namespace: text('NAMESPACE') || workload.slice(dot + 1),
    serviceAccount: text('SERVICE_ACCOUNT'),
    ipAddresses: (text('INSTANCE_IPS') || ip).split(','),
    labels,
    clusterId: text('CLUSTER_ID') || 'Kubernetes',
    workloadName: text('WORKLOAD_NAME') || name,
    meshId: text('MESH_ID') || 'cluster.local',
    locality: clientsLocality(labels, locality ?? NOWHERE),
    ripstop: text('RIPSTOP_VERSION') !== '',
    verified: false,
    metadata,
  };
}

function labelsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
