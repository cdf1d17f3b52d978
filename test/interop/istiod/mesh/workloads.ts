import type { RecordedNode } from '../istiod-process.ts';
import type { Document } from './document.ts';
import type { Random } from './random.ts';
import { ACCOUNTS, NAMED_PORTS, NETWORK_LABEL, PLACES, ROOT, type ServiceName, VERSIONS } from './world.ts';

export interface Pod {
  readonly name: string;
  readonly namespace: string;
  readonly app: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly account: string;
  readonly ip: string;
  readonly place: (typeof PLACES)[number];
  readonly ready: boolean;
  /** Its named ports are those of a native sidecar. */
  readonly nativeSidecar?: boolean;
}

/** One to three pods for each app, of one or two versions. Few are not ready or without a sidecar. */
export function podsOf(random: Random, apps: readonly ServiceName[]): Pod[] {
  const pods: Pod[] = [];
  for (const { name, namespace } of apps) {
    for (let left = random.int(1, 3); left > 0; left--) {
      const version = random.pick(VERSIONS);
      pods.push({
        name: `${name}-${version}-7f8d9-p${pods.length}`,
        namespace,
        app: name,
        version,
        labels: {
          app: name,
          version,
          'pod-template-hash': '7f8d9',
          ...random.maybe(0.85, () => ({ 'security.istio.io/tlsMode': 'istio' })),
          'service.istio.io/canonical-name': name,
          'service.istio.io/canonical-revision': version,
        },
        account: random.pick(ACCOUNTS),
        ip: `10.0.0.${pods.length + 10}`,
        place: random.pick(PLACES),
        ready: random.chance(0.9),
        nativeSidecar: pods.length % 5 === 4,
      });
    }
  }
  return pods;
}

export function podDocument({ name, namespace, app, version, labels, account, ip, place, ready, nativeSidecar = false }: Pod): Document {
  const named = { ports: NAMED_PORTS.map((port) => ({ ...port, protocol: 'TCP' })) };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels,
      generateName: `${app}-${version}-7f8d9-`,
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-${version}-7f8d9`, uid: `u-${app}`, controller: true }],
    },
    spec: {
      serviceAccountName: account,
      nodeName: place.node,
      containers: [{ name: 'app', image: 'app', ...(nativeSidecar ? { ports: [{ containerPort: 8090, protocol: 'TCP' }] } : named) }],
      ...(!nativeSidecar ? {} : { initContainers: [{ name: 'near', image: 'near', restartPolicy: 'Always', ...named }] }),
    },
    status: {
      podIP: ip,
      podIPs: [{ ip }],
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

export type Dialect = 'sidecar' | 'router' | 'grpc';

/** The node of a pod, as its agent describes it; a gRPC node also says which listeners it wants. */
export function nodeOf(pod: Pod, dialect: Dialect, listeners: readonly string[] = []): RecordedNode {
  const { name, namespace, app, version, labels, account, ip, place } = pod;
  return {
    Name: `${dialect}-${name}`,
    ID: `${dialect === 'router' ? 'router' : 'sidecar'}~${ip}~${name}.${namespace}~${namespace}.svc.cluster.local`,
    Metadata: {
      NAME: name,
      NAMESPACE: namespace,
      CLUSTER_ID: 'Kubernetes',
      LABELS: labels,
      INSTANCE_IPS: ip,
      SERVICE_ACCOUNT: account,
      WORKLOAD_NAME: `${app}-${version}`,
      OWNER: `kubernetes://apis/apps/v1/namespaces/${namespace}/deployments/${app}-${version}`,
      ISTIO_VERSION: '1.32.0',
      MESH_ID: 'cluster.local',
      NODE_NAME: place.node,
      ...(labels[NETWORK_LABEL] === undefined ? {} : { NETWORK: labels[NETWORK_LABEL] }),
      ...(dialect === 'grpc' ? { GENERATOR: 'grpc', 'x-listeners': listeners } : {}),
    },
    Locality: { Region: place.region, Zone: place.zone, SubZone: place.subZone },
  };
}

/** The gateway of the mesh: a pod that the Gateways' selector takes, and its Service. */
export const GATEWAY_POD: Pod = {
  name: 'istio-ingressgateway-5c-gw0',
  namespace: ROOT,
  app: 'istio-ingressgateway',
  version: 'latest',
  labels: {
    app: 'istio-ingressgateway',
    istio: 'ingressgateway',
    // Of the Gateway API's Gateway, where there is one.
    'gateway.networking.k8s.io/gateway-name': 'edge-api',
    'security.istio.io/tlsMode': 'istio',
    'service.istio.io/canonical-name': 'istio-ingressgateway',
    'service.istio.io/canonical-revision': 'latest',
  },
  account: 'istio-ingressgateway',
  ip: '10.0.0.2',
  place: PLACES[0]!,
  ready: true,
};

const GATEWAY_PORTS = [
  { name: 'http2', port: 80, targetPort: 8080 },
  { name: 'https', port: 443, targetPort: 8443 },
  { name: 'tcp', port: 6000, targetPort: 6000 },
  { name: 'http-alt', port: 8081, targetPort: 8081 },
];

export function gatewayDocuments(): Document[] {
  const metadata = { name: 'istio-ingressgateway', namespace: ROOT, creationTimestamp: '2026-01-01T00:00:00Z' };
  return [
    podDocument(GATEWAY_POD),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        type: 'ClusterIP',
        clusterIP: '10.96.1.1',
        clusterIPs: ['10.96.1.1'],
        selector: { istio: 'ingressgateway' },
        ports: GATEWAY_PORTS.map((port) => ({ ...port, protocol: 'TCP' })),
      },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'istio-ingressgateway-s1', namespace: ROOT, labels: { 'kubernetes.io/service-name': 'istio-ingressgateway' } },
      addressType: 'IPv4',
      ports: GATEWAY_PORTS.map(({ name, targetPort }) => ({ name, protocol: 'TCP', port: targetPort })),
      endpoints: [
        {
          addresses: [GATEWAY_POD.ip],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: GATEWAY_POD.place.node,
          zone: GATEWAY_POD.place.zone,
          targetRef: { kind: 'Pod', name: GATEWAY_POD.name, namespace: ROOT },
        },
      ],
    },
  ];
}
