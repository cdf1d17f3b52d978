import type { GatewaySpec, MeshObject } from '@ripstop/istio-api';
import type { ProxyNode } from '../model/proxy-node.ts';
import { type MeshService, selects } from '../push/service.ts';
import { GATEWAY_MANAGED, GATEWAY_SERVICE } from './gateways.ts';

/** Carried by the workloads of a Gateway that names no Service of its own. */
const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name';

/**
 * Whether a node runs a Gateway. One that was written for Istio selects labels; one of the Gateway API names Services of its own
 * namespace; when it names none, workloads with its name as label run it too (Istio: mergeGateways). `services`: those of the node.
 */
export function runs(
  node: Pick<ProxyNode, 'namespace' | 'labels'>,
  { metadata, spec }: MeshObject<GatewaySpec>,
  services: readonly Pick<MeshService, 'hostname' | 'namespace'>[],
): boolean {
  const hosts = metadata.annotations[GATEWAY_SERVICE];
  if (hosts === undefined) return selects(spec.selector, node.labels);
  if (node.namespace !== metadata.namespace) return false;
  const [gateway] = metadata.name.split('~');
  if (metadata.annotations[GATEWAY_MANAGED] !== undefined && node.labels[GATEWAY_NAME_LABEL] === gateway) return true;
  return named(hosts, metadata.namespace, services).length > 0;
}

/**
 * Those of a node's Services that a Gateway of the Gateway API is reached by. Undefined for Istio's own Gateways, and for a workload that
 * only its label makes run one: no Service says then where a port is listened on.
 */
export function servicesOfGateway<S extends Pick<MeshService, 'hostname' | 'namespace'>>(
  { metadata }: MeshObject<GatewaySpec>,
  services: readonly S[],
): readonly S[] | undefined {
  const hosts = metadata.annotations[GATEWAY_SERVICE];
  if (hosts === undefined) return undefined;
  const own = named(hosts, metadata.namespace, services);
  return own.length === 0 ? undefined : own;
}

function named<S extends Pick<MeshService, 'hostname' | 'namespace'>>(hosts: string, namespace: string, services: readonly S[]): S[] {
  const wanted = hosts.split(',');
  return services.filter((service) => service.namespace === namespace && wanted.includes(service.hostname));
}

/** Names of the Gateways of the Gateway API that a workload runs: those that its label names, and those of its Services. */
export function kubernetesGateways(
  node: Pick<ProxyNode, 'namespace' | 'labels'>,
  gateways: readonly MeshObject<GatewaySpec>[],
  services: readonly Pick<MeshService, 'hostname' | 'namespace'>[],
): ReadonlySet<string> {
  const own = gateways.filter((gateway) => gateway.metadata.annotations[GATEWAY_SERVICE] !== undefined && runs(node, gateway, services));
  const label = node.labels[GATEWAY_NAME_LABEL];
  return new Set([...own.map(({ metadata }) => metadata.name.split('~')[0]!), ...(label === undefined ? [] : [label])]);
}
