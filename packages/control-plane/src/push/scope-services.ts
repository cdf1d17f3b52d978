import type { EgressImports } from './egress-imports.ts';
import type { EgressScope } from './outbound-scope.ts';
import { isVisible, type MeshService } from './service.ts';
import { destinationsOf } from './virtual-services.ts';

export type ServicesByHost = ReadonlyMap<string, readonly MeshService[]>;

/** Those that were exported to the namespace first, then the public ones; each oldest first (Istio: servicesExportedToNamespace). */
export function visibleServices(services: readonly MeshService[], namespace: string): MeshService[] {
  const seen = services.filter((service) => isVisible(service.exportTo, service.namespace, namespace));
  const open = ({ exportTo }: MeshService): boolean => exportTo.length === 0 || exportTo.includes('*');
  return [...seen.filter((service) => !open(service)), ...seen.filter(open)];
}

/** The services of an egress listener. All of one host come from one namespace: the client's own, else that of a Kubernetes Service. */
export function imported(
  imports: EgressImports,
  port: number | undefined,
  visible: readonly MeshService[],
  namespace: string,
): MeshService[] {
  const found = visible.flatMap((service) => {
    const seen = imports.service(service);
    return seen === undefined ? [] : port === undefined ? seen : (onlyPorts(seen, [port]) ?? []);
  });
  const chosen = new Map<string, MeshService>();
  for (const service of found) {
    const other = chosen.get(service.hostname);
    if (other === undefined || service.namespace === namespace) chosen.set(service.hostname, service);
    else if (other.registry === 'External' && service.registry === 'Kubernetes' && other.namespace !== namespace)
      chosen.set(service.hostname, service);
  }
  return found.filter((service) => chosen.get(service.hostname)?.namespace === service.namespace);
}

function onlyPorts(service: MeshService, numbers: readonly number[]): MeshService | undefined {
  const ports = service.ports.filter(({ port }) => numbers.includes(port));
  return ports.length === 0 ? undefined : ports.length === service.ports.length ? service : { ...service, ports };
}

/** What the rules of a listener lead to, though no entry names it: the client's own service of that host, else one that it sees. */
export function destinations({ port, proxy, virtualServices }: EgressScope, byHost: ServicesByHost, namespace: string): MeshService[] {
  return virtualServices.flatMap((rule) =>
    [...destinationsOf(rule, namespace)].flatMap(([host, ports]) => {
      const service = bestOf(byHost.get(host) ?? [], namespace);
      if (service === undefined) return [];
      if (port !== undefined && proxy === '') return onlyPorts(service, [port]) ?? [];
      return ports.has(0) ? service : (onlyPorts(service, [...ports]) ?? []);
    }),
  );
}

/** Each namespace has one service of a host; where the client must not see that one, another of the same namespace is no help. */
function bestOf(services: readonly MeshService[], namespace: string): MeshService | undefined {
  const own = ownService(services, namespace);
  if (own !== undefined) return own;
  const seen = services.filter(
    (service) => isVisible(service.exportTo, service.namespace, namespace) && ownService(services, service.namespace) === service,
  );
  return kubernetesFirst(seen);
}

/** Of those of one host, the namespace's own: one of Kubernetes, else the oldest. */
export function ownService(services: readonly MeshService[], namespace: string): MeshService | undefined {
  return kubernetesFirst(services.filter((service) => service.namespace === namespace));
}

function kubernetesFirst(services: readonly MeshService[]): MeshService | undefined {
  return services.find(({ registry }) => registry === 'Kubernetes') ?? services[0];
}
