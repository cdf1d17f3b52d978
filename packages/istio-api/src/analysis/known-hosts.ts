import type { MeshObject } from '../object.ts';
import type { ServiceSpec } from '../types/core.ts';
import type { ServiceEntrySpec } from '../types/networking.ts';
import { EVERYWHERE, exportedTo, fullHost } from './hosts.ts';
import type { Labels } from './labels.ts';

/** A host that a Service or a ServiceEntry defines. */
export interface KnownHost {
  readonly host: string;
  readonly definedBy: MeshObject;
  readonly ports: readonly number[];
  /** What selects its workloads; undefined: they are listed, or addresses. */
  readonly selector: Labels | undefined;
  /** Namespaces that see it. */
  readonly visibleIn: readonly string[];
}

/** Every host of the mesh, by name and who sees it (Istio: GetDestinationHost). */
export class KnownHosts {
  private readonly exact = new Map<string, KnownHost[]>();
  private readonly wildcards: KnownHost[] = [];

  constructor(services: readonly MeshObject<ServiceSpec>[], entries: readonly MeshObject<ServiceEntrySpec>[]) {
    for (const object of services) this.addService(object);
    for (const object of entries) this.addEntry(object);
  }

  /** The host as a namespace sees it; `exportTo` is that of the object that refers to it. */
  find(name: string, namespace: string, exportTo?: readonly string[]): KnownHost | undefined {
    const host = fullHost(name, namespace);
    const scopes = exportTo === undefined || exportTo.length === 0 ? [namespace] : exportedTo(exportTo, namespace);
    const sees = ({ visibleIn }: KnownHost): boolean => visibleIn.includes(EVERYWHERE) || scopes.some((scope) => visibleIn.includes(scope));
    const exact = this.exact.get(host)?.find(sees);
    if (exact !== undefined) return exact;
    const bare = host.replace(/^\*/, '');
    return this.wildcards.find((known) => sees(known) && bare.endsWith(known.host.slice(1)));
  }

  /** Who defines a host that a namespace cannot see. */
  hidden(name: string, namespace: string): MeshObject | undefined {
    return this.exact.get(fullHost(name, namespace))?.[0]?.definedBy;
  }

  /** Whether a host is defined under this very name, wherever it is visible. */
  isDefined(host: string): boolean {
    return this.exact.has(host);
  }

  /** Whether a host with a wildcard covers one that is known. */
  covers(wildcard: string): boolean {
    const suffix = wildcard.slice(1);
    for (const host of this.exact.keys()) if (host.endsWith(suffix)) return true;
    return this.wildcards.some(({ host }) => host.endsWith(suffix));
  }

  private addService(object: MeshObject<ServiceSpec>): void {
    const { name, namespace, annotations } = object.metadata;
    const exportTo = annotations['networking.istio.io/exportTo'];
    this.add({
      host: fullHost(name, namespace),
      definedBy: object,
      ports: (object.spec.ports ?? []).map(({ port }) => port),
      selector: object.spec.selector,
      visibleIn: exportedTo(
        exportTo?.split(',').map((entry) => entry.trim()),
        namespace,
      ),
    });
  }

  private addEntry(object: MeshObject<ServiceEntrySpec>): void {
    const { hosts, ports, exportTo, workloadSelector } = object.spec;
    for (const host of hosts)
      this.add({
        host: fullHost(host, object.metadata.namespace),
        definedBy: object,
        ports: (ports ?? []).map(({ number }) => number),
        selector: workloadSelector?.labels,
        visibleIn: exportedTo(exportTo, object.metadata.namespace),
      });
  }

  private add(known: KnownHost): void {
    if (known.host.startsWith('*')) this.wildcards.push(known);
    else this.exact.set(known.host, [...(this.exact.get(known.host) ?? []), known]);
  }
}
