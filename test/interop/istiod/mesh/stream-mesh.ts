import { type Document, NETWORKING, SECURITY } from './document.ts';
import { Random } from './random.ts';
import type { Mesh } from './random-mesh.ts';
import { nodeDocuments } from './services.ts';
import { GATEWAY_POD, gatewayDocuments, nodeOf, podDocument, podsOf } from './workloads.ts';
import { metadataOf, NAMESPACES, ROOT } from './world.ts';

type Json = Record<string, unknown>;

const GATEWAY_API = 'gateway.networking.k8s.io/v1';
const APPS = [
  { name: 'db', namespace: 'shop' },
  { name: 'cart', namespace: 'web' },
] as const;
const PORTS = [
  { name: 'tcp', port: 6000, protocol: 'TCP', targetPort: 6000 },
  { name: 'tls', port: 8443, protocol: 'TCP', targetPort: 8443 },
  { name: 'mongo', port: 27_017, protocol: 'TCP', targetPort: 27_017 },
];
const NAMES = ['a.example.com', 'b.example.com', '*.example.com', '*.shop.example.com', '*'];
const GATEWAY = `${ROOT}/edge`;
const BACKENDS = APPS.flatMap(({ name, namespace }) => [6000, 8443].map((port) => ({ name, namespace, port })));

/** A mesh of bytes: servers of TCP and TLS, tcp and tls routes, TCPRoutes and TLSRoutes, and what rules and policies say of them. */
export function streamMesh(seed: number): Mesh {
  const random = new Random(seed);
  const pods = podsOf(random, APPS);
  const kubernetes = random.chance(0.4);
  const documents: Document[] = [
    ...NAMESPACES.map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    })),
    ...nodeDocuments(),
    ...gatewayDocuments(),
    ...pods.map(podDocument),
    ...APPS.map((app, index) => serviceOf(app, index)),
    ...(kubernetes ? [kubernetesGateway(random), ...random.several(1, 3, (index) => kubernetesRoute(random, index))] : [gateway(random)]),
    ...random.several(kubernetes ? 0 : 1, 3, (index) => virtualService(random, index)),
    ...random.several(0, 2, (index) => destinationRule(random, index)),
    ...random.several(0, 2, (index) => policy(random, index)),
  ];
  const [first, second] = random.some(pods, 2, 2);
  const nodes = [nodeOf(GATEWAY_POD, 'router'), ...[first, second].flatMap((pod) => (pod === undefined ? [] : [nodeOf(pod, 'sidecar')]))];
  return { documents, config: random.maybe(0.3, () => ({ accessLogFile: '/dev/stdout' })), nodes };
}

function serviceOf({ name, namespace }: (typeof APPS)[number], index: number): Document {
  const clusterIP = `10.96.0.${index + 1}`;
  const spec = { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], selector: { app: name }, ports: PORTS };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace, creationTimestamp: '2026-01-01T00:00:00Z' }, spec };
}

function gateway(random: Random): Document {
  const servers = random.several(1, 4, (index) => server(random, index));
  return {
    apiVersion: NETWORKING,
    kind: 'Gateway',
    metadata: metadataOf(random, 'edge', ROOT),
    spec: { selector: { istio: 'ingressgateway' }, servers },
  };
}

function server(random: Random, index: number): Json {
  const hosts = random.some(NAMES, 1, 2);
  if (random.chance(0.35))
    return { port: { number: random.pick([9000, 9001]), name: `tcp-${index}`, protocol: random.pick(['TCP', 'TCP', 'MONGO']) }, hosts };
  const tls = random.pick<Json>([
    { mode: 'PASSTHROUGH' },
    { mode: 'PASSTHROUGH' },
    { mode: 'SIMPLE', credentialName: 'shop-cert' },
    { mode: 'MUTUAL', credentialName: 'shop-cert' },
    { mode: 'OPTIONAL_MUTUAL', credentialName: 'shop-cert' },
    { mode: 'ISTIO_MUTUAL' },
  ]);
  return {
    port: { number: random.pick([443, 8443]), name: `tls-${index}`, protocol: random.pick(['TLS', 'TLS', 'TLS', 'HTTPS', 'TCP']) },
    hosts,
    tls,
  };
}

function virtualService(random: Random, index: number): Document {
  const gateways = random.pick([[GATEWAY], [GATEWAY], ['mesh'], ['mesh', GATEWAY]]);
  const own = random.pick(BACKENDS);
  const hosts = gateways.includes('mesh') ? [`${own.name}.${own.namespace}.svc.cluster.local`] : random.some(NAMES, 1, 2);
  const sniHosts = hosts.includes('*') ? random.some(NAMES, 1, 2) : hosts;
  const port = random.maybe(0.6, () => ({ port: random.pick(gateways.includes('mesh') ? [6000, 8443] : [443, 8443, 9000, 9001]) }));
  const tls = random.several(0, 2, () => ({ match: [{ sniHosts, ...port }], route: destinations(random) }));
  const tcp = random.several(tls.length === 0 ? 1 : 0, 2, () => ({
    ...random.maybe(0.6, () => ({ match: [{ port: 9000, ...port }] })),
    route: destinations(random),
  }));
  return {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: metadataOf(random, `vs-${index}`, random.pick(['shop', 'web', ROOT])),
    spec: { hosts, gateways, ...(tls.length === 0 ? {} : { tls }), ...(tcp.length === 0 ? {} : { tcp }) },
  };
}

