import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, ROUTE_TYPE_URL } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { serviceClusters } from './clusters.ts';
import { buildEndpoints } from './endpoints.ts';
import { buildRoutes } from './routes.ts';

/** Makes one after the other what `translate` finds made afterwards, as far as clients share it. */
export function* pieces(typeUrl: string, node: ProxyNode, push: PushContext, names: Iterable<string>): Generator<void> {
  if (typeUrl === CLUSTER_TYPE_URL) {
    for (const service of push.scopeFor(node).services) {
      serviceClusters(service, node, push);
      yield;
    }
  } else if (typeUrl === ENDPOINT_TYPE_URL || typeUrl === ROUTE_TYPE_URL) {
    const build = typeUrl === ENDPOINT_TYPE_URL ? buildEndpoints : buildRoutes;
    for (const name of names) {
      build(node, push, [name]);
      yield;
    }
  }
}
