import { hostMatches, type MeshService } from './service.ts';
import type { VirtualService } from './virtual-services.ts';

/** `namespace/host` entries of an egress listener (Istio: hostClassification). */
export class EgressImports {
  private readonly wanted = new Map<string, string[]>();
  private readonly excluded = new Map<string, string[]>();

  /** `.` is the client's own namespace, `*` any; a namespace that begins with `~` takes away instead. */
  constructor(entries: readonly string[], namespace: string) {
    for (const entry of entries) {
      const slash = entry.indexOf('/');
      const from = slash === -1 ? '*' : entry.slice(0, slash);
      const excludes = from.startsWith('~');
      const name = excludes ? from.slice(1) || '*' : from;
      const lists = excludes ? this.excluded : this.wanted;
      const key = name === '.' ? namespace : name;
      lists.set(key, [...(lists.get(key) ?? []), entry.slice(slash + 1)]);
    }
  }

  /** The service as it is seen: without the aliases that are not imported; undefined when it is not. */
  service(service: MeshService): MeshService | undefined {
    const { namespace, hostname, aliases } = service;
    if (this.excludes(namespace, hostname)) return undefined;
    for (const hosts of this.hostsFor(namespace)) {
      if (!hosts.some((host) => hostMatches(host, hostname))) continue;
      const named = aliases.filter((alias) => hosts.some((host) => hostMatches(host, alias)));
      return named.length === aliases.length ? service : { ...service, aliases: named };
    }
    return undefined;
  }

  /** A rule is taken when any of its hosts is; a wildcard on either side will do, except for rules of the Gateway API. */
  takesRule({ namespace, hosts, gatewayApi }: VirtualService): boolean {
    return this.hostsFor(namespace).some((imported) =>
      hosts.some(
        (host) =>
          !this.excludes(namespace, host) &&
          imported.some((pattern) => hostMatches(pattern, host) || (!gatewayApi && hostMatches(host, pattern))),
      ),
    );
  }

  private hostsFor(namespace: string): string[][] {
    return [this.wanted.get(namespace), this.wanted.get('*')].filter((hosts) => hosts !== undefined);
  }

  private excludes(namespace: string, host: string): boolean {
    if (this.excluded.size === 0) return false;
    return [...(this.excluded.get(namespace) ?? []), ...(this.excluded.get('*') ?? [])].some((pattern) => hostMatches(pattern, host));
  }
}
