import type { MeshObject, ServiceEntrySpec, ServiceSpec } from '@ripstop/istio-api';
import { spoken } from '../model/address-families.ts';
import type { ProxyNode } from '../model/proxy-node.ts';
import { type Protocol, parseProtocol, protocolOf } from './protocol.ts';

export interface MeshServicePort {
  readonly port: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** What its endpoints serve it on, by number or by name. */
  readonly targetPort: number | string;
  /** `targetPort` as a ServiceEntry writes it; undefined when it says nothing. */
  readonly writtenTargetPort?: number;
}

/** How endpoints of a service are found. */
export type Resolution = 'EDS' | 'DNS' | 'DNS_ROUND_ROBIN' | 'DYNAMIC_DNS' | 'NONE' | 'ALIAS';

/** A name that clients may call: a Kubernetes Service, or one host of a ServiceEntry. */
export interface MeshService {
  readonly hostname: string;
  /** The object's name (Istio: attributes.name). */
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly MeshServicePort[];
  /** Not called through the mesh, and open on the workload all the same. */
  readonly udpPorts: readonly MeshServicePort[];
  /** Virtual IPs; empty when none is known. */
  readonly addresses: readonly string[];
  readonly headless: boolean;
  readonly registry: 'Kubernetes' | 'External';
  readonly resolution: Resolution;
  /** Of resolution ALIAS: the host that it stands for. */
  readonly aliasOf?: string;
  /** MESH_EXTERNAL: never mTLS of the mesh. */
  readonly meshExternal: boolean;
  readonly exportTo: readonly string[];
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly subjectAltNames: readonly string[];
  /** Host names of ExternalName Services that stand for this one. */
  readonly aliases: readonly string[];
  /** Kubernetes' trafficDistribution; '' = none. */
  readonly trafficDistribution: string;
  /** internalTrafficPolicy Local: only endpoints on the client's own node. */
  readonly nodeLocal: boolean;
  /** publishNotReadyAddresses: not ready is good enough. */
  readonly notReadyIsReady: boolean;
  /** Label istio.io/persistent-session: terminating endpoints keep their sessions. */
  readonly persistentSession: boolean;
  readonly object: MeshObject;
}

/** Where a client may call the service by address (Istio: GetAllAddressesForProxy): those of a ServiceEntry whatever the client speaks. */
export function addressesFor(node: Pick<ProxyNode, 'ipAddresses' | 'ripstop'>, { registry, addresses }: MeshService): readonly string[] {
  return registry === 'Kubernetes' ? spoken(node, addresses) : addresses;
}

export interface ServiceScope {
  readonly domain: string;
  readonly trustDomain: string;
  readonly exportTo: readonly string[];
  /** trafficDistribution of a namespace, from its annotation. */
  readonly distributionOf: (namespace: string) => string | undefined;
}

/** Says what `spec.trafficDistribution` says, on a Service or for a whole Namespace. */
export const DISTRIBUTION = 'networking.istio.io/traffic-distribution';

/** Who serves besides the accounts of the endpoints: names as they stand, and accounts of the Service's own namespace. */
const CANONICAL_ACCOUNTS = 'alpha.istio.io/canonical-serviceaccounts';
const KUBERNETES_ACCOUNTS = 'alpha.istio.io/kubernetes-serviceaccounts';

/** Istio: ConvertService. Blanks are not cut off. */
function annotatedNames({ namespace, annotations }: MeshObject['metadata'], trustDomain: string): string[] {
  const listed = (name: string): string[] => (annotations[name] || undefined)?.split(',') ?? [];
  const accounts = listed(KUBERNETES_ACCOUNTS).map((account) => `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`);
  return [...listed(CANONICAL_ACCOUNTS), ...accounts];
}

/** The service of a Kubernetes Service; undefined for ExternalName, which names no endpoints of its own. */
export function serviceOf(
  object: MeshObject<ServiceSpec>,
  { domain, trustDomain, exportTo: defaultExportTo, distributionOf }: ServiceScope,
): MeshService | undefined {
  const { spec, metadata } = object;
  if (spec.type === 'ExternalName') return undefined;
  const ports = (spec.ports ?? []).map((port) => ({
    port: port.port,
    name: port.name ?? '',
    protocol: protocolOf(port),
    targetPort: port.targetPort || port.port,
  }));
  const namespaceDistribution = distributionOf(metadata.namespace);
  const exportTo = metadata.annotations['networking.istio.io/exportTo'];
  const addresses = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).filter((ip) => ip !== '' && ip !== 'None');
  return {
    hostname: `${metadata.name}.${metadata.namespace}.svc.${domain}`,
    name: metadata.name,
    namespace: metadata.namespace,
    ports: ports.filter(({ protocol }) => protocol !== 'UDP'),
    udpPorts: ports.filter(({ protocol }) => protocol === 'UDP'),
    addresses,
    headless: spec.clusterIP === 'None',
    registry: 'Kubernetes',
    resolution: spec.clusterIP === 'None' ? 'NONE' : 'EDS',
    meshExternal: false,
    exportTo: exportTo === undefined ? defaultExportTo : exportTo.split(',').map((name) => name.trim()),
    selector: spec.selector,
    subjectAltNames: annotatedNames(metadata, trustDomain),
    aliases: [],
    trafficDistribution: spec.trafficDistribution ?? metadata.annotations[DISTRIBUTION] ?? namespaceDistribution ?? '',
    nodeLocal: spec.internalTrafficPolicy === 'Local',
    notReadyIsReady: spec.publishNotReadyAddresses === true,
    persistentSession: metadata.labels['istio.io/persistent-session'] !== undefined,
    object,
  };
}