function destinations(random: Random): Json[] {
  const chosen = random.some(BACKENDS, 1, 2);
  return chosen.map(({ name, namespace, port }, index) => ({
    destination: {
      host: `${name}.${namespace}.svc.cluster.local`,
      port: { number: port },
      ...random.maybe(0.2, () => ({ subset: 'v1' })),
    },
    ...(chosen.length === 1 ? {} : { weight: index === 0 ? 70 : 30 }),
  }));
}

function destinationRule(random: Random, index: number): Document {
  const { name, namespace } = random.pick(APPS);
  const tcp = {
    ...random.maybe(0.5, () => ({ maxConnections: 10 })),
    ...random.maybe(0.4, () => ({ idleTimeout: '30s' })),
    ...random.maybe(0.4, () => ({ maxConnectionDuration: '1h' })),
    ...random.maybe(0.3, () => ({ connectTimeout: '2s' })),
  };
  const trafficPolicy = {
    ...(Object.keys(tcp).length === 0 ? {} : { connectionPool: { tcp } }),
    ...random.maybe(0.3, () => ({ loadBalancer: { consistentHash: { useSourceIp: true } } })),
    ...random.maybe(0.3, () => ({ tls: { mode: random.pick(['ISTIO_MUTUAL', 'DISABLE', 'SIMPLE']) } })),
  };
  return {
    apiVersion: NETWORKING,
    kind: 'DestinationRule',
    metadata: metadataOf(random, `dr-${index}`, namespace),
    spec: {
      host: `${name}.${namespace}.svc.cluster.local`,
      ...(Object.keys(trafficPolicy).length === 0 ? {} : { trafficPolicy }),
      subsets: [{ name: 'v1', labels: { version: 'v1' } }],
    },
  };
}

function policy(random: Random, index: number): Document {
  const rule = {
    ...random.maybe(0.5, () => ({
      from: [
        {
          source: random.pick<Json>([
            { principals: ['cluster.local/ns/web/sa/cart'] },
            { ipBlocks: ['10.1.0.0/16'] },
            { namespaces: ['web'] },
          ]),
        },
      ],
    })),
    ...random.maybe(0.5, () => ({ to: [{ operation: random.pick<Json>([{ ports: ['6000'] }, { ports: ['9000'] }, { paths: ['/a'] }]) }] })),
    ...random.maybe(0.4, () => ({ when: [{ key: 'connection.sni', values: ['*.example.com'] }] })),
  };
  return {
    apiVersion: SECURITY,
    kind: 'AuthorizationPolicy',
    metadata: metadataOf(random, `policy-${index}`, random.pick([ROOT, 'shop', 'web'])),
    spec: { action: random.pick(['ALLOW', 'DENY', 'AUDIT']), rules: [rule] },
  };
}

function kubernetesGateway(random: Random): Document {
  const listeners = [
    ...(random.chance(0.8) ? [{ name: 'tcp', port: 9000, protocol: 'TCP' }] : []),
    ...(random.chance(0.8)
      ? [
          {
            name: 'tls',
            port: 443,
            protocol: 'TLS',
            ...random.maybe(0.5, () => ({ hostname: random.pick(['*.example.com', 'a.example.com']) })),
            tls: { mode: 'Passthrough' },
          },
        ]
      : []),
    { name: 'tcp-2', port: 9001, protocol: 'TCP' },
  ].map((listener) => ({ ...listener, allowedRoutes: { namespaces: { from: random.pick(['All', 'All', 'Same']) } } }));
  return {
    apiVersion: GATEWAY_API,
    kind: 'Gateway',
    metadata: metadataOf(random, 'edge', ROOT),
    spec: {
      gatewayClassName: 'istio',
      addresses: [{ type: 'Hostname', value: `istio-ingressgateway.${ROOT}.svc.cluster.local` }],
      listeners,
    },
  };
}

function kubernetesRoute(random: Random, index: number): Document {
  const namespace = random.pick(['shop', 'web', ROOT]);
  const own = random.pick(APPS);
  const parent = random.chance(0.75)
    ? {
        name: 'edge',
        namespace: ROOT,
        ...random.maybe(0.4, () => ({ sectionName: random.pick(['tcp', 'tls', 'tcp-2']) })),
        ...random.maybe(0.2, () => ({ port: 9000 })),
      }
    : {
        group: '',
        kind: 'Service',
        name: own.name,
        namespace: own.namespace,
        ...random.maybe(0.5, () => ({ port: random.pick([6000, 8443]) })),
      };
  const backendRefs = random.some(BACKENDS, 1, 2).map(({ name, namespace: of, port }) => ({
    name,
    namespace: of,
    port,
    ...random.maybe(0.4, () => ({ weight: random.pick([0, 1, 5]) })),
  }));
  return {
    apiVersion: GATEWAY_API,
    kind: 'TLSRoute',
    metadata: metadataOf(random, `route-${index}`, namespace),
    spec: {
      parentRefs: [parent],
      hostnames: random.some(NAMES.slice(0, 4), 1, 2),
      rules: [{ backendRefs }],
    },
  };
}
