import { isIP } from 'node:net';
import type { Document } from '../istiod/mesh/document.ts';
import { addressOfName } from './loopback.ts';

type Json = Record<string, unknown>;

/** What names resolve to in a drawn cluster, for an app of `namespace` (its DNS search path is Kubernetes' one). */
export class Names {
  private readonly addresses = new Map<string, string>();
  private readonly aliases = new Map<string, string>();
  private readonly namespace: string;

  constructor(documents: readonly Document[], namespace: string) {
    this.namespace = namespace;
    for (const document of documents) {
      if (document.kind === 'Service') this.addService(document, documents);
      else if (document.kind === 'ServiceEntry') this.addEntry(document);
    }
  }

  /** The name as a resolver completes it. */
  whole(host: string): string {
    return this.candidates(host).find((name) => this.addresses.has(name) || this.aliases.has(name)) ?? host;
  }

  /** The name of an ExternalName Service. */
  isAlias(host: string): boolean {
    return this.aliases.has(this.whole(host));
  }

  addressOf(host: string): string {
    if (isIP(host) !== 0) return host;
    const name = this.whole(host);
    const alias = this.aliases.get(name);
    if (alias !== undefined) return this.addressOf(alias);
    return this.addresses.get(name) ?? addressOfName(name);
  }

  private candidates(host: string): string[] {
    return [host, `${host}.${this.namespace}.svc.cluster.local`, `${host}.svc.cluster.local`, `${host}.cluster.local`];
  }

  private addService({ metadata, spec }: Document, documents: readonly Document[]): void {
    const name = `${metadata.name}.${metadata.namespace}.svc.cluster.local`;
    const { clusterIP, externalName } = spec as { clusterIP?: string; externalName?: string };
    if (externalName !== undefined) this.aliases.set(name, externalName);
    else if (clusterIP !== undefined && clusterIP !== 'None') this.addresses.set(name, clusterIP);
    else {
      const slice = documents.find(
        (document) =>
          document.kind === 'EndpointSlice' &&
          document.metadata.namespace === metadata.namespace &&
          document.metadata.name === `${metadata.name}-s1`,
      );
      const ready = (slice?.endpoints as { addresses: string[]; conditions: { ready: boolean } }[] | undefined)?.find(
        (each) => each.conditions.ready,
      );
      if (ready !== undefined) this.addresses.set(name, ready.addresses[0]!);
    }
  }

  private addEntry({ spec }: Document): void {
    const { hosts, addresses } = spec as { hosts: string[]; addresses?: string[] } & Json;
    if (addresses?.[0] !== undefined) for (const host of hosts) if (!host.startsWith('*')) this.addresses.set(host, addresses[0]);
  }
}
