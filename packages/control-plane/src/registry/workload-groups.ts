import type { MeshObject, WorkloadEntrySpec } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';

export interface WorkloadGroupSpec {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> };
  readonly template?: WorkloadEntrySpec;
  readonly probe?: object;
}

/** What a client that names a group registers by connecting (istiod: workloadEntryFromGroup). */
export interface GroupMember {
  /** The client with the labels that it has as a member; policies select it by them. */
  readonly node: ProxyNode;
  /** Name and content of the WorkloadEntry that istiod would write. */
  readonly name: string;
  readonly entry: WorkloadEntrySpec;
  /** It does not serve before it has said that it is healthy. */
  readonly probed: boolean;
}

/** The group that a client asks to join (`ISTIO_META_AUTO_REGISTER_GROUP`); '' = none. */
export function groupNameOf({ metadata }: Pick<ProxyNode, 'metadata'>): string {
  const name = metadata.AUTO_REGISTER_GROUP;
  return typeof name === 'string' ? name : '';
}

const LOCALITY_LABEL = 'istio-locality';

/** The client's own labels come before those of the group's metadata, and those before the template's. */
export function memberOf(node: ProxyNode, { metadata, spec }: MeshObject<WorkloadGroupSpec>): GroupMember {
  const { template = {}, probe } = spec;
  const { [LOCALITY_LABEL]: _locality, ...own } = node.labels;
  const labels = { ...template.labels, ...spec.metadata?.labels, ...own };
  const address = node.ipAddresses[0] ?? '';
  const network = textOf(node.metadata.NETWORK) || (template.network ?? '');
  const { region, zone, subZone } = node.locality;
  const locality = [region, zone, subZone].filter((part) => part !== '').join('/') || template.locality;
  return {
    node: { ...node, labels: { ...labels, ...node.labels } },
    name: [metadata.name, address.replaceAll(':', '-'), textOf(node.metadata.NETWORK)]
      .filter((part) => part !== '')
      .join('-')
      .slice(-253),
    entry: {
      ...template,
      address,
      labels,
      ...(network === '' ? {} : { network }),
      ...(locality === undefined ? {} : { locality }),
    },
    probed: probe !== undefined || readinessProbeOf(node) !== undefined,
  };
}

/** Istio's agent, told of a probe, probes the app and reports. */
function readinessProbeOf({ metadata }: ProxyNode): unknown {
  return (metadata.PROXY_CONFIG as { readonly readinessProbe?: unknown } | undefined)?.readinessProbe;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
