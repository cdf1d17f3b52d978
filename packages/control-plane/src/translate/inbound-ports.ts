import type { ProxyNode } from '../model/proxy-node.ts';
import type { Protocol } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';

/** A port that this node serves because a Service says so. */
export interface InboundPort {
  /** Number on the workload. */
  readonly targetPort: number;
  /** Number on the (first) service. */
  readonly port: number;
  readonly protocol: Protocol;
  readonly services: readonly MeshService[];
}

/** Workload ports by number. When several services name one port, the oldest decides about its protocol (istiod's rule). */
export function inboundPorts(node: ProxyNode, push: PushContext): InboundPort[] {
  const ports = new Map<number, InboundPort>();
  for (const service of push.servicesOfWorkload(node.namespace, node.labels)) {
    for (const port of service.ports) {
      const targetPort = typeof port.targetPort === 'number' ? port.targetPort : namedPort(node, push, port.targetPort);
      if (targetPort === undefined) continue;
      const known = ports.get(targetPort);
      if (known === undefined) ports.set(targetPort, { targetPort, port: port.port, protocol: port.protocol, services: [service] });
      else if (!known.services.includes(service)) ports.set(targetPort, { ...known, services: [...known.services, service] });
    }
  }
  return [...ports.values()].sort((a, b) => a.targetPort - b.targetPort);
}

function namedPort(node: ProxyNode, push: PushContext, name: string): number | undefined {
  return push.instance(`${node.name}.${node.namespace}`)?.ports.find((port) => port.name === name)?.workloadPort;
}
