import type { MeshObject } from '../object.ts';
import type { VirtualServiceSpec } from '../types/networking.ts';
import { EVERYWHERE, exportedTo, fullHost, hostsMeet } from './hosts.ts';
import { byAge, nameOf } from './mesh-documents.ts';
import type { Analyzer } from './say.ts';

type VirtualService = MeshObject<VirtualServiceSpec>;

/** VirtualServices of the mesh for one host, where both are visible: the oldest is used (Istio: ConflictingMeshGatewayHostsAnalyzer). */
export const analyzeRouteConflicts: Analyzer = (mesh, say) => {
  const byScope = new Map<string, Map<string, VirtualService[]>>();
  for (const object of mesh.all<VirtualServiceSpec>('networking.istio.io/VirtualService')) {
    const { gateways = [], hosts = [], exportTo } = object.spec;
    if (gateways.length > 0 && !gateways.includes('mesh')) continue;
    for (const scope of exportedTo(exportTo, object.metadata.namespace)) {
      const byHost = byScope.get(scope) ?? new Map<string, VirtualService[]>();
      byScope.set(scope, byHost);
      for (const host of new Set(hosts.map((own) => fullHost(own, object.metadata.namespace))))
        byHost.set(host, [...(byHost.get(host) ?? []), object]);
    }
  }
  const everywhere = byScope.get(EVERYWHERE) ?? new Map<string, VirtualService[]>();
  const wild = [...everywhere.keys()].filter((host) => host.startsWith('*'));
  const told = new Set<VirtualService>();
  for (const [scope, byHost] of byScope)
    for (const [host, own] of byHost) {
      const others = scope === EVERYWHERE ? [] : shared(host, everywhere, wild);
      const all = [...new Set([...own, ...others])].sort(byAge);
      if (all.length < 2) continue;
      for (const object of all.filter((candidate) => !told.has(candidate))) {
        told.add(object);
        const index = (object.spec.hosts ?? []).findIndex((entry) => hostsMeet(fullHost(entry, object.metadata.namespace), host));
        say(
          object,
          'IST0109',
          ['spec', 'hosts', Math.max(index, 0)],
          `The VirtualServices ${all.map(nameOf).join(',')} associated with mesh gateway define the same host ${host}: the oldest, ${nameOf(all[0]!)}, is used and the others are not; put their routes into one`,
        );
      }
    }
};

/** Those that every namespace sees. */
function shared(host: string, everywhere: ReadonlyMap<string, VirtualService[]>, wild: readonly string[]): readonly VirtualService[] {
  const keys = host.startsWith('*') ? [...everywhere.keys()] : [host, ...wild];
  return keys.filter((key) => hostsMeet(host, key)).flatMap((key) => everywhere.get(key) ?? []);
}
