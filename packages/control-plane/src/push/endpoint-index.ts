import { type EndpointSources, endpointsOf, type ServiceEndpoint } from './endpoints.ts';
import type { MeshConfig } from './mesh-config.ts';
import { isSame } from './reuse.ts';
import type { MeshService, MeshServicePort } from './service.ts';
import { byServiceAge } from './services.ts';

interface Known {
  readonly service: MeshService;
  readonly endpoints: readonly ServiceEndpoint[];
}

interface Identities {
  readonly mesh: MeshConfig;
  readonly endpoints: readonly (readonly ServiceEndpoint[])[];
  readonly names: readonly string[];
}

/**
 * The endpoints of every service port, found when they are first asked for. What a change did not touch is taken over from the push
 * before, and what it touched without changing anything is the same array as before.
 */
export class EndpointIndex {
  readonly sources: EndpointSources;
  private readonly services: readonly MeshService[];
  private readonly known = new Map<MeshServicePort, Known>();
  private readonly touched: (service: MeshService) => boolean;
  private readonly stale: ReadonlyMap<MeshServicePort, Known>;
  /** The last that were worked out, of whichever push: they say what they were made of. */
  private readonly identities: WeakMap<MeshService, Identities>;

  constructor(sources: EndpointSources, services: readonly MeshService[], before?: EndpointIndex) {
    this.sources = sources;
    this.services = services;
    this.identities = before?.identities ?? new WeakMap();
    const stale = new Map<MeshServicePort, Known>();
    const touched = before === undefined ? () => true : touchedBy(before.sources, sources);
    this.touched = touched;
    if (before !== undefined) {
      const live = services === before.services ? undefined : new Set(services.flatMap(({ ports }) => ports));
      for (const [port, entry] of before.known) {
        if (live?.has(port) === false) continue;
        (touched(entry.service) ? stale : this.known).set(port, entry);
      }
    }
    this.stale = stale;
  }

  /** A service whose endpoints are as they were. */
  keeps(service: MeshService): boolean {
    return !this.touched(service);
  }

  of(service: MeshService, port: MeshServicePort): readonly ServiceEndpoint[] {
    const known = this.known.get(port);
    if (known !== undefined) return known.endpoints;
    const found = endpointsOf(service, port, this.sources);
    const before = this.stale.get(port)?.endpoints;
    const endpoints = before !== undefined && JSON.stringify(before) === JSON.stringify(found) ? before : found;
    this.known.set(port, { service, endpoints });
    return endpoints;
  }

  /** By the number of the port, of everything in the namespace that has the host (Istio: ServiceEndpointsByPort). */
  atNumber(service: MeshService, { port: number }: MeshServicePort): readonly ServiceEndpoint[] {
    const lists = this.sharing(service).flatMap((member) =>
      [...member.ports, ...member.udpPorts].filter(({ port }) => port === number).map((port) => this.of(member, port)),
    );
    return lists.length === 1 ? lists[0]! : [...new Map(lists.flat().map((one) => [`${one.address} ${one.port}`, one])).values()];
  }

  /** The service itself first. */
  private sharing(service: MeshService): readonly MeshService[] {
    const key = `${service.namespace}/${service.hostname}`;
    const named = this.sources.namedServices.get(key);
    return [...new Set([service, ...(this.sources.sharedHosts.get(key) ?? []), ...(named === undefined ? [] : [named])])];
  }

  /**
   * SPIFFE ids of the endpoints of all ports of a service, and of what shares its host in its namespace (the newest of them all says the
   * subjectAltNames), sorted; the same array while it says the same.
   */
  identitiesOf(service: MeshService, mesh: MeshConfig): readonly string[] {
    const members = this.sharing(service);
    const endpoints = members.flatMap((member) => [...member.ports, ...member.udpPorts].map((port) => this.of(member, port)));
    const before = this.identities.get(service);
    if (before?.mesh === mesh && isSame(before.endpoints, endpoints, 1)) return before.names;
    const named = [...members].sort(byServiceAge).at(-1) ?? service;
    const made = identities(named, endpoints.flat(), mesh);
    const names = before !== undefined && isSame(before.names, made, 1) ? before.names : made;
    this.identities.set(service, { mesh, endpoints, names });
    return names;
  }
}

function identities(service: MeshService, endpoints: readonly ServiceEndpoint[], mesh: MeshConfig): string[] {
  const found = new Set(service.subjectAltNames.flatMap((name) => [name, ...ofAliases(name, mesh)]));
  for (const { namespace, serviceAccount } of endpoints) {
    if (serviceAccount === '') continue;
    for (const domain of [mesh.trustDomain, ...mesh.trustDomainAliases])
      found.add(`spiffe://${domain}/ns/${namespace}/sa/${serviceAccount}`);
  }
  return [...found].sort();
}

/** A SPIFFE id of a service account in every alias of the trust domain (Istio: ExpandWithTrustDomains). */
function ofAliases(name: string, { trustDomainAliases }: MeshConfig): string[] {
  const account = /^spiffe:\/\/[^/]+(\/ns\/[^/]+\/sa\/[^/]+)$/.exec(name)?.[1];
  return account === undefined ? [] : trustDomainAliases.map((domain) => `spiffe://${domain}${account}`);
}

/** Which services may have other endpoints than before. */
function touchedBy(before: EndpointSources, after: EndpointSources): (service: MeshService) => boolean {
  // A slice may point to any Pod.
  if (before.pods !== after.pods) return () => true;
  const slices = changedKeys(before.slices, after.slices);
  const namespaces = new Set([...changedKeys(before.registeredIn, after.registeredIn), ...changedKeys(before.entriesIn, after.entriesIn)]);
  const hosts = changedKeys(before.sharedHosts, after.sharedHosts);
  return ({ namespace, name, hostname, registry }) => {
    const key = `${namespace}/${hostname}`;
    if (namespaces.has(namespace) || hosts.has(key)) return true;
    if (registry !== 'External') return slices.has(`${namespace}/${name}`);
    // What a ServiceEntry shares with the Service of Kubernetes that it names.
    const named = after.namedServices.get(key);
    return named !== before.namedServices.get(key) || (named !== undefined && slices.has(`${namespace}/${named.name}`));
  };
}

function changedKeys(before: ReadonlyMap<string, readonly unknown[]>, after: ReadonlyMap<string, readonly unknown[]>): Set<string> {
  const changed = new Set<string>();
  if (before === after) return changed;
  for (const [key, members] of after) if (!isSame(before.get(key), members, 1)) changed.add(key);
  for (const key of before.keys()) if (!after.has(key)) changed.add(key);
  return changed;
}
