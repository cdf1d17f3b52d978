import { isIP } from 'node:net';
import type { MeshObject, ServiceSpec } from '@ripstop/istio-api';
import type { KubernetesGatewaySpec } from '../gateway-api/gateway-types.ts';
import { DEFAULT_GATEWAY_PORT, GATEWAY_PORT_LABEL, leadsByName } from '../gateway-api/server-tls.ts';
import type { ServiceEndpoint } from './endpoints.ts';
import { NETWORK_LABEL } from './locality-policy.ts';

/** Where calls into another network go: an address of a gateway with AUTO_PASSTHROUGH. */
export interface NetworkGateway {
  readonly network: string;
  readonly clusterId: string;
  readonly address: string;
  readonly port: number;
}

interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] };
}

interface NetworkSources {
  /** Of kind Service. */
  readonly services: readonly MeshObject<ServiceSpec>[];
  /** Of the Gateway API. */
  readonly gateways: readonly MeshObject<KubernetesGatewaySpec>[];
  /** The one that Istio runs in; its label says which network this cluster is in. */
  readonly rootNamespace: MeshObject | undefined;
}

/**
 * The networks of a mesh and the gateways between them, as labels say: of Services, of Gateways of the Gateway API, of the root
 * namespace (istiod: NetworkManager). Without a gateway there is one network, whatever workloads are called.
 */
export class Networks {
  private readonly byNetwork: ReadonlyMap<string, readonly NetworkGateway[]>;
  private readonly ownNetwork: string;
  /** Weights of endpoints are multiplied by it, so that they can be split among any number of gateways. */
  readonly scale: number;

  constructor({ services, gateways, rootNamespace }: NetworkSources) {
    const found = [...services.flatMap(gatewaysOfService), ...gateways.flatMap(gatewaysOfGateway)];
    const unique = new Map(found.map((gateway) => [Object.values(gateway).join(' '), gateway]));
    this.byNetwork = Map.groupBy([...unique.values()].sort(byAddress), ({ network }) => network);
    this.ownNetwork = rootNamespace?.metadata.labels[NETWORK_LABEL] ?? '';
    this.scale = [...this.byNetwork.values()].map(({ length }) => length).reduce(leastCommonMultiple, 1);
  }

  /** There are gateways, so it matters who is where. */
  get several(): boolean {
    return this.byNetwork.size > 0;
  }

  /** '' = of any. */
  networkOf({ network, labels }: Pick<ServiceEndpoint, 'network' | 'labels'>): string {
    return network ?? labels[NETWORK_LABEL] ?? this.ownNetwork;
  }

  /** Those of the endpoint's own cluster when there are some. */
  gatewaysTo(network: string, clusterId: string): readonly NetworkGateway[] {
    const all = this.byNetwork.get(network) ?? [];
    const near = all.filter((gateway) => gateway.clusterId === clusterId);
    return near.length > 0 ? near : all;
  }
}

/** All documents are of one cluster. */
const CLUSTER = 'Kubernetes';

function gatewaysOfService({ metadata, spec, rest }: MeshObject<ServiceSpec>): NetworkGateway[] {
  const network = metadata.labels[NETWORK_LABEL] ?? '';
  const port = Number(metadata.labels[GATEWAY_PORT_LABEL] ?? DEFAULT_GATEWAY_PORT);
  if (network === '' || !(spec.ports ?? []).some((entry) => entry.port === port)) return [];
  const { loadBalancer } = (rest.status ?? {}) as ServiceStatus;
  const balanced = spec.type === 'LoadBalancer' ? (loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []) : [];
  return [...balanced, ...(spec.externalIPs ?? [])].flatMap((address) => gatewayAt(network, address, port));
}

function gatewaysOfGateway({ metadata, spec }: MeshObject<KubernetesGatewaySpec>): NetworkGateway[] {
  const network = metadata.labels[NETWORK_LABEL] ?? '';
  if (network === '') return [];
  const ports = (spec.listeners ?? []).flatMap(({ tls, port }) =>
    tls !== undefined && leadsByName(tls, port, metadata.labels) ? [port] : [],
  );
  return (spec.addresses ?? [])
    .filter(({ type }) => type === 'IPAddress')
    .flatMap(({ value = '' }) => ports.flatMap((port) => gatewayAt(network, value, port)));
}

function gatewayAt(network: string, address: string, port: number): NetworkGateway[] {
  return isIP(address) === 0 ? [] : [{ network, clusterId: CLUSTER, address, port }];
}

function byAddress(a: NetworkGateway, b: NetworkGateway): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port;
}

function leastCommonMultiple(a: number, b: number): number {
  let [high, low] = [a, b];
  while (low !== 0) [high, low] = [low, high % low];
  return (a * b) / high;
}
