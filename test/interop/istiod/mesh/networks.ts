import type { Document } from './document.ts';
import type { Random } from './random.ts';
import type { Pod } from './workloads.ts';
import { metadataOf, NETWORK_LABEL, ROOT } from './world.ts';

type Json = Record<string, unknown>;

const NETWORKS = ['n1', 'n2'];

/** Pods of which most say in which of two networks they are. */
export function spread(random: Random, pods: readonly Pod[]): Pod[] {
  return pods.map((pod) => (random.chance(0.15) ? pod : { ...pod, labels: { ...pod.labels, [NETWORK_LABEL]: random.pick(NETWORKS) } }));
}

/** What leads from one network into the other: Services and a Gateway of the Gateway API; some of them lack what it takes. */
export function networkGateways(random: Random): Document[] {
  const services = random.several(1, 2, (index) => gatewayService(random, index));
  return random.chance(0.3) ? [...services, kubernetesGateway(random)] : services;
}

function gatewayService(random: Random, index: number): Document {
  const port = random.chance(0.2) ? 15_444 : 15_443;
  const clusterIP = `10.96.2.${index + 1}`;
  const ingress = random.some(['20.0.0.1', '20.0.0.2', '20.0.0.3'], 1, 2).map((ip) => ({ ip }));
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: `eastwest-${index}`,
      namespace: ROOT,
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: {
        [NETWORK_LABEL]: random.pick(NETWORKS),
        ...(port === 15_443 ? {} : random.maybe(0.7, () => ({ 'networking.istio.io/gatewayPort': String(port) }))),
      },
    },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: 'tls', port, protocol: 'TCP', targetPort: port }],
      ...(random.chance(0.7) ? { type: 'LoadBalancer' } : { type: 'ClusterIP', externalIPs: ['20.0.1.1'] }),
    },
    status: { loadBalancer: { ingress } },
  };
}

function kubernetesGateway(random: Random): Document {
  const tls: Json = { mode: 'Passthrough', options: { 'gateway.istio.io/listener-protocol': 'auto-passthrough' } };
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { ...metadataOf(random, 'far', ROOT), labels: { [NETWORK_LABEL]: random.pick(NETWORKS) } },
    spec: {
      gatewayClassName: 'istio-remote',
      addresses: [{ type: 'IPAddress', value: '20.0.2.1' }],
      listeners: [{ name: 'cross', port: 15_443, protocol: 'TLS', tls, allowedRoutes: { namespaces: { from: 'Same' } } }],
    },
  };
}
