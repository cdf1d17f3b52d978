import { CLUSTER_TYPE_URL, Cluster, type TransportSocket } from '@ripstop/xds-api';
import type { NodePatches, Patch, PatchContext, PatchMatch } from '../../push/envoy-filters.ts';
import type { XdsResource } from '../resource.ts';
import { mergeMessage } from './merge.ts';
import { mergeFilter } from './merge-filter.ts';

/** Clusters with the patches for them; `hosts`: of inbound clusters, the services behind a port. */
export function patchedClusters(
  clusters: readonly XdsResource[],
  patches: NodePatches,
  context: PatchContext,
  hosts: (name: string) => readonly string[] = () => [],
): XdsResource[] {
  const mine = patches.of('CLUSTER', context);
  if (mine.length === 0) return [...clusters];
  const kept = clusters.flatMap((resource) => {
    const cluster = patched(resource.message as Cluster, mine, hosts(resource.name));
    return cluster === undefined ? [] : cluster === resource.message ? [resource] : [resourceOf(cluster)];
  });
  return [...kept, ...mine.flatMap((patch) => (adds(patch, context) ? [resourceOf(patch.value as Cluster)] : []))];
}

function resourceOf(message: Cluster): XdsResource {
  return { typeUrl: CLUSTER_TYPE_URL, name: message.name, message };
}

/** Without a context, to what is called only. */
function adds({ operation, match, value }: Patch, context: PatchContext): boolean {
  return operation === 'ADD' && value !== undefined && ((match.context ?? 'ANY') !== 'ANY' || context !== 'SIDECAR_INBOUND');
}

function patched(cluster: Cluster, patches: readonly Patch[], hosts: readonly string[]): Cluster | undefined {
  let found = cluster;
  for (const patch of patches) {
    if (!matches(found, patch.match, hosts)) continue;
    if (patch.operation === 'REMOVE') return undefined;
    if (patch.operation === 'MERGE' && patch.value !== undefined) found = merged(found, patch);
  }
  return found;
}

/** A transport socket of the same name is merged where the cluster has it, and then nothing else of the patch (istiod does so). */
function merged(cluster: Cluster, patch: Patch): Cluster {
  const socket = (patch.value as Cluster).transportSocket;
  if (socket === undefined) return Cluster.fromPartial(mergeMessage(cluster, patch.value!, patch.json, patch.replacesLists) as never);
  const socketPatch: Patch = { ...patch, value: socket, json: (patch.json as Record<string, unknown>).transport_socket };
  const mergeSocket = (found: TransportSocket): TransportSocket => mergeFilter(found, socketPatch);
  if (cluster.transportSocketMatches.length > 0) {
    const at = cluster.transportSocketMatches.findIndex(({ transportSocket }) => transportSocket?.name === socket.name);
    return {
      ...cluster,
      transportSocketMatches: cluster.transportSocketMatches.map((entry, index) =>
        index === at ? { ...entry, transportSocket: mergeSocket(entry.transportSocket!) } : entry,
      ),
    };
  }
  const own = cluster.transportSocket;
  return { ...cluster, transportSocket: own?.name === socket.name ? mergeSocket(own) : socket };
}

/** `outbound|80|v1|reviews.default.svc.cluster.local`, `inbound|8080||`. */
function matches({ name }: Cluster, { cluster }: PatchMatch, hosts: readonly string[]): boolean {
  if (cluster === undefined) return true;
  if ((cluster.name ?? '') !== '') return cluster.name === name;
  const [direction = '', port = '', subset = '', host = ''] = partsOf(name);
  const services = direction === 'inbound' && hosts.length > 0 ? hosts : [host];
  return (
    ((cluster.subset ?? '') === '' || cluster.subset === subset) &&
    ((cluster.service ?? '') === '' || services.includes(cluster.service!)) &&
    ((cluster.portNumber ?? 0) === 0 || cluster.portNumber === Number(port))
  );
}

/** `outbound|80|v1|a.example`, or `outbound_.80_.v1_.a.example` of a gateway that leads on by server names (Istio: ParseSubsetKey). */
function partsOf(name: string): string[] {
  if (!/^(?:in|out)bound_\./.test(name)) return name.split('|');
  const [direction = '', port = '', subset = '', ...host] = name.split('_.');
  return [direction, port, subset, host.join('_.')];
}
