import type { MeshObject, ServiceEntrySpec, ServiceSpec } from '@ripstop/istio-api';
import type { ObjectsByKind } from './objects-by-kind.ts';
import { isSame } from './reuse.ts';
import { DISTRIBUTION, type MeshService, serviceOf, servicesOfEntry, withAliases } from './service.ts';

/** What services have in common. */
export interface ServiceDefaults {
  readonly domain: string;
  /** Of services that name nobody. */
  readonly exportTo: readonly string[];
}

interface Known {
  readonly distribution: string | undefined;
  readonly service: MeshService | undefined;
}

/** The services of a mesh. One whose documents say the same as before is the same object, so that what was made of it still holds. */
export class Services {
  readonly all: readonly MeshService[];
  private readonly defaults: ServiceDefaults;
  private readonly kubernetes = new Map<MeshObject, Known>();
  private readonly aliased = new Map<MeshService, MeshService>();
  private readonly entries = new Map<MeshObject, readonly MeshService[]>();

  constructor(kinds: ObjectsByKind, defaults: ServiceDefaults, before?: Services) {
    this.defaults = defaults;
    const { domain } = defaults;
    const last = before !== undefined && isSame(before.defaults, defaults) ? before : undefined;
    const distributions = new Map(kinds.of('Namespace').map(({ metadata }) => [metadata.name, metadata.annotations[DISTRIBUTION]]));
    const objects = kinds.of<ServiceSpec>('Service');
    const plain = objects.flatMap((object) => this.service(object, distributions.get(object.metadata.namespace), last) ?? []);
    const named = withAliases(plain, objects, { domain }).map((service, at) => this.withAliases(plain[at]!, service, last));
    this.all = [...named, ...kinds.of<ServiceEntrySpec>('ServiceEntry').flatMap((object) => this.entry(object, last))];
  }

  private service(object: MeshObject<ServiceSpec>, distribution: string | undefined, last: Services | undefined): MeshService | undefined {
    const before = last?.kubernetes.get(object);
    const known =
      before !== undefined && before.distribution === distribution
        ? before
        : { distribution, service: serviceOf(object, { ...this.defaults, distributionOf: () => distribution }) };
    this.kubernetes.set(object, known);
    return known.service;
  }

  private withAliases(plain: MeshService, named: MeshService, last: Services | undefined): MeshService {
    if (named === plain) return plain;
    const before = last?.aliased.get(plain);
    const service = before !== undefined && isSame(before.aliases, named.aliases, 1) ? before : named;
    this.aliased.set(plain, service);
    return service;
  }

  private entry(object: MeshObject<ServiceEntrySpec>, last: Services | undefined): readonly MeshService[] {
    const services = last?.entries.get(object) ?? servicesOfEntry(object, this.defaults.exportTo);
    this.entries.set(object, services);
    return services;
  }
}
