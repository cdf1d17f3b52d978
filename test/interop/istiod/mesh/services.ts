import type { Document } from './document.ts';
import type { Random } from './random.ts';
import type { Pod } from './workloads.ts';
import { NAMED_PORTS, PLACES, type ServiceName, type World } from './world.ts';

interface Port {
  readonly name: string;
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: string;
  readonly appProtocol?: string;
}

/** Every way to say a protocol; two ports of one number, two with one target, one whose target is a name. */
const PORTS: readonly Port[] = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'http-web', port: 80, targetPort: 'web' },
  { name: 'http-admin', port: 8080, targetPort: 8080 },
  { name: 'http2', port: 8000, targetPort: 8000 },
  { name: 'grpc', port: 9000, targetPort: 9000 },
  { name: 'grpc-web', port: 9001, targetPort: 9001 },
  { name: 'tcp', port: 6000, targetPort: 6000 },
  { name: 'https', port: 443, targetPort: 8443 },
  { name: 'tls', port: 8443, targetPort: 8443 },
  { name: 'api', port: 9090, targetPort: 9090 },
  { name: 'plain', port: 80, targetPort: 8081 },
  { name: 'mysql', port: 3306, targetPort: 3306 },
  { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
  { name: 'x', port: 7000, appProtocol: 'kubernetes.io/h2c', targetPort: 7000 },
  { name: 'y', port: 7001, appProtocol: 'http', targetPort: 7001 },
  { name: 'http-z', port: 7002, appProtocol: 'tcp', targetPort: 7002 },
  { name: 'same', port: 8081, targetPort: 8081 },
];

/** A Service and what Kubernetes makes of it: an EndpointSlice of the pods that its selector takes. */
export function serviceDocuments(world: World, service: ServiceName, index: number, pods: readonly Pod[]): Document[] {
  const { random } = world;
  const { name, namespace } = service;
  const metadata = {
    name,
    namespace,
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...annotations(random, index),
  };
  if (random.chance(0.06))
    return [
      externalName(
        random,
        metadata,
        world.services.filter((other) => other !== service),
      ),
    ];
  const ports = portsOf(random);
  const selector = { app: name, ...random.maybe(0.15, () => ({ version: 'v1' })) };
  const headless = random.chance(0.12);
  const publish = random.chance(0.06);
  const spec = {
    type: 'ClusterIP',
    clusterIP: headless ? 'None' : `10.96.0.${index + 1}`,
    clusterIPs: [headless ? 'None' : `10.96.0.${index + 1}`],
    selector,
    ports: ports.map(({ protocol = 'TCP', ...port }) => ({ ...port, protocol })),
    ...random.maybe(0.06, () => ({ internalTrafficPolicy: 'Local' })),
    ...random.maybe(0.08, () => ({ trafficDistribution: random.pick(['PreferClose', 'PreferSameZone', 'PreferSameNode']) })),
    ...(publish ? { publishNotReadyAddresses: true } : {}),
    ...random.maybe(0.08, () => ({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } })),
  };
  const taken = pods.filter((pod) => pod.namespace === namespace && pod.app === name && (!('version' in selector) || pod.version === 'v1'));
  return [{ apiVersion: 'v1', kind: 'Service', metadata, spec }, sliceOf(service, ports, taken, publish)];
}

/** `index`: by it services name accounts. */
function annotations(random: Random, index: number): Pick<Document['metadata'], 'annotations'> {
  const found: Record<string, string> = {};
  if (random.chance(0.1)) found['networking.istio.io/exportTo'] = random.pick(['.', '*', '~', 'web', '.,web']);
  if (index === 2) found['alpha.istio.io/kubernetes-serviceaccounts'] = 'cart, db';
  if (index === 3) found['alpha.istio.io/canonical-serviceaccounts'] = 'spiffe://other/ns/a/sa/b,a.example';
  return Object.keys(found).length === 0 ? {} : { annotations: found };
}

function portsOf(random: Random): Port[] {
  const ports: Port[] = [];
  for (const port of random.some(PORTS, 1, 4)) if (!ports.some((other) => other.port === port.port)) ports.push(port);
  return ports;
}

function externalName(random: Random, metadata: Document['metadata'], others: readonly ServiceName[]): Document {
  const target = others.length > 0 && random.chance(0.7) ? random.pick(others) : undefined;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: {
      type: 'ExternalName',
      externalName: target === undefined ? 'www.example.com' : `${target.name}.${target.namespace}.svc.cluster.local`,
      ...random.maybe(0.6, () => ({ ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }] })),
    },
  };
}

function sliceOf({ name, namespace }: ServiceName, ports: readonly Port[], pods: readonly Pod[], publish: boolean): Document {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${name}-s1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: ports.map((port) => ({ name: port.name, protocol: port.protocol ?? 'TCP', port: numberOf(port) })),
    endpoints: pods.map((pod) => ({
      addresses: [pod.ip],
      conditions: { ready: publish || pod.ready, serving: pod.ready, terminating: false },
      nodeName: pod.place.node,
      zone: pod.place.zone,
      targetRef: { kind: 'Pod', name: pod.name, namespace },
    })),
  };
}

function numberOf({ port, targetPort = port }: Port): number {
  if (typeof targetPort === 'number') return targetPort;
  return NAMED_PORTS.find(({ name }) => name === targetPort)?.containerPort ?? port;
}

export function nodeDocuments(): Document[] {
  return PLACES.map(({ node, region, zone, subZone }) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node,
      labels: {
        'kubernetes.io/hostname': node,
        'topology.kubernetes.io/region': region,
        'topology.kubernetes.io/zone': zone,
        ...(subZone === '' ? {} : { 'topology.istio.io/subzone': subZone }),
      },
    },
  }));
}
