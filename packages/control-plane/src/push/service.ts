import type { MeshObject, ServiceEntrySpec, ServiceSpec } from '@ripstop/istio-api';
import { type Protocol, parseProtocol, protocolOf } from './protocol.ts';

export interface MeshServicePort {
  readonly port: number;
  readonly name: string;
  readonly protocol: Protocol;
  /** What its endpoints serve it on, by number or by name. */
  readonly targetPort: number | string;
}

/** How endpoints of a service are found. */
export type Resolution = 'EDS' | 'DNS' | 'DNS_ROUND_ROBIN' | 'NONE';

/** A name that clients may call: a Kubernetes Service, or one host of a ServiceEntry. */
export interface MeshService {
  readonly hostname: string;
  /** The object's name (Istio: attributes.name). */
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly MeshServicePort[];
  /** Virtual IPs; empty when none is known. */
  readonly addresses: readonly string[];
  readonly headless: boolean;
  readonly registry: 'Kubernetes' | 'External';
  readonly resolution: Resolution;
  /** MESH_EXTERNAL: never mTLS of the mesh. */
  readonly meshExternal: boolean;
  readonly exportTo: readonly string[];
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly subjectAltNames: readonly string[];
  readonly object: MeshObject;
}

export interface ServiceScope {
  readonly domain: string;
}

/** The service of a Kubernetes Service; undefined for ExternalName, which names no endpoints of its own. */
export function serviceOf(object: MeshObject<ServiceSpec>, { domain }: ServiceScope): MeshService | undefined {
  const { spec, metadata } = object;
  if (spec.type === 'ExternalName') return undefined;
  const exportTo = metadata.annotations['networking.istio.io/exportTo'];
  const addresses = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).filter((ip) => ip !== '' && ip !== 'None');
  return {
    hostname: `${metadata.name}.${metadata.namespace}.svc.${domain}`,
    name: metadata.name,
    namespace: metadata.namespace,
    ports: (spec.ports ?? [])
      .map((port) => ({
        port: port.port,
        name: port.name ?? '',
        protocol: protocolOf(port),
        targetPort: port.targetPort ?? port.port,
      }))
      .filter((port) => port.protocol !== 'UDP'),
    addresses,
    headless: spec.clusterIP === 'None',
    registry: 'Kubernetes',
    resolution: spec.clusterIP === 'None' ? 'NONE' : 'EDS',
    meshExternal: false,
    exportTo: exportTo === undefined ? ['*'] : exportTo.split(',').map((name) => name.trim()),
    selector: spec.selector,
    subjectAltNames: [],
    object,
  };
}

const RESOLUTIONS: Readonly<Record<string, Resolution>> = {
  STATIC: 'EDS',
  DNS: 'DNS',
  DNS_ROUND_ROBIN: 'DNS_ROUND_ROBIN',
  NONE: 'NONE',
  DYNAMIC_DNS: 'NONE',
};

/** The services of a ServiceEntry, one per host. */
export function servicesOfEntry(object: MeshObject<ServiceEntrySpec>): MeshService[] {
  const { spec, metadata } = object;
  return spec.hosts.map((hostname) => ({
    hostname,
    name: metadata.name,
    namespace: metadata.namespace,
    ports: (spec.ports ?? []).map((port) => ({
      port: port.number,
      name: port.name,
      protocol: port.protocol === undefined ? ('Auto' as const) : parseProtocol(port.protocol),
      targetPort: port.targetPort ?? port.number,
    })),
    addresses: spec.addresses ?? [],
    headless: false,
    registry: 'External',
    resolution: RESOLUTIONS[spec.resolution ?? 'NONE'] ?? 'NONE',
    meshExternal: spec.location !== 'MESH_INTERNAL',
    exportTo: spec.exportTo ?? ['*'],
    selector: spec.workloadSelector?.labels,
    subjectAltNames: spec.subjectAltNames ?? [],
    object,
  }));
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
