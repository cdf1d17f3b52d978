import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../../model/proxy-node.ts';
import type { PushContext } from '../../push/push-context.ts';
import type { XdsResource } from '../resource.ts';
import { grpcClusters } from './clusters.ts';
import { grpcEndpoints } from './endpoints.ts';
import { grpcListeners } from './listeners.ts';
import type { GrpcNote, TakeNote } from './notes.ts';
import { grpcRoutes } from './routes.ts';

/**
 * The resources of one type for a proxyless gRPC node (metadata GENERATOR=grpc), by the names that its client asks for: what istiod's
 * grpcgen sends, in fields that the library behind the node takes. An unknown type has no resources.
 */
export function translateGrpc(
  typeUrl: string,
  node: ProxyNode,
  push: PushContext,
  names: readonly string[],
  note?: TakeNote,
): XdsResource[] {
  switch (typeUrl) {
    case LISTENER_TYPE_URL:
      return grpcListeners(node, push, names, note);
    case ROUTE_TYPE_URL:
      return grpcRoutes(node, push, names, note);
    case CLUSTER_TYPE_URL:
      return grpcClusters(node, push, names, note);
    case ENDPOINT_TYPE_URL:
      return grpcEndpoints(node, push, names);
    default:
      return [];
  }
}

/** What of the YAML the client does not do, or does otherwise, in the resources of these names. */
export function grpcNotes(typeUrl: string, node: ProxyNode, push: PushContext, names: readonly string[]): GrpcNote[] {
  const notes = new Map<string, GrpcNote>();
  translateGrpc(typeUrl, node, push, names, (resource, text) => notes.set(`${resource} ${text}`, { resource, text }));
  return [...notes.values()];
}
