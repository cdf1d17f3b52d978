import type { GatewayServer, GatewaySpec, MeshObject } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import type { PushContext } from '../push/push-context.ts';
import { selects } from '../push/service.ts';

/** One plain-HTTP server of a Gateway that this node is to run. */
export interface GatewayHttpServer {
  readonly gateway: MeshObject<GatewaySpec>;
  readonly server: GatewayServer;
  readonly index: number;
  /** Where the process listens: the target port of its own Service for the server's port. */
  readonly targetPort: number;
}

/** HTTP protocols that a gateway serves without TLS. */
const PLAIN: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTP_PROXY']);

/** The servers of every Gateway that selects this node. Those with TLS are not opened (docs/reference/supported-fields.md). */
export function gatewayServers(node: ProxyNode, push: PushContext): GatewayHttpServer[] {
  const servers: GatewayHttpServer[] = [];
  for (const gateway of push.gateways) {
    if (!selects(gateway.spec.selector, node.labels)) continue;
    for (const [index, server] of (gateway.spec.servers ?? []).entries()) {
      if (!PLAIN.has(server.port.protocol.toUpperCase())) continue;
      servers.push({ gateway, server, index, targetPort: targetPortOf(node, push, server.port.number) });
    }
  }
  return servers;
}

function targetPortOf(node: ProxyNode, push: PushContext, port: number): number {
  for (const service of push.servicesOfWorkload(node.namespace, node.labels)) {
    const found = service.ports.find((entry) => entry.port === port);
    if (typeof found?.targetPort === 'number') return found.targetPort;
  }
  return port;
}
