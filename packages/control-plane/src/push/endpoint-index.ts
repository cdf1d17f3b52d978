import { type EndpointSources, endpointsOf, entryLabels, type ServiceEndpoint } from './endpoints.ts';
import type { MeshConfig } from './mesh-config.ts';
import { isSame } from './reuse.ts';
import { type MeshService, type MeshServicePort, selects } from './service.ts';
import { byServiceAge } from './services.ts';

type Known = readonly ServiceEndpoint[];

interface Identities {
  readonly mesh: MeshConfig;
  readonly endpoints: readonly (readonly ServiceEndpoint[])[];
  readonly names: readonly string[];
}

/** What services that share their endpoints have in common. */
export function hostKey({ namespace, hostname }: Pick<MeshService, 'namespace' | 'hostname'>): string {
  return `${namespace}/${hostname}`;
}

type ByHost = Map<string, Map<MeshServicePort, Known>>;

/**
 * The endpoints of every service port, found when they are first asked for. What a change did not touch is taken over from the push
 * before, and what it touched without changing anything is the same array as before.
 */
export class EndpointIndex {
  readonly sources: EndpointSources;
  /** Services of which the endpoints may be others than in the push before, by `hostKey`; undefined: all. */
  readonly touched: ReadonlySet<string> | undefined;
  private readonly services: readonly MeshService[];
  private known: ByHost;
  private readonly stale: ByHost;
  /** The last that were worked out, of whichever push: they say what they were made of. */
  private readonly identities: WeakMap<MeshService, Identities>;

  constructor(sources: EndpointSources, services: readonly MeshService[], before?: EndpointIndex) {
    this.sources = sources;
    this.services = services;
    this.identities = before?.identities ?? new WeakMap();
    this.touched = before && touchedHosts(before.sources, sources);
    const known: ByHost = before?.handOver() ?? new Map();
    if (before !== undefined && services !== before.services) keepOnly(known, services);
    this.known = this.touched === undefined ? new Map() : known;
    this.stale = this.touched === undefined ? known : taken(known, this.touched);
  }

  /** A service whose endpoints are as they were. */
  keeps(service: MeshService): boolean {
    return this.touched?.has(hostKey(service)) === false;
  }

  of(service: MeshService, port: MeshServicePort): readonly ServiceEndpoint[] {
    const key = hostKey(service);
    let ports = this.known.get(key);
    const known = ports?.get(port);
    if (known !== undefined) return known;
    const found = endpointsOf(service, port, this.sources);
    const before = this.stale.get(key)?.get(port);
    const endpoints = before !== undefined && JSON.stringify(before) === JSON.stringify(found) ? before : found;
    if (ports === undefined) {
      ports = new Map();
      this.known.set(key, ports);
    }
    ports.set(port, endpoints);
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
    const key = hostKey(service);
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
  /** The next push takes over what is known; whoever still asks this one has it looked up again. */
  private handOver(): ByHost {
    const { known } = this;
    this.known = new Map();
    return known;
  }
}

/** Takes out what is known of these hosts. */
function taken(known: ByHost, hosts: ReadonlySet<string>): ByHost {
  const found: ByHost = new Map();
  for (const host of hosts) {
    const ports = known.get(host);
    if (ports === undefined) continue;
    found.set(host, ports);
    known.delete(host);
  }
  return found;
}

/** Ports of services that are no more are forgotten. */
function keepOnly(known: ByHost, services: readonly MeshService[]): void {
  const live = new Set(services.flatMap(({ ports }) => ports));
  for (const [host, ports] of known) {
    for (const port of ports.keys()) if (!live.has(port)) ports.delete(port);
    if (ports.size === 0) known.delete(host);
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

/** Services of which the endpoints may be others than before; undefined: any. */
function touchedHosts(before: EndpointSources, after: EndpointSources): Set<string> | undefined {
  // A slice may point to any Pod.
  if (before.pods !== after.pods) return undefined;
  const hosts = changedKeys(before.sharedHosts, after.sharedHosts);
  for (const [key, service] of after.namedServices) if (before.namedServices.get(key) !== service) hosts.add(key);
  for (const key of before.namedServices.keys()) if (!after.namedServices.has(key)) hosts.add(key);
  const slices = changedKeys(before.slices, after.slices);
  const labels = [
    ...changedMembers(before.registeredIn, after.registeredIn).map(([namespace, instance]) => [namespace, instance.labels] as const),
    ...changedMembers(before.entriesIn, after.entriesIn).map(([namespace, entry]) => [namespace, entryLabels(entry)] as const),
  ];
  for (const { named, selecting } of new Set([before.lookedUp, after.lookedUp])) {
    for (const key of slices) for (const service of named.get(key) ?? []) hosts.add(hostKey(service));
    for (const [namespace, own] of labels)
      for (const service of selecting.get(namespace) ?? []) if (selects(service.selector, own)) hosts.add(hostKey(service));
  }
  return hosts;
}

/** Members that came or went, with their key; those of a list of the same members in another order, all. */
function changedMembers<T>(before: ReadonlyMap<string, readonly T[]>, after: ReadonlyMap<string, readonly T[]>): [string, T][] {
  return [...changedKeys(before, after)].flatMap((key) => {
    const [old, now] = [new Set(before.get(key)), new Set(after.get(key))];
    const changed = [...[...old].filter((member) => !now.has(member)), ...[...now].filter((member) => !old.has(member))];
    return (changed.length === 0 ? [...now] : changed).map((member): [string, T] => [key, member]);
  });
}

function changedKeys(before: ReadonlyMap<string, readonly unknown[]>, after: ReadonlyMap<string, readonly unknown[]>): Set<string> {
  const changed = new Set<string>();
  if (before === after) return changed;
  for (const [key, members] of after) if (!isSame(before.get(key), members, 1)) changed.add(key);
  for (const key of before.keys()) if (!after.has(key)) changed.add(key);
  return changed;
}
