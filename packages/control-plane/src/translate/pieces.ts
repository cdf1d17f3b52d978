import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { plainClusters, serviceClusters } from './clusters.ts';
import { buildEndpoints } from './endpoints.ts';
import { inboundListeners } from './inbound-listener.ts';
import { outboundListeners, partsOfListeners } from './outbound-listeners.ts';
import { buildRoutes, partsOfTable } from './routes.ts';

/** Makes one after the other what `translate` finds made afterwards, as far as clients share it. */
export function* pieces(typeUrl: string, node: ProxyNode, push: PushContext, names: Iterable<string>): Generator<void> {
  // What is in scope may have to be found out, and the first resource takes longest.
  push.scopeFor(node);
  yield;
  if (typeUrl === CLUSTER_TYPE_URL) {
    for (const service of push.scopeFor(node).services) {
      serviceClusters(service, node, push);
      yield;
    }
    plainClusters(node, push);
    yield;
  } else if (typeUrl === LISTENER_TYPE_URL) {
    yield* partsOfListeners(node, push);
    outboundListeners(node, push);
    yield;
    inboundListeners(node, push);
    yield;
  } else {
    for (const name of names) {
      if (typeUrl === ROUTE_TYPE_URL) yield* partsOfTable(node, push, name);
      (typeUrl === ROUTE_TYPE_URL ? buildRoutes : buildEndpoints)(node, push, [name]);
      yield;
    }
  }
}
