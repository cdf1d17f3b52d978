import type { MeshObject } from '../object.ts';
import type { GatewayServer, GatewaySpec } from '../types/networking.ts';
import { objectKey } from '../validate.ts';
import type { Say } from './say.ts';

const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTP_PROXY']);

interface Taken {
  readonly by: MeshObject;
  readonly kind: string;
  /** TLS hosts and who has them. */
  readonly hosts: Map<string, MeshObject>;
}

/**
 * Servers that do not get on a port because an older one has it: what a port carries, and each TLS host, is decided by the first (as in
 * istiod, which drops the others without a word). Gateways with one selector are compared; others may meet on a workload unseen.
 */
export function analyzeGatewayConflicts(objects: readonly MeshObject[], say: Say): void {
  const ports = new Map<string, Taken>();
  const gateways = objects.filter(({ kind, apiVersion }) => kind === 'Gateway' && apiVersion.startsWith('networking.istio.io/'));
  for (const object of (gateways as MeshObject<GatewaySpec>[]).sort(byAge)) {
    const selector = JSON.stringify(Object.entries(object.spec.selector ?? {}).sort());
    for (const [index, server] of (object.spec.servers ?? []).entries()) {
      const key = `${selector} ${server.port.number}`;
      const kind = carried(server);
      const taken = ports.get(key) ?? { by: object, kind, hosts: new Map() };
      ports.set(key, taken);
      const conflict = (by: MeshObject, why: string): void =>
        say(object, 'IST0145', 'error', ['spec', 'servers', index], `Conflict with ${objectKey(by)}: ${why}; this server is not opened`);
      if (taken.kind !== kind) {
        conflict(taken.by, `port ${server.port.number} carries ${taken.kind} there and ${kind} here`);
        continue;
      }
      if (kind !== 'TLS') continue;
      const names = server.hosts.map((host) => host.slice(host.indexOf('/') + 1));
      const double = names.find((name) => taken.hosts.has(name));
      if (double !== undefined) conflict(taken.hosts.get(double)!, `port ${server.port.number} has the TLS host ${double} already`);
      else for (const name of names) taken.hosts.set(name, object);
    }
  }
}

function carried({ port, tls }: GatewayServer): string {
  if (PLAIN.has(port.protocol.toUpperCase())) return 'HTTP';
  return tls === undefined ? 'TCP' : 'TLS';
}

function byAge(a: MeshObject, b: MeshObject): number {
  const age = a.metadata.creationTimestamp - b.metadata.creationTimestamp;
  if (age !== 0) return age;
  const [one, other] = [a, b].map(({ metadata }) => `${metadata.name} ${metadata.namespace}`) as [string, string];
  return one < other ? -1 : Number(one > other);
}
