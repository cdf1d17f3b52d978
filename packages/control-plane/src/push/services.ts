import type { MeshObject, ServiceEntrySpec, ServiceSpec } from '@ripstop/istio-api';
import type { ObjectsByKind } from './objects-by-kind.ts';
import { isSame } from './reuse.ts';
import { aliasOf, DISTRIBUTION, type MeshService, serviceOf, servicesOfEntry, withAliases } from './service.ts';

/** What services have in common. */
export interface ServiceDefaults {
  readonly domain: string;
  /** Of the accounts that annotations name. */
  readonly trustDomain: string;
  /** Of services that name nobody. */
  readonly exportTo: readonly string[];
}

interface Known {
  readonly distribution: string | undefined;
  readonly service: MeshService | undefined;
}

/** The services of a mesh. One whose documents say the same as before is the same object, so that what was made of it still holds. */
export class Services {
  /** In Istio's order. */
  readonly all: readonly MeshService[];
  /** `all`, and the ExternalName Services: routes may lead to them. */
  readonly destinations: readonly MeshService[];
  private readonly defaults: ServiceDefaults;
  private readonly kubernetes = new Map<MeshObject, Known>();
  private readonly aliased = new Map<MeshService, MeshService>();
  private readonly aliasServices = new Map<MeshObject, MeshService | undefined>();
  private readonly entries = new Map<MeshObject, readonly MeshService[]>();

  constructor(kinds: ObjectsByKind, defaults: ServiceDefaults, before?: Services) {
    this.defaults = defaults;
    const { domain } = defaults;
    const last = before !== undefined && isSame(before.defaults, defaults) ? before : undefined;
    const distributions = new Map(kinds.of('Namespace').map(({ metadata }) => [metadata.name, metadata.annotations[DISTRIBUTION]]));
    const objects = kinds.of<ServiceSpec>('Service');
    const plain = objects.flatMap((object) => this.service(object, distributions.get(object.metadata.namespace), last) ?? []);
    const defined = [...plain, ...kinds.of<ServiceEntrySpec>('ServiceEntry').flatMap((object) => this.entry(object, last))];
    const named = withAliases(defined, objects, { domain }).map((service, at) => this.withAliases(defined[at]!, service, last));
    this.all = named.sort(byServiceAge);
    this.destinations = [...this.all, ...objects.flatMap((object) => this.alias(object, last) ?? [])].sort(byServiceAge);
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

  private alias(object: MeshObject<ServiceSpec>, last: Services | undefined): MeshService | undefined {
    const service = last?.aliasServices.get(object) ?? aliasOf(object, this.defaults);
    this.aliasServices.set(object, service);
    return service;
  }

  private entry(object: MeshObject<ServiceEntrySpec>, last: Services | undefined): readonly MeshService[] {
    const services = last?.entries.get(object) ?? servicesOfEntry(object, this.defaults.exportTo);
    this.entries.set(object, services);
    return services;
  }
}

/** The host of a ServiceEntry is its name (Istio: SortServicesByCreationTime). */
export function byServiceAge(a: MeshService, b: MeshService): number {
  const age = a.object.metadata.creationTimestamp - b.object.metadata.creationTimestamp;
  if (age !== 0) return age;
  const nameOf = ({ registry, hostname, name }: MeshService): string => (registry === 'External' ? hostname : name);
  return compareText(nameOf(a), nameOf(b)) || compareText(a.namespace, b.namespace);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
