import { hostMatches } from './service.ts';

/** MeshConfig.serviceSettings. */
export interface ServiceSettings {
  readonly settings?: { readonly clusterLocal?: boolean };
  readonly hosts?: readonly string[];
}

/** What a cluster keeps to itself in any mesh (istiod: clusterLocalProvider). */
const ALWAYS = ['*.kube-system.svc.cluster.local', 'kubernetes.default.svc.cluster.local'];

/** Services whose clients are sent to endpoints of their own cluster only; the most specific host decides. */
export class ClusterLocalHosts {
  private readonly byHost: ReadonlyMap<string, boolean>;

  constructor(settings: readonly ServiceSettings[]) {
    const given = settings.flatMap(({ hosts = [], settings: { clusterLocal = false } = {} }) =>
      hosts.map((host): [string, boolean] => [host, clusterLocal]),
    );
    this.byHost = new Map([...ALWAYS.map((host): [string, boolean] => [host, true]), ...given]);
  }

  has(hostname: string): boolean {
    const exact = this.byHost.get(hostname);
    if (exact !== undefined) return exact;
    const [closest] = [...this.byHost.keys()]
      .filter((host) => host.startsWith('*') && hostMatches(host, hostname))
      .sort((a, b) => b.length - a.length);
    return closest === undefined ? false : this.byHost.get(closest)!;
  }
}
