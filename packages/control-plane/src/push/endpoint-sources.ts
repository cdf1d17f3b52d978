import type { MeshObject, PodSpec, WorkloadEntrySpec } from '@ripstop/istio-api';
import type { WorkloadInstance } from '../model/workload.ts';
import type { EndpointSources, LookedUp } from './endpoints.ts';
import type { ObjectsByKind } from './objects-by-kind.ts';
import { nodeLocalities, podInstance } from './pod-instance.ts';
import type { Parts } from './reuse.ts';
import type { MeshService } from './service.ts';

/** Kinds that say where services run, and nothing about what is sent to them. */
export const INSTANCE_KINDS: ReadonlySet<string> = new Set(['Pod', 'Node', 'EndpointSlice', 'WorkloadEntry']);

/** Where endpoints are found: the same object as in the push before while nothing of it changed. */
export function endpointSources(
  kinds: ObjectsByKind,
  parts: Parts,
  workloads: readonly WorkloadInstance[],
  services: readonly MeshService[],
  destinations: readonly MeshService[],
): EndpointSources {
  const [pods, nodes, slices, entries] = [
    kinds.of<PodSpec>('Pod'),
    kinds.of('Node'),
    kinds.of('EndpointSlice'),
    kinds.of<WorkloadEntrySpec>('WorkloadEntry'),
  ];
  const registered = parts.list('registered', workloads.filter(({ entry }) => entry === undefined).sort(byKey));
  const members = parts.list('members', workloads.filter(({ entry }) => entry !== undefined).sort(byKey));
  const podsByKey = parts.get('pods', [pods, nodes], () => podsOf(pods, nodes));
  const podsByAddress = parts.get('podsByAddress', [podsByKey], () => byAddress(podsByKey.values()));
  const byService = parts.get('slices', [slices], (known: SlicesByService | undefined) => slicesOf(slices, known));
  const entriesIn = parts.get('entries', [entries, members], () =>
    Map.groupBy([...entries, ...members.flatMap(entryOf)], ({ metadata }) => metadata.namespace),
  );
  const sharedHosts = parts.get('sharedHosts', [services], () => sharedHostsOf(services));
  const namedServices = parts.get('namedServices', [services], () => namedServicesOf(services, sharedHosts));
  const lookedUp = parts.get('lookedUp', [destinations], () => lookedUpOf(destinations));
  return parts.get('sources', [podsByKey, byService, entriesIn, registered, sharedHosts, namedServices, lookedUp], () => ({
    lookedUp,
    sharedHosts,
    namedServices,
    pods: podsByKey,
    podsByAddress,
    registered: new Map(registered.map((instance) => [instance.key, instance])),
    registeredIn: Map.groupBy(registered, ({ namespace }) => namespace),
    slices: byService.found,
    entriesIn,
  }));
}

/** The WorkloadEntry of a member of a group; none while it is unhealthy, as in istiod. */
function entryOf({ entry, namespace, health }: WorkloadInstance): MeshObject<WorkloadEntrySpec>[] {
  if (entry === undefined || health !== 'HEALTHY') return [];
  const { name, spec } = entry;
  const source = { file: '', line: 0, column: 0 };
  return [
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadEntry',
      metadata: { name, namespace, labels: spec.labels ?? {}, annotations: {}, creationTimestamp: 0 },
      spec,
      rest: {},
      source,
      locate: () => source,
    },
  ];
}

function byKey(a: WorkloadInstance, b: WorkloadInstance): number {
  return a.key < b.key ? -1 : 1;
}

function podsOf(pods: readonly MeshObject<PodSpec>[], objects: readonly MeshObject[]): Map<string, WorkloadInstance> {
  const nodes = nodeLocalities(objects);
  const instances = new Map<string, WorkloadInstance>();
  for (const pod of pods) {
    const instance = podInstance(pod, nodes);
    if (instance !== undefined) instances.set(instance.key, instance);
  }
  return instances;
}

/** Of those that share one, as pods of the host's network do, the first. */
function byAddress(pods: Iterable<WorkloadInstance>): Map<string, WorkloadInstance> {
  const found = new Map<string, WorkloadInstance>();
  for (const pod of pods) {
    const key = `${pod.namespace}/${pod.address}`;
    if (pod.health === 'HEALTHY' && !found.has(key)) found.set(key, pod);
  }
  return found;
}

interface SlicesByService {
  readonly slices: readonly MeshObject[];
  readonly found: ReadonlyMap<string, readonly MeshObject[]>;
}

/** What did not change is the same list as before. */
function slicesOf(slices: readonly MeshObject[], before: SlicesByService | undefined): SlicesByService {
  const gone = new Set(before?.slices);
  const fresh = slices.filter((slice) => !gone.delete(slice));
  const found = new Map(before?.found);
  const touched = new Set([...gone, ...fresh].flatMap((slice) => serviceOfSlice(slice) ?? []));
  for (const key of touched) found.delete(key);
  for (const slice of touched.size === 0 ? [] : slices) {
    const key = serviceOfSlice(slice);
    if (key === undefined || !touched.has(key)) continue;
    const known = found.get(key) as MeshObject[] | undefined;
    if (known === undefined) found.set(key, [slice]);
    else known.push(slice);
  }
  return { slices, found };
}

/** Asked of every slice whenever one of them changes. */
const serviceKeys = new WeakMap<MeshObject, string>();

function serviceOfSlice(slice: MeshObject): string | undefined {
  const known = serviceKeys.get(slice);
  if (known !== undefined) return known;
  const name = slice.metadata.labels['kubernetes.io/service-name'];
  if (name === undefined) return undefined;
  const key = `${slice.metadata.namespace}/${name}`;
  serviceKeys.set(slice, key);
  return key;
}

function sharedHostsOf(services: readonly MeshService[]): Map<string, MeshService[]> {
  const external = services.filter(({ registry }) => registry === 'External');
  return Map.groupBy(external, ({ namespace, hostname }) => `${namespace}/${hostname}`);
}

function namedServicesOf(services: readonly MeshService[], entries: ReadonlyMap<string, unknown>): Map<string, MeshService> {
  const keyed = services.map((service) => [`${service.namespace}/${service.hostname}`, service] as const);
  return new Map(keyed.filter(([key, { registry }]) => registry === 'Kubernetes' && entries.has(key)));
}

function lookedUpOf(services: readonly MeshService[]): LookedUp {
  const kubernetes = services.filter(({ registry }) => registry === 'Kubernetes');
  const selecting = services.filter(({ selector }) => selector !== undefined);
  return {
    named: Map.groupBy(kubernetes, ({ namespace, name }) => `${namespace}/${name}`),
    selecting: Map.groupBy(selecting, ({ namespace }) => namespace),
  };
}
