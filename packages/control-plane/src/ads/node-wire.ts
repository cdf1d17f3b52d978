import { codecOf } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { resourcesOfNode } from '../translate/node-resources.ts';

/** A resource as a client would receive it. */
export interface WireResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly body: Uint8Array;
}

/** Clusters, endpoints, listeners and routes of a node, encoded; never Secrets. For whoever wants to run a node's configuration elsewhere. */
export function wireResourcesOf(node: ProxyNode, push: PushContext): readonly WireResource[] {
  const { clusters, endpoints, listeners, routes } = resourcesOfNode(node, push);
  return [...clusters, ...endpoints, ...listeners, ...routes].map(({ typeUrl, name, message }) => ({
    typeUrl,
    name,
    body: codecOf(typeUrl)!.encode(message).finish(),
  }));
}
