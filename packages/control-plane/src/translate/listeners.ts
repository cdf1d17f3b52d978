import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { gatewayListeners } from './gateway-listeners.ts';
import { inboundListener } from './inbound-listener.ts';
import { outboundListeners } from './outbound-listeners.ts';
import type { XdsResource } from './resource.ts';

/** LDS of a node. */
export function buildListeners(node: ProxyNode, push: PushContext): XdsResource[] {
  if (node.dialect === 'router') return gatewayListeners(node, push);
  return [...outboundListeners(node, push), inboundListener(node, push)];
}