/**
 * An ExternalName Service as a destination of routes: what leads to it leads to the host that it stands for. It has no clusters,
 * listeners and virtual hosts of its own.
 */
export function aliasOf(object: MeshObject<ServiceSpec>, defaults: Omit<ServiceScope, 'distributionOf'>): MeshService | undefined {
  const { type, externalName } = object.spec;
  if (type !== 'ExternalName' || externalName === undefined) return undefined;
  const named = { ...object, spec: { ...object.spec, type: 'ClusterIP' } };
  const service = serviceOf(named, { ...defaults, distributionOf: () => undefined });
  return service === undefined
    ? undefined
    : { ...service, object, addresses: [], headless: false, resolution: 'ALIAS', aliasOf: externalName };
}

const RESOLUTIONS: Readonly<Record<string, Resolution>> = {
  STATIC: 'EDS',
  DNS: 'DNS',
  DNS_ROUND_ROBIN: 'DNS_ROUND_ROBIN',
  NONE: 'NONE',
  DYNAMIC_DNS: 'DYNAMIC_DNS',
};

/** Of one host: what is known of a port is kept by the port itself. */
function portsOfEntry({ ports = [] }: ServiceEntrySpec): MeshServicePort[] {
  return ports.map((port) => ({
    port: port.number,
    name: port.name,
    protocol: port.protocol === undefined ? ('Auto' as const) : parseProtocol(port.protocol),
    targetPort: port.targetPort || port.number,
    ...((port.targetPort ?? 0) === 0 ? {} : { writtenTargetPort: port.targetPort! }),
  }));
}

/** A range of one address is that address (Istio: convertServices). */
function withoutFullPrefix(address: string): string {
  const [ip = '', length] = address.split('/');
  return length === (ip.includes(':') ? '128' : '32') ? ip : address;
}

/** The services of a ServiceEntry, one per host. */
export function servicesOfEntry(object: MeshObject<ServiceEntrySpec>, exportTo: readonly string[]): MeshService[] {
  const { spec, metadata } = object;
  return spec.hosts.map((hostname) => ({
    hostname,
    name: metadata.name,
    namespace: metadata.namespace,
    ports: portsOfEntry(spec).filter(({ protocol }) => protocol !== 'UDP'),
    udpPorts: portsOfEntry(spec).filter(({ protocol }) => protocol === 'UDP'),
    addresses: [...new Set((spec.addresses ?? []).map(withoutFullPrefix))],
    headless: false,
    registry: 'External',
    resolution: RESOLUTIONS[spec.resolution ?? 'NONE'] ?? 'NONE',
    meshExternal: spec.location !== 'MESH_INTERNAL',
    exportTo: namedOr(spec.exportTo, exportTo),
    selector: spec.workloadSelector?.labels,
    subjectAltNames: spec.subjectAltNames ?? [],
    aliases: [],
    trafficDistribution: metadata.annotations[DISTRIBUTION] ?? '',
    nodeLocal: false,
    notReadyIsReady: false,
    persistentSession: metadata.labels['istio.io/persistent-session'] !== undefined,
    object,
  }));
}

/** Services with the ExternalName Services that stand for them, over any number of steps. */
export function withAliases(
  services: readonly MeshService[],
  objects: readonly MeshObject<ServiceSpec>[],
  { domain }: Pick<ServiceScope, 'domain'>,
): MeshService[] {
  const targets = new Map<string, string>();
  for (const { spec, metadata } of objects) {
    if (spec.type === 'ExternalName' && spec.externalName !== undefined)
      targets.set(`${metadata.name}.${metadata.namespace}.svc.${domain}`, spec.externalName);
  }
  if (targets.size === 0) return [...services];
  const aliases = new Map<string, string[]>();
  for (const alias of targets.keys()) {
    let target = targets.get(alias)!;
    // Aliases that lead to each other lead nowhere.
    for (let step = 0; targets.has(target) && step < targets.size; step++) target = targets.get(target)!;
    aliases.set(target, [...(aliases.get(target) ?? []), alias]);
  }
  return services.map((service) => {
    const own = aliases.get(service.hostname);
    return own === undefined ? service : { ...service, aliases: own.toSorted() };
  });
}

/** A list that is empty is as good as none. */
export function namedOr(exportTo: readonly string[] | undefined, otherwise: readonly string[]): readonly string[] {
  return exportTo === undefined || exportTo.length === 0 ? otherwise : exportTo;
}

/** exportTo as Istio reads it: `*` everybody, `.` the own namespace, `~` nobody, else namespaces. */
export function isVisible(exportTo: readonly string[], namespace: string, clientNamespace: string): boolean {
  if (exportTo.length === 0) return true;
  return exportTo.some((entry) => entry === '*' || entry === clientNamespace || (entry === '.' && namespace === clientNamespace));
}

/** True when every label of the selector is there. An empty selector selects everything. */
export function selects(selector: Readonly<Record<string, string>> | undefined, labels: Readonly<Record<string, string>>): boolean {
  for (const name in selector) if (labels[name] !== selector[name]) return false;
  return true;
}

/** Short names belong to the namespace of the resource that uses them (Istio: ResolveShortnameToFQDN). */
export function resolveHost(host: string, namespace: string, domain: string): string {
  if (host === '*' || host.includes('.') || host.includes(':') || host === '') return host;
  return `${host}.${namespace}.svc.${domain}`;
}

/** `*.example.com` and `*` against a host, or against a narrower wildcard. */
export function hostMatches(pattern: string, host: string): boolean {
  if (pattern === host || pattern === '*') return true;
  return pattern.startsWith('*') && host.length > pattern.length - 1 && host.endsWith(pattern.slice(1));
}
