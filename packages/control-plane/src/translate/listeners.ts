import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { patchedListeners } from './envoy-filter/listeners.ts';
import { gatewayListeners } from './gateway-listeners.ts';
import { inboundListener } from './inbound-listener.ts';
import { outboundListeners } from './outbound-listeners.ts';
import type { XdsResource } from './resource.ts';

/** LDS of a node. */
export function buildListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  const patches = push.patchesFor(node);
  if (node.dialect === 'router') {
    const gateways = gatewayListeners(node, push);
    return patches === undefined ? gateways : patchedListeners(gateways, patches, 'GATEWAY');
  }
  const [outbound, inbound] = [outboundListeners(node, push), [inboundListener(node, push)]];
  if (patches === undefined) return [...outbound, ...inbound];
  return [...patchedListeners(outbound, patches, 'SIDECAR_OUTBOUND'), ...patchedListeners(inbound, patches, 'SIDECAR_INBOUND')];
}
