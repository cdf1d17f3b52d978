import { isIP } from 'node:net';
import type { ClusterLoadAssignment, LbEndpoint, LocalityLbEndpoints } from '@ripstop/xds-api';
import type { ProxyNode } from '../../model/proxy-node.ts';
import type { PushContext } from '../../push/push-context.ts';
import { buildEndpoints } from '../endpoints.ts';
import type { XdsResource } from '../resource.ts';
import { destinationOf, originatesTls } from './clusters.ts';

/**
 * EDS as for sidecars, but for what makes a gRPC client refuse it: host names, one address twice, a priority that is left out. Where the
 * client is to originate TLS it has nobody to call.
 */
export function grpcEndpoints(node: ProxyNode, push: PushContext, names: readonly string[]): XdsResource[] {
  return buildEndpoints(node, push, names).map((resource) => {
    const message = resource.message as ClusterLoadAssignment;
    const destination = destinationOf(resource.name, node, push);
    const endpoints = destination !== undefined && originatesTls(destination) ? [] : callable(message.endpoints);
    return endpoints === message.endpoints
      ? resource
      : { typeUrl: resource.typeUrl, name: resource.name, message: { ...message, endpoints } };
  });
}

/** The same list when nothing has to go. */
function callable(localities: LocalityLbEndpoints[]): LocalityLbEndpoints[] {
  const seen = new Set<string>();
  let changed = false;
  const kept = localities.flatMap((locality) => {
    const lbEndpoints = locality.lbEndpoints.filter((endpoint) => {
      const address = addressOf(endpoint);
      const take = address !== undefined && !seen.has(address);
      if (take) seen.add(address);
      return take;
    });
    if (lbEndpoints.length === locality.lbEndpoints.length) return [locality];
    changed = true;
    return lbEndpoints.length === 0 ? [] : [{ ...locality, lbEndpoints }];
  });
  if (!changed) return localities;
  const priorities = [...new Set(kept.map(({ priority }) => priority))].sort((a, b) => a - b);
  return kept.map((locality) => ({ ...locality, priority: priorities.indexOf(locality.priority) }));
}

function addressOf({ hostIdentifier }: LbEndpoint): string | undefined {
  const address = hostIdentifier?.$case === 'endpoint' ? hostIdentifier.value.address?.address : undefined;
  if (address?.$case !== 'socketAddress' || isIP(address.value.address) === 0) return undefined;
  const port = address.value.portSpecifier;
  return `${address.value.address} ${port?.$case === 'portValue' ? port.value : ''}`;
}
