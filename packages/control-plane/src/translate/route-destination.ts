import type { Destination, LoadBalancerSettings, TrafficPolicy } from '@ripstop/istio-api';
import { NOWHERE } from '../gateway-api/backends.ts';
import { isVisible, type MeshService } from '../push/service.ts';
import { outboundCluster } from './names.ts';
import type { RouteScope } from './route-scope.ts';

/** `outbound|<port>|<subset>|<host>`; without a port the service's only one, or the port that is listened on. Nobody's name as it is. */
export function clusterOf(destination: Destination, scope: RouteScope): string {
  if (destination.host === NOWHERE.host) return NOWHERE.host;
  return outboundCluster(calledHost(destination.host, scope), destinationPort(destination, scope), destination.subset);
}

/**
 * An ExternalName Service stands for another host; in a sidecar, where its listener has it, on the ports that it names, unless a newer
 * ServiceEntry has the host there (Istio: servicesByName, of which the last one stays).
 */
export function calledHost(host: string, scope: RouteScope): string {
  const { push, node, gateway, listenPort } = scope;
  const service = findService(scope, host);
  if (service?.aliasOf === undefined) return host;
  if (gateway !== 'mesh') return service.aliasOf;
  const { services } = push.scopeFor(node).routed(listenPort);
  const newest = services.findLast(({ hostname, ports }) => hostname === host && ports.some(({ port }) => port === listenPort));
  return newest?.aliasOf ?? host;
}

/** Without a port: the listener's in a sidecar; on a gateway the service's only port, else the server's. */
export function destinationPort({ host, port }: Destination, scope: RouteScope): number {
  const { gateway, listenPort } = scope;
  if (port?.number !== undefined) return port.number;
  if (gateway === 'mesh') return listenPort;
  const { ports = [], udpPorts = [] } = findService(scope, host) ?? {};
  const [only, ...others] = [...ports, ...udpPorts];
  return only !== undefined && others.length === 0 ? only.port : listenPort;
}

/**
 * What a destination is hashed by: a port's entry counts where the destination names the port, a subset before its rule (Istio:
 * HashForHTTPDestination).
 */
export function destinationHash({ host, port, subset: name }: Destination, scope: RouteScope): LoadBalancerSettings | undefined {
  const { push, node } = scope;
  const service = push.scopeFor(node).byHost.get(host);
  if (service === undefined) return undefined;
  const rule = push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const subset = rule?.subsets.find((candidate) => candidate.name === (name ?? ''));
  const number = port?.number;
  const found = [
    number === undefined ? undefined : portBalancer(subset?.trafficPolicy, number),
    subset?.trafficPolicy?.loadBalancer,
    number === undefined ? undefined : portBalancer(rule?.trafficPolicy, number),
    rule?.trafficPolicy?.loadBalancer,
  ];
  return found.find((balancer) => balancer?.consistentHash !== undefined);
}

export function portBalancer(policy: TrafficPolicy | undefined, number: number): LoadBalancerSettings | undefined {
  return policy?.portLevelSettings?.find(({ port }) => port?.number === number)?.loadBalancer;
}

/** On a gateway the rule's own namespace says first which service is called so (Istio: buildNameToServiceMapForHTTPRoutes). */
function findService({ push, node, gateway, ruleNamespace }: RouteScope, host: string): MeshService | undefined {
  const own = gateway === 'mesh' || ruleNamespace === undefined ? undefined : push.serviceIn(ruleNamespace, host);
  if (own !== undefined && isVisible(own.exportTo, own.namespace, node.namespace)) return own;
  return push.scopeFor(node).byHost.get(host);
}
