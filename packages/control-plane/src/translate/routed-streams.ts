import type { RouteDestination } from '@ripstop/istio-api';
import { packAny, TypedStruct, typeUrlOf } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import type { ProxySettings } from '../push/proxy-settings.ts';
import type { PushContext } from '../push/push-context.ts';
import { type MeshServicePort, resolveHost } from '../push/service.ts';
import type { VirtualService } from '../push/virtual-services.ts';
import type { AccessLogFields } from './access-logs.ts';
import { clusterOf } from './route-destination.ts';
import { type ConnectionLimits, type NetworkFilterFields, tcpProxy } from './tcp-proxy.ts';

/** Where a route of bytes stands: at a service's port, or at a gateway's server. */
export interface StreamPlace {
  readonly node: ProxyNode;
  readonly push: PushContext;
  readonly accessLogs: readonly AccessLogFields[];
  readonly listenPort: number;
  /** `<namespace>/<name>`; '' = none. */
  readonly gateway: string;
  readonly protocol: MeshServicePort['protocol'];
}

/** The filters of a tls or tcp route (Istio: buildOutboundNetworkFilters). */
export function routedFilters(place: StreamPlace, rule: VirtualService, route: readonly RouteDestination[]): NetworkFilterFields[] {
  const { node, push, protocol, accessLogs } = place;
  const targets = route.map(({ destination, weight = 0 }) => {
    // Hosts of the Gateway API are whole already, or lead to nobody on purpose.
    const host = rule.gatewayApi ? destination.host : resolveHost(destination.host, rule.namespace, push.mesh.domain);
    // Without a port: the service's only one, else the listener's.
    const cluster = clusterOf({ ...destination, host }, place);
    return { host, weight, subset: destination.subset, cluster };
  });
  const [first] = targets;
  if (first === undefined) return [];
  const service = push.scopeFor(node).byHost.get(first.host);
  const governing =
    service === undefined ? undefined : push.destinationRules.find(service.hostname, service.namespace, node.namespace, node.labels);
  const limits = limitsOf(governing, targets.length === 1 ? first.subset : undefined, push.proxySettings(node));
  if (targets.length === 1) return stacked(protocol, first.cluster, tcpProxy(first.cluster, accessLogs, { limits }));
  const statPrefix = `${rule.name}.${rule.namespace}`;
  const weighted = targets.filter(({ weight }) => weight > 0).map(({ cluster, weight }) => ({ name: cluster, weight }));
  return stacked(protocol, statPrefix, tcpProxy(weighted, accessLogs, { statPrefix, limits }));
}

/** What a rule says about connections as such (its general policy counts, not that of a port), and a proxy where the rule does not. */
export function limitsOf(
  rule: MergedDestinationRule | undefined,
  subsetName: string | undefined,
  { idleTimeout }: Pick<ProxySettings, 'idleTimeout'>,
): ConnectionLimits {
  const { connectionPool, loadBalancer } = rule?.trafficPolicy ?? {};
  const subset = rule?.subsets.find(({ name }) => name === subsetName)?.trafficPolicy?.loadBalancer;
  return {
    idleTimeout: connectionPool?.tcp?.idleTimeout ?? idleTimeout,
    maxConnectionDuration: connectionPool?.tcp?.maxConnectionDuration,
    hashesSource: (subset ?? loadBalancer)?.consistentHash?.useSourceIp === true,
  };
}

/** What stands before the proxy for the sake of a protocol. */
export function stacked(protocol: MeshServicePort['protocol'], statPrefix: string, proxy: NetworkFilterFields): NetworkFilterFields[] {
  return protocol === 'Mongo' ? [mongoProxy(statPrefix), proxy] : [proxy];
}

/** Counts what passes; its message is not among the generated ones. */
function mongoProxy(statPrefix: string): NetworkFilterFields {
  const value = { typeUrl: typeUrlOf('envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy'), value: { stat_prefix: statPrefix } };
  return { name: 'envoy.filters.network.mongo_proxy', configType: { $case: 'typedConfig', value: packAny(TypedStruct, value) } };
}
