import type { Caller } from '../model/proxy-node.ts';
import type { MergedDestinationRule } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import { outboundCluster } from './names.ts';
import { portBalancer } from './route-destination.ts';
import { hashPolicy, retryPolicy } from './route-policies.ts';
import type { RouteFields } from './route-scope.ts';
import { sourceMetadata, ZERO } from './values.ts';

interface DefaultRouteScope {
  readonly node: Caller;
  readonly push: PushContext;
  /** For calls of the service. */
  readonly rule: MergedDestinationRule | undefined;
}

/** The route of a service that no VirtualService governs. */
export function defaultRoute(service: MeshService, port: number, { node, push, rule }: DefaultRouteScope): RouteFields {
  const ofPort = portBalancer(rule?.trafficPolicy, port);
  const hashes = hashPolicy(ofPort?.consistentHash === undefined ? rule?.trafficPolicy?.loadBalancer : ofPort);
  const retry = retryPolicy(undefined, push.mesh.defaultRetry, false);
  return {
    name: 'default',
    match: { pathSpecifier: { $case: 'prefix', value: '/' } },
    decorator: { operation: `${service.hostname}:${port}/*` },
    ...(node.ripstop ? { metadata: { filterMetadata: { ...sourceMetadata(node, service.object) } } } : {}),
    action: {
      $case: 'route',
      value: {
        clusterSpecifier: { $case: 'cluster', value: outboundCluster(service.hostname, port) },
        timeout: ZERO,
        maxGrpcTimeout: ZERO,
        hashPolicy: hashes,
        ...(retry === undefined ? {} : { retryPolicy: retry }),
      },
    },
  };
}
