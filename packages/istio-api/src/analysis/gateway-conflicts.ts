import type { MeshObject } from '../object.ts';
import type { Path } from '../path.ts';
import type { GatewayServer, GatewaySpec } from '../types/networking.ts';
import { formatSelector } from './labels.ts';
import { byAge, nameOf } from './mesh-documents.ts';
import type { Analyzer } from './say.ts';

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
 * istiod drops the others without a word; plaintext servers are merged. Gateways with one selector are compared; others may meet on a
 * workload unseen.
 */
export const analyzeGatewayConflicts: Analyzer = (mesh, say) => {
  const ports = new Map<string, Taken>();
  for (const object of [...mesh.all<GatewaySpec>('networking.istio.io/Gateway')].sort(byAge)) {
    const selector = formatSelector(object.spec.selector ?? {});
    for (const [index, server] of (object.spec.servers ?? []).entries()) {
      const { number } = server.port;
      const own: Owner = { object, path: ['spec', 'servers', index] };
      const key = `${selector} ${number} ${server.bind ?? ''}`;
      const carries = carried(server);
      const taken = ports.get(key) ?? { by: own, carries, hosts: new Map<string, Owner>() };
      ports.set(key, taken);
      const conflict = (other: Owner, why: string, end: string): void =>
        say(object, 'IST0145', own.path, `Conflict with Gateway ${nameOf(other.object)}: ${why}; ${end}`);
      if (taken.carries !== carries) {
        conflict(taken.by, `port ${number} carries ${taken.carries} there and ${carries} here`, 'this server is not opened');
        continue;
      }
      const names = carries === 'TLS' ? server.hosts.map((host) => host.slice(host.indexOf('/') + 1)) : server.hosts;
      const double = names.find((name) => taken.hosts.has(name) && (carries === 'TLS' || taken.hosts.get(name)!.object !== object));
      const first = double === undefined ? undefined : taken.hosts.get(double)!;
      if (first === undefined) for (const name of names) taken.hosts.set(name, own);
      else if (carries === 'TLS') conflict(first, `port ${number} has the TLS host ${double} already`, 'this server is not opened');
      else
        for (const [one, other] of [
          [own, first],
          [first, own],
        ] as const)
          say(
            one.object,
            'IST0145',
            one.path,
            `Conflict with Gateway ${nameOf(other.object)}: port ${number} has the host ${double} in both; the two are served as one: put their servers into one Gateway`,
          );
    }
  }
};

function carried({ port, tls }: GatewayServer): string {
  if (PLAIN.has(port.protocol.toUpperCase())) return 'HTTP';
  return tls === undefined ? 'TCP' : 'TLS';
}
