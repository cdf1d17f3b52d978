import type { ProxyNode } from '../model/proxy-node.ts';
import { isHttp } from '../push/protocol.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService } from '../push/service.ts';
import { type ServiceTarget, serviceTargets } from '../translate/inbound-ports.ts';

/** What istiod counts of a push (PushContext.ProxyStatus): what cannot be as the documents have it, for the clients that are there. */
export interface PushStatus {
  /** Workloads that no service selects (`pilot_no_ip`). */
  readonly withoutService: number;
  /** Ports of workloads for which two services name different protocols; the older one decides. */
  readonly inboundConflicts: number;
  /** Addresses and ports at which two TCP services are called; the older one is. */
  readonly tcpConflicts: number;
}

export function pushStatus(push: PushContext, nodes: readonly ProxyNode[]): PushStatus {
  const inbound = new Set<string>();
  const tcp = new Set<string>();
  let withoutService = 0;
  const scopes = new Set<unknown>();
  for (const node of nodes) {
    if (node.dialect !== 'sidecar') continue;
    const targets = serviceTargets(node, push);
    if (targets.length === 0) withoutService++;
    for (const port of conflicting(targets)) inbound.add(`${node.ipAddresses[0]}_${port}`);
    const scope = push.scopeFor(node);
    if (scopes.has(scope)) continue;
    scopes.add(scope);
    for (const place of sharedPlaces(scope.services)) tcp.add(place);
  }
  return { withoutService, inboundConflicts: inbound.size, tcpConflicts: tcp.size };
}

/** Istio: reportInboundConflict. */
function conflicting(targets: readonly ServiceTarget[]): Set<number> {
  const first = new Map<number, ServiceTarget>();
  const found = new Set<number>();
  for (const target of targets) {
    const known = first.get(target.targetPort);
    if (known === undefined) first.set(target.targetPort, target);
    else if (known.service.hostname !== target.service.hostname && known.port.protocol !== target.port.protocol)
      found.add(target.targetPort);
  }
  return found;
}

/** TCP services without an address of their own are told apart by nothing but their port; headless ones by their endpoints. */
function sharedPlaces(services: readonly MeshService[]): Set<string> {
  const owner = new Map<string, MeshService>();
  const found = new Set<string>();
  for (const service of services) {
    if (service.headless || service.resolution === 'ALIAS') continue;
    const addresses = service.addresses.length === 0 ? ['0.0.0.0'] : service.addresses;
    for (const { port, protocol } of service.ports) {
      if (isHttp(protocol) || protocol === 'Auto' || protocol === 'HTTPS' || protocol === 'TLS') continue;
      for (const address of addresses) {
        const place = `${address}_${port}`;
        const known = owner.get(place);
        if (known === undefined) owner.set(place, service);
        else if (known.hostname !== service.hostname) found.add(place);
      }
    }
  }
  return found;
}
