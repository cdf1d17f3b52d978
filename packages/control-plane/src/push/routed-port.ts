import { hostMatches, type MeshService } from './service.ts';
import type { VirtualService } from './virtual-services.ts';

/** What calls of one port may reach. */
export interface PortScope {
  /** Oldest first; of one host there may be several, with other ports. */
  readonly services: readonly MeshService[];
  /** Of the mesh, in order of precedence. */
  readonly virtualServices: readonly VirtualService[];
}

export const NOTHING: PortScope = { services: [], virtualServices: [] };

/** Routes of port 80 are also made for hosts that are no services. */
const HTTP_PORT = 80;

/** The services of a port. */
interface OfPort {
  readonly services: MeshService[];
  readonly names: Set<string>;
  readonly wildcards: string[];
}

/** Lists of services are the same ones push after push. */
const known = new WeakMap<readonly MeshService[], ReadonlyMap<number, OfPort>>();

function byPort(services: readonly MeshService[]): ReadonlyMap<number, OfPort> {
  let ports = known.get(services);
  if (ports === undefined) {
    ports = sorted(services);
    known.set(services, ports);
  }
  return ports;
}

function sorted(services: readonly MeshService[]): Map<number, OfPort> {
  const ports = new Map<number, OfPort>();
  for (const service of services) {
    for (const port of new Set(service.ports.map((entry) => entry.port))) {
      let own = ports.get(port);
      if (own === undefined) {
        own = { services: [], names: new Set(), wildcards: [] };
        ports.set(port, own);
      }
      own.services.push(service);
      if (service.hostname.startsWith('*') && !own.names.has(service.hostname)) own.wildcards.push(service.hostname);
      own.names.add(service.hostname);
    }
  }
  return ports;
}

/** The services that have a port, and the rules that may have a say about its routes. */
export function routedAt(port: number, { services, virtualServices }: PortScope): PortScope {
  const own = byPort(services).get(port);
  if (port === HTTP_PORT) return { services: own?.services ?? [], virtualServices };
  if (own === undefined) return NOTHING;
  const { names, wildcards } = own;
  const reaches = (host: string): boolean =>
    names.has(host) ||
    wildcards.some((name) => hostMatches(name, host)) ||
    (host.startsWith('*') && own.services.some(({ hostname }) => hostMatches(host, hostname)));
  return { services: own.services, virtualServices: virtualServices.filter(({ hosts }) => hosts.some(reaches)) };
}
