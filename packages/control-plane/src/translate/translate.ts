import {
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  EXTENSION_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  SECRET_TYPE_URL,
} from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { clusterParts } from './clusters.ts';
import { buildEndpoints } from './endpoints.ts';
import { buildExtensions } from './extensions.ts';
import { translateGrpc } from './grpc/translate-grpc.ts';
import { listenerParts } from './listeners.ts';
import type { Part, XdsResource } from './resource.ts';
import { buildRoutes } from './routes.ts';
import { buildSecrets } from './secrets.ts';

/** In this order a change reaches a client without a gap: what routes point to must be there before them. */
export const PUSH_ORDER: readonly string[] = [
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  EXTENSION_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  SECRET_TYPE_URL,
];

/** Types whose resources are asked for one by one; the others are sent whole. */
export const NAMED_TYPES: ReadonlySet<string> = new Set([ENDPOINT_TYPE_URL, ROUTE_TYPE_URL, SECRET_TYPE_URL, EXTENSION_TYPE_URL]);

/**
 * The resources of one type for one node. Pure: the same node and push context give the same messages. `names` is the
 * subscription for EDS, RDS and SDS and is not looked at for CDS and LDS, but for gRPC nodes, which ask for
 * everything by name. An unknown type has no resources.
 */
export function translate(typeUrl: string, node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  return translateParts(typeUrl, node, push, names).flatMap((part) => part());
}

/** The same, part by part. Which parts there are depends on the node's dialect and the type alone. */
export function translateParts(typeUrl: string, node: ProxyNode, push: PushContext, names: readonly string[]): readonly Part[] {
  if (node.dialect === 'grpc') return [() => translateGrpc(typeUrl, node, push, names)];
  switch (typeUrl) {
    case CLUSTER_TYPE_URL:
      return clusterParts(node, push);
    case LISTENER_TYPE_URL:
      return listenerParts(node, push);
    case ENDPOINT_TYPE_URL:
      return [() => buildEndpoints(node, push, names)];
    case ROUTE_TYPE_URL:
      return [() => buildRoutes(node, push, names)];
    case SECRET_TYPE_URL:
      return [() => buildSecrets(node, push, names)];
    case EXTENSION_TYPE_URL:
      return [() => buildExtensions(node, push, names)];
    default:
      return [];
  }
}
