import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { patchedListeners } from './envoy-filter/listeners.ts';
import { gatewayListeners } from './gateway-listeners.ts';
import { inboundListeners } from './inbound-listener.ts';
import { outboundListeners } from './outbound-listeners.ts';
import type { Part, XdsResource } from './resource.ts';

/** LDS of a node: what it calls, then what it serves. */
export function listenerParts(node: ProxyNode, push: PushContext): Part[] {
  const patched = (listeners: readonly XdsResource[], context: Parameters<typeof patchedListeners>[2]): readonly XdsResource[] => {
    const patches = push.patchesFor(node);
    return patches === undefined ? listeners : patchedListeners(listeners, patches, context);
  };
  if (node.dialect === 'router') return [() => patched(gatewayListeners(node, push), 'GATEWAY')];
  return [
    () => patched(withoutServed(outboundListeners(node, push), node, push), 'SIDECAR_OUTBOUND'),
    () => patched(inboundListeners(node, push), 'SIDECAR_INBOUND'),
  ];
}

/**
 * A Sidecar may serve by itself where a listener to others is (`captureMode: NONE` at 0.0.0.0 and the port of a service). istiod sends both
 * under one name, and an Envoy refuses them with all others; what the Sidecar names comes first.
 */
function withoutServed(listeners: readonly XdsResource[], node: ProxyNode, push: PushContext): readonly XdsResource[] {
  const { ingress = [] } = push.scopeFor(node).sidecar?.spec ?? {};
  if (ingress.length === 0) return listeners;
  const served = new Set(inboundListeners(node, push).map(({ name }) => name));
  return listeners.filter(({ name }) => !served.has(name));
}
