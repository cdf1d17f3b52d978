import {
  CLUSTER_TYPE_URL,
  type Cluster,
  Cluster_DiscoveryType,
  ENDPOINT_TYPE_URL,
  HttpConnectionManager,
  isAny,
  LISTENER_TYPE_URL,
  type Listener,
  ROUTE_TYPE_URL,
  unpackAny,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { XdsResource } from './resource.ts';
import { translate } from './translate.ts';

/** Everything that a node has in the end. */
export interface NodeResources {
  readonly clusters: readonly XdsResource[];
  readonly endpoints: readonly XdsResource[];
  readonly listeners: readonly XdsResource[];
  readonly routes: readonly XdsResource[];
}

/** The resources of a node that asks as Envoy does: all clusters and listeners, then the endpoints and routes that those name. */
export function resourcesOfNode(node: ProxyNode, push: PushContext): NodeResources {
  const clusters = translate(CLUSTER_TYPE_URL, node, push, []);
  const listeners = translate(LISTENER_TYPE_URL, node, push, []);
  const endpointNames = clusters.flatMap(({ message }) => endpointsNameOf(message as Cluster) ?? []);
  const routeNames = new Set(listeners.flatMap(({ message }) => routeNamesOf(message as Listener)));
  return {
    clusters,
    endpoints: translate(ENDPOINT_TYPE_URL, node, push, endpointNames),
    listeners,
    routes: translate(ROUTE_TYPE_URL, node, push, [...routeNames]),
  };
}

/** The EDS resource of a cluster; undefined when its endpoints come from elsewhere. */
function endpointsNameOf({ name, clusterDiscoveryType, edsClusterConfig }: Cluster): string | undefined {
  if (clusterDiscoveryType?.$case !== 'type' || clusterDiscoveryType.value !== Cluster_DiscoveryType.EDS) return undefined;
  return edsClusterConfig?.serviceName || name;
}

/** The RDS resources that a listener's HTTP connection managers ask for. */
function routeNamesOf({ filterChains, defaultFilterChain }: Listener): string[] {
  return [...filterChains, ...(defaultFilterChain === undefined ? [] : [defaultFilterChain])]
    .flatMap(({ filters }) => filters)
    .flatMap(({ configType }) =>
      configType?.$case === 'typedConfig' && isAny(HttpConnectionManager, configType.value) ? [configType.value] : [],
    )
    .flatMap((any) => {
      const { routeSpecifier } = unpackAny(HttpConnectionManager, any);
      return routeSpecifier?.$case === 'rds' ? [routeSpecifier.value.routeConfigName] : [];
    });
}
