import type { MeshObject } from '../object.ts';
import type { Path } from '../path.ts';
import type { GatewayServer, GatewaySpec } from '../types/networking.ts';
import { formatSelector } from './labels.ts';
import { byAge, type MeshDocuments, nameOf } from './mesh-documents.ts';
import type { Analyzer, Say } from './say.ts';
import type { Workload } from './workloads.ts';

type Gateway = MeshObject<GatewaySpec>;

const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTP_PROXY']);

interface Owner {
  readonly object: MeshObject;
  readonly path: Path;
}
interface Taken {
  readonly by: Owner;
  readonly carries: string;
  readonly hosts: Map<string, Owner>;
}

/**
 * Servers that meet on one port (Istio: ConflictingGatewayAnalyzer). What a port carries, and each TLS host, is decided by the oldest, and
 * istiod drops the others without a word; plaintext servers are merged. Gateways meet that have one selector, or one workload.
 */
export const analyzeGatewayConflicts: Analyzer = (mesh, say) => {
  const said = new Set<string>();
  const once: Say = (object, code, path, message) => {
    const key = `${nameOf(object)} ${path.join('.')} ${message}`;
    if (!said.has(key)) say(object, code, path, message);
    said.add(key);
  };
  for (const gateways of meetings(mesh)) compare(gateways, once);
};

/** Gateways that are served together, oldest first. */
function meetings(mesh: MeshDocuments): Iterable<readonly Gateway[]> {
  const bySelector = new Map<string, Gateway[]>();
  const byWorkload = new Map<Workload, Gateway[]>();
  for (const gateway of [...mesh.all<GatewaySpec>('networking.istio.io/Gateway')].sort(byAge)) {
    const { selector = {} } = gateway.spec;
    add(bySelector, formatSelector(selector), gateway);
    if (Object.keys(selector).length > 0) for (const workload of mesh.workloads.anywhere(selector)) add(byWorkload, workload, gateway);
  }
  const known = new Map<string, readonly Gateway[]>();
  for (const gateways of [...bySelector.values(), ...byWorkload.values()]) known.set(gateways.map(nameOf).join(' '), gateways);
  return known.values();
}

function add<K>(lists: Map<K, Gateway[]>, key: K, gateway: Gateway): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [gateway]);
  else list.push(gateway);
}

function compare(gateways: readonly Gateway[], say: Say): void {
  const ports = new Map<string, Taken>();
  for (const object of gateways)
    for (const [index, server] of (object.spec.servers ?? []).entries()) {
      const key = `${server.port.number} ${server.bind ?? ''}`;
      const own: Owner = { object, path: ['spec', 'servers', index] };
      const carries = carried(server);
      const taken = ports.get(key) ?? { by: own, carries, hosts: new Map<string, Owner>() };
      ports.set(key, taken);
      if (taken.carries === carries) compareHosts(server, own, taken, say);
      else
        conflict(taken.by, own, say, {
          older: `port ${server.port.number} carries ${taken.carries} here and ${carries} there; that server is not opened`,
          younger: `port ${server.port.number} carries ${taken.carries} there and ${carries} here; this server is not opened`,
        });
    }
}

function compareHosts({ port, hosts }: GatewayServer, own: Owner, taken: Taken, say: Say): void {
  const isTls = taken.carries === 'TLS';
  const names = isTls ? hosts.map((host) => host.slice(host.indexOf('/') + 1)) : hosts;
  const double = names.find((name) => taken.hosts.has(name) && (isTls || taken.hosts.get(name)!.object !== own.object));
  if (double === undefined) {
    for (const name of names) taken.hosts.set(name, own);
    return;
  }
  const both = `port ${port.number} has the host ${double} in both; the two are served as one: put their servers into one Gateway`;
  conflict(
    taken.hosts.get(double)!,
    own,
    say,
    isTls
      ? {
          older: `port ${port.number} has the TLS host ${double} there, too; that server is not opened`,
          younger: `port ${port.number} has the TLS host ${double} already; this server is not opened`,
        }
      : { older: both, younger: both },
  );
}

/** Of one Gateway alone only the server that loses is named. */
function conflict(older: Owner, younger: Owner, say: Say, why: { readonly older: string; readonly younger: string }): void {
  say(younger.object, 'IST0145', younger.path, `Conflict with Gateway ${nameOf(older.object)}: ${why.younger}`);
  if (older.object !== younger.object)
    say(older.object, 'IST0145', older.path, `Conflict with Gateway ${nameOf(younger.object)}: ${why.older}`);
}

function carried({ port, tls }: GatewayServer): string {
  if (PLAIN.has(port.protocol.toUpperCase())) return 'HTTP';
  return tls === undefined ? 'TCP' : 'TLS';
}
