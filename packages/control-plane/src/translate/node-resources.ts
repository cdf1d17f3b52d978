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
  type RouteConfiguration,
  unpackAny,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import type { GrpcNote } from './grpc/notes.ts';
import { grpcNotes } from './grpc/translate-grpc.ts';
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
  if (node.dialect === 'grpc') return resourcesOfGrpcNode(node, push);
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

/**
 * A gRPC library asks by name: the listeners of its targets and servers (metadata `x-listeners`, a list; absent: every port in scope),
 * the routes that those name, their clusters, the endpoints of those.
 */
function resourcesOfGrpcNode(node: ProxyNode, push: PushContext): NodeResources {
  const asked = node.metadata['x-listeners'];
  const targets = Array.isArray(asked) ? asked.filter((name): name is string => typeof name === 'string') : [];
  const listeners = translate(LISTENER_TYPE_URL, node, push, targets);
  const routes = translate(ROUTE_TYPE_URL, node, push, unique(listeners.flatMap(({ message }) => apiRouteNameOf(message as Listener))));
  const clusterNames = unique(routes.flatMap(({ name, message }) => [name, ...clusterNamesOf(message as RouteConfiguration)]));
  const clusters = translate(CLUSTER_TYPE_URL, node, push, clusterNames);
  const endpointNames = clusters.flatMap(({ message }) => endpointsNameOf(message as Cluster) ?? []);
  return { clusters, endpoints: translate(ENDPOINT_TYPE_URL, node, push, endpointNames), listeners, routes };
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}

function apiRouteNameOf({ apiListener }: Listener): string[] {
  if (!isAny(HttpConnectionManager, apiListener?.apiListener)) return [];
  const { routeSpecifier } = unpackAny(HttpConnectionManager, apiListener.apiListener);
  return routeSpecifier?.$case === 'rds' ? [routeSpecifier.value.routeConfigName] : [];
}

function clusterNamesOf({ virtualHosts }: RouteConfiguration): string[] {
  return virtualHosts
    .flatMap(({ routes }) => routes)
    .flatMap(({ action }) => {
      if (action?.$case !== 'route') return [];
      const { clusterSpecifier: chosen, requestMirrorPolicies } = action.value;
      const mirrors = requestMirrorPolicies.map(({ cluster }) => cluster);
      if (chosen?.$case === 'cluster') return [chosen.value, ...mirrors];
      return chosen?.$case === 'weightedClusters' ? [...chosen.value.clusters.map(({ name }) => name), ...mirrors] : mirrors;
    });
}

/** What a gRPC client does otherwise than configured, in these resources of its; nothing for other nodes. */
export function grpcNotesOfNode(node: ProxyNode, push: PushContext, { clusters, listeners, routes }: NodeResources): GrpcNote[] {
  if (node.dialect !== 'grpc') return [];
  return [listeners, routes, clusters].flatMap((list) => {
    const [first] = list;
    return first === undefined
      ? []
      : grpcNotes(
          first.typeUrl,
          node,
          push,
          list.map(({ name }) => name),
        );
  });
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
