import type { MeshObject } from '../object.ts';
import type { MeshConfigSpec, ServiceSpec } from '../types/core.ts';
import type { ServiceEntrySpec } from '../types/networking.ts';
import { KnownHosts } from './known-hosts.ts';
import { Workloads } from './workloads.ts';

/** Nothing in them is of a mesh (Istio: IgnoredNamespaces). */
const OF_KUBERNETES: ReadonlySet<string> = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage']);

/** Every document of a mesh, by kind, and what follows from them together. Made once for all analyzers. */
export class MeshDocuments {
  private readonly byKind = new Map<string, MeshObject[]>();
  readonly objects: readonly MeshObject[];
  readonly hosts: KnownHosts;
  readonly workloads: Workloads;
  readonly meshConfig: MeshConfigSpec;
  /** Policies of this namespace hold everywhere. */
  readonly rootNamespace: string;

  constructor(all: readonly MeshObject[]) {
    const objects = all.filter(({ kind, metadata }) => !OF_KUBERNETES.has(kind === 'Namespace' ? metadata.name : metadata.namespace));
    this.objects = objects;
    for (const object of objects) {
      const key = keyOf(object.apiVersion, object.kind);
      const known = this.byKind.get(key);
      if (known === undefined) this.byKind.set(key, [object]);
      else known.push(object);
    }
    this.hosts = new KnownHosts(this.all<ServiceSpec>('Service'), this.all<ServiceEntrySpec>('networking.istio.io/ServiceEntry'));
    this.workloads = new Workloads(objects);
    this.meshConfig = this.all<MeshConfigSpec>('ripstop.dev/MeshConfig')[0]?.spec ?? {};
    this.rootNamespace = this.meshConfig.rootNamespace ?? 'istio-system';
  }

  /** All of a kind, `group/Kind`; the core group has no name. */
  all<S>(kind: string): readonly MeshObject<S>[] {
    return (this.byKind.get(kind) ?? []) as MeshObject<S>[];
  }
}

function keyOf(apiVersion: string, kind: string): string {
  const slash = apiVersion.indexOf('/');
  return slash === -1 ? kind : `${apiVersion.slice(0, slash)}/${kind}`;
}

/** `default/reviews`. */
export function nameOf({ metadata: { name, namespace } }: MeshObject): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** Oldest first, then by name and namespace, as istiod orders configuration. */
export function byAge(a: MeshObject, b: MeshObject): number {
  const age = a.metadata.creationTimestamp - b.metadata.creationTimestamp;
  if (age !== 0) return age;
  const [one, other] = [a, b].map(({ metadata }) => `${metadata.name} ${metadata.namespace}`) as [string, string];
  return one < other ? -1 : Number(one > other);
}
