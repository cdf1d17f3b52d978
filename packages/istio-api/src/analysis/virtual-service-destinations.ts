import type { MeshObject } from '../object.ts';
import type { Path } from '../path.ts';
import type { Destination, DestinationRuleSpec, VirtualServiceSpec } from '../types/networking.ts';
import { fullHost } from './hosts.ts';
import { type MeshDocuments, nameOf } from './mesh-documents.ts';
import type { Analyzer, Say } from './say.ts';

type VirtualService = MeshObject<VirtualServiceSpec>;

interface Leads {
  readonly to: Destination;
  readonly path: Path;
  readonly isMirror: boolean;
}

/** Hosts, ports and subsets that routes lead to (Istio: DestinationHostAnalyzer, DestinationRuleAnalyzer). */
export const analyzeDestinations: Analyzer = (mesh, say) => {
  const virtualServices = mesh.all<VirtualServiceSpec>('networking.istio.io/VirtualService');
  const subsets = knownSubsets(mesh);
  const elsewhere = subsetsOfMeshRoutes(virtualServices);
  for (const object of virtualServices) {
    for (const leads of destinationsOf(object.spec)) {
      checkHost(object, leads, mesh, say);
      checkSubset(object, leads, subsets, say);
      if (!leads.isMirror) checkGatewayRoute(object, leads, elsewhere, say);
    }
  }
};

function destinationsOf({ http = [], tls = [], tcp = [] }: VirtualServiceSpec): Leads[] {
  const routes = { tcp, tls, http } as const;
  const leads: Leads[] = [];
  for (const [kind, list] of Object.entries(routes))
    for (const [index, { route = [] }] of list.entries())
      for (const [at, { destination }] of route.entries())
        leads.push({ to: destination, path: ['spec', kind, index, 'route', at, 'destination'], isMirror: false });
  for (const [index, { mirror, mirrors = [] }] of http.entries()) {
    if (mirror !== undefined) leads.push({ to: mirror, path: ['spec', 'http', index, 'mirror'], isMirror: true });
    for (const [at, { destination }] of mirrors.entries())
      leads.push({ to: destination, path: ['spec', 'http', index, 'mirrors', at, 'destination'], isMirror: true });
  }
  return leads;
}

function checkHost(object: VirtualService, { to, path, isMirror }: Leads, mesh: MeshDocuments, say: Say): void {
  const { namespace } = object.metadata;
  const known = mesh.hosts.find(to.host, namespace, object.spec.exportTo);
  if (known === undefined) {
    const what = isMirror ? 'mirror host' : 'host';
    const hidden = mesh.hosts.hidden(to.host, namespace);
    const why = hidden === undefined ? noSuchHost(to.host, namespace) : notVisible(hidden, namespace);
    say(object, 'IST0101', [...path, 'host'], `Referenced ${what} not found: "${to.host}": ${why}`);
    return;
  }
  const { ports } = known;
  const port = to.port?.number;
  if (port === undefined && ports.length > 1)
    say(object, 'IST0112', [...path, 'host'], `"${to.host}" has the ports ${ports.join(', ')}: say which with destination.port.number`);
  if (port !== undefined && !ports.includes(port))
    say(object, 'IST0101', [...path, 'port'], `Referenced host:port not found: "${to.host}:${port}": its ports are ${ports.join(', ')}`);
}

function noSuchHost(host: string, namespace: string): string {
  const full = fullHost(host, namespace);
  return `no Service and no ServiceEntry is ${full === host ? 'called so' : full}; add it or correct the name`;
}

function notVisible(hidden: MeshObject, namespace: string): string {
  return `${hidden.kind} ${nameOf(hidden)} is not exported to namespace ${namespace}: add it to its exportTo`;
}

function checkSubset(
  object: VirtualService,
  { to, path, isMirror }: Leads,
  subsets: ReadonlyMap<string, ReadonlySet<string>>,
  say: Say,
): void {
  if (to.subset === undefined || to.subset === '') return;
  const known = subsets.get(fullHost(to.host, object.metadata.namespace));
  if (known?.has(to.subset) === true) return;
  const what = isMirror ? 'mirror+subset' : 'host+subset';
  const others = known === undefined ? 'no DestinationRule defines subsets for that host' : `its subsets are ${[...known].join(', ')}`;
  say(object, 'IST0101', [...path, 'subset'], `Referenced ${what} in destinationrule not found: "${to.host}+${to.subset}": ${others}`);
}

function knownSubsets(mesh: MeshDocuments): Map<string, Set<string>> {
  const byHost = new Map<string, Set<string>>();
  for (const { spec, metadata } of mesh.all<DestinationRuleSpec>('networking.istio.io/DestinationRule')) {
    if (spec.subsets === undefined) continue;
    const host = fullHost(spec.host, metadata.namespace);
    const known = byHost.get(host) ?? new Set();
    byHost.set(host, known);
    for (const { name } of spec.subsets) known.add(name);
  }
  return byHost;
}

/** VirtualServices that choose a subset of a host that is their own, by that host. */
function subsetsOfMeshRoutes(all: readonly VirtualService[]): Map<string, VirtualService[]> {
  const byHost = new Map<string, VirtualService[]>();
  for (const object of all) {
    const own = new Set(object.spec.hosts ?? []);
    const chosen = (object.spec.http ?? []).flatMap(({ route = [] }) =>
      route.filter(({ destination: { subset = '', host } }) => subset !== '' && own.has(host)).map(({ destination: { host } }) => host),
    );
    for (const host of new Set(chosen)) byHost.set(host, [...(byHost.get(host) ?? []), object]);
  }
  return byHost;
}

/** A gateway does not ask the VirtualServices of the mesh: subsets must be chosen where it looks. */
function checkGatewayRoute(object: VirtualService, { to, path }: Leads, elsewhere: ReadonlyMap<string, VirtualService[]>, say: Say): void {
  if ((object.spec.gateways ?? []).length === 0 || path[1] !== 'http' || (to.subset ?? '') !== '') return;
  for (const other of elsewhere.get(to.host) ?? [])
    say(
      object,
      'IST0140',
      [...path, 'host'],
      `the subsets that VirtualService ${nameOf(other)} chooses for "${to.host}" have no effect for requests that come by a gateway: choose the subset here`,
    );
}
