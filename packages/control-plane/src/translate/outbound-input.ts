import type { Subset } from '@ripstop/istio-api';
import type { Caller } from '../model/proxy-node.ts';
import { type MergedDestinationRule, type Policy, policyFor } from '../push/destination-rules.ts';
import type { PushContext } from '../push/push-context.ts';
import type { MeshService, MeshServicePort } from '../push/service.ts';
import { withMeshDefaults } from './cluster-policy.ts';

/** What a cluster is made of: a port of a service or of a subset of it, and the caller who sees it. */
export interface OutboundInput {
  readonly node: Caller;
  readonly push: PushContext;
  readonly service: MeshService;
  readonly port: MeshServicePort;
  readonly rule: MergedDestinationRule | undefined;
  readonly subset: Subset | undefined;
  /** mTLS connections are handed through to it, as they came (Istio: SniDnatClusterMode). */
  readonly sniRouted?: boolean;
}

/** A gateway does not sniff. */
export function upstreamProtocol({ dialect }: Caller, { protocol }: MeshServicePort): MeshServicePort['protocol'] {
  return dialect === 'router' && protocol === 'Auto' ? 'TCP' : protocol;
}

/** The host that the caller names is dialled. A gateway has no caller's address, so for headless services it takes endpoints. */
export function passesThrough({ node, service, port, rule, subset }: OutboundInput): boolean {
  if (service.resolution === 'NONE' && node.dialect !== 'router') return true;
  // What the service as a whole is, its subsets are too.
  if (policyFor(rule, undefined, port.port).loadBalancer?.simple === 'PASSTHROUGH') return true;
  // A subset that says so is one at all its ports, whatever it says of this one (Istio: buildSubsetCluster).
  if (subset?.trafficPolicy?.loadBalancer?.simple === 'PASSTHROUGH') return true;
  return policyFor(rule, subset, port.port).loadBalancer?.simple === 'PASSTHROUGH';
}

/** What governs the calls of a cluster, MeshConfig's defaults included. */
export function policyOf({ push, port, rule, subset }: OutboundInput): Policy {
  return withMeshDefaults(policyFor(rule, subset, port.port, push.mesh.defaultPolicy), push.mesh, port.protocol);
}
