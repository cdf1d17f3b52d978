import type { MeshService, MeshServicePort } from './service.ts';

/**
 * Services by host name, as several documents may define one host (Istio: appendSidecarServices). The first one stays, but a
 * Kubernetes Service takes the place of a ServiceEntry; entries of one namespace that are alike but for their ports become one.
 */
export class MergedServices {
  private readonly found = new Map<string, MeshService>();

  add(service: MeshService): void {
    const existing = this.found.get(service.hostname);
    if (existing === undefined) this.found.set(service.hostname, service);
    else if (existing.registry === 'External' && service.registry === 'Kubernetes') this.found.set(service.hostname, service);
    else if (mergeable(existing, service)) this.found.set(service.hostname, withPorts(existing, service));
  }

  get byHost(): ReadonlyMap<string, MeshService> {
    return this.found;
  }
}

function mergeable(existing: MeshService, service: MeshService): boolean {
  return (
    existing !== service &&
    existing.registry === service.registry &&
    existing.namespace === service.namespace &&
    existing.resolution === service.resolution &&
    sameMap(existing.object.metadata.labels, service.object.metadata.labels) &&
    sameMap(existing.selector ?? {}, service.selector ?? {}) &&
    sameSet(written(existing), written(service))
  );
}

/** What the document says, not what it means: `*` and nothing are not the same. */
function written({ object }: MeshService): readonly string[] {
  return (object.spec as { readonly exportTo?: readonly string[] }).exportTo ?? [];
}

function withPorts(existing: MeshService, { ports }: MeshService): MeshService {
  const added = ports.filter(({ port }) => !existing.ports.some((known: MeshServicePort) => known.port === port));
  return added.length === 0 ? existing : { ...existing, ports: [...existing.ports, ...added] };
}

function sameMap(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry) => b.includes(entry));
}
