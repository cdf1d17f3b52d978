import { LISTENER_TYPE_URL, Listener, TrafficDirection } from '@ripstop/xds-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { connectionManager } from './connection-manager.ts';
import { inboundFilters } from './filter-order.ts';
import { gatewayServers } from './gateway-servers.ts';
import { inboundListener, socketAddress } from './inbound-listener.ts';
import { outboundListeners, rds } from './outbound-listeners.ts';
import { httpRbacFilters } from './rbac/rbac-filters.ts';
import type { XdsResource } from './resource.ts';

/** LDS of a node. */
export function buildListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  if (node.dialect === 'router') return gatewayListeners(node, push);
  return [...outboundListeners(node, push), inboundListener(node, push)];
}

/** One listener per port that Gateways ask this node to open: `0.0.0.0_8080`. */
function gatewayListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  // Policies hold for a gateway as for any workload: strangers are judged before routes are tried.
  const trustDomains = [push.mesh.trustDomain, ...push.mesh.trustDomainAliases];
  const httpFilters = inboundFilters(httpRbacFilters(push.policiesFor(node.namespace, node.labels), trustDomains));
  const ports = [...new Set(gatewayServers(node, push).map(({ targetPort }) => targetPort))].sort((a, b) => a - b);
  return ports.map((port) => {
    const name = `0.0.0.0_${port}`;
    const value = connectionManager({
      statPrefix: `outbound_${name};`,
      node,
      mesh: push.mesh,
      httpFilters,
      routes: rds(`http.${port}`),
      position: 'gateway',
    });
    const message = Listener.fromPartial({
      name,
      address: socketAddress('0.0.0.0', port),
      trafficDirection: TrafficDirection.OUTBOUND,
      maxConnectionsToAcceptPerSocketEvent: 1,
      filterChains: [
        {
          filters: [{ name: 'envoy.filters.network.http_connection_manager', configType: { $case: 'typedConfig', value } }],
          transportSocketConnectTimeout: { seconds: 15, nanos: 0 },
        },
      ],
    });
    return { typeUrl: LISTENER_TYPE_URL, name, message };
  });
}
