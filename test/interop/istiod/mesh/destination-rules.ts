import { type Document, NETWORKING } from './document.ts';
import type { Random } from './random.ts';
import { anyPattern, duration, exportTo, metadataOf, NAMESPACES, PORT_NUMBERS, type World } from './world.ts';

type Json = Record<string, unknown>;

/** DestinationRules of the client's, the service's and the root namespace, for hosts and patterns of hosts. */
export function destinationRules(world: World): Document[] {
  const { random } = world;
  return random.several(1, 5, (index) => {
    const namespace = random.pick(NAMESPACES);
    return {
      apiVersion: NETWORKING,
      kind: 'DestinationRule',
      metadata: metadataOf(random, `dr-${index}`, namespace),
      spec: {
        host: anyPattern(world, namespace),
        ...(world.wide ? clientSelector(random) : {}),
        ...random.maybe(0.7, () => ({ trafficPolicy: trafficPolicy(world) })),
        ...random.maybe(0.6, () => ({ subsets: random.some(['v1', 'v2', 'v3'], 1, 3).map((name) => subset(world, name)) })),
        ...exportTo(random),
      },
    };
  });
}

function clientSelector(random: Random): Json {
  return random.maybe(0.15, () => ({
    workloadSelector: { matchLabels: random.pick<Json>([{ app: 'cart' }, { version: 'v1' }, { istio: 'ingressgateway' }]) },
  }));
}

function subset(world: World, name: string): Json {
  const { random } = world;
  return {
    name,
    labels: random.pick<Json>([{ version: name }, { version: 'v1' }, { app: 'cart', version: name }]),
    ...random.maybe(0.3, () => ({ trafficPolicy: trafficPolicy(world) })),
  };
}

function trafficPolicy(world: World): Json {
  const { random } = world;
  return {
    ...portPolicy(world, 0.45),
    ...random.maybe(0.25, () => ({
      portLevelSettings: random.some(PORT_NUMBERS, 1, 2).map((number) => ({ port: { number }, ...portPolicy(world, 0.5) })),
    })),
  };
}

function portPolicy(world: World, each: number): Json {
  const { random } = world;
  return {
    ...random.maybe(each, () => ({ loadBalancer: loadBalancer(random) })),
    ...random.maybe(each, () => ({ connectionPool: connectionPool(random) })),
    ...random.maybe(each, () => ({ outlierDetection: outlierDetection(random) })),
    ...random.maybe(each, () => ({ tls: tls(world) })),
  };
}

function loadBalancer(random: Random): Json {
  return {
    ...random.pick<() => Json>([
      () => ({ simple: random.pick(['ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'UNSPECIFIED']) }),
      () => ({ consistentHash: consistentHash(random) }),
      () => ({}),
    ])(),
    ...random.maybe(0.35, () => ({ localityLbSetting: locality(random) })),
    ...random.maybe(0.15, () =>
      random.pick<Json>([
        { warmup: { duration: '30s', ...random.maybe(0.5, () => ({ minimumPercent: 20, aggression: 1.5 })) } },
        { warmupDurationSecs: '60s' },
      ]),
    ),
  };
}

function consistentHash(random: Random): Json {
  return {
    ...random.pick<Json>([
      { httpHeaderName: 'x-user' },
      { httpCookie: { name: 'session', ttl: '0s' } },
      { httpCookie: { name: 'session', ttl: '60s', path: '/' } },
      { useSourceIp: true },
      { httpQueryParameterName: 'q' },
    ]),
    ...random.pick<Json>([{}, { ringHash: { minimumRingSize: 512 } }, { maglev: { tableSize: 1009 } }, { minimumRingSize: 2048 }]),
  };
}

export function locality(random: Random): Json {
  return {
    ...random.pick<Json>([
      { failover: [{ from: 'region1', to: 'region2' }] },
      { distribute: [{ from: 'region1/zone1/*', to: { 'region1/zone1/*': 80, 'region1/zone2/*': 20 } }] },
      { distribute: [{ from: 'region1/*', to: { 'region2/*': 100 } }] },
      { failoverPriority: ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'] },
      { failoverPriority: ['version', 'topology.istio.io/network'] },
      { failoverPriority: ['version=v1'] },
      {},
    ]),
    ...random.maybe(0.3, () => ({ enabled: random.chance(0.6) })),
  };
}

export function connectionPool(random: Random): Json {
  return {
    ...random.maybe(0.6, () => ({
      tcp: {
        maxConnections: random.pick([1, 100]),
        ...random.maybe(0.5, () => ({ connectTimeout: duration(random) })),
        ...random.maybe(0.3, () => ({ tcpKeepalive: { time: '7200s', ...random.maybe(0.5, () => ({ interval: '75s', probes: 3 })) } })),
        ...random.maybe(0.3, () => ({ maxConnectionDuration: '600s' })),
        ...random.maybe(0.2, () => ({ idleTimeout: '300s' })),
      },
    })),
    ...random.maybe(0.6, () => ({
      http: {
        http1MaxPendingRequests: 10,
        ...random.maybe(0.4, () => ({ http2MaxRequests: 1000 })),
        ...random.maybe(0.4, () => ({ maxRequestsPerConnection: random.pick([0, 1, 10]) })),
        ...random.maybe(0.4, () => ({ maxRetries: 3 })),
        ...random.maybe(0.4, () => ({ idleTimeout: '30s' })),
        ...random.maybe(0.3, () => ({ h2UpgradePolicy: random.pick(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']) })),
        ...random.maybe(0.15, () => ({ useClientProtocol: true })),
        ...random.maybe(0.2, () => ({ maxConcurrentStreams: 100 })),
      },
    })),
  };
}

export function outlierDetection(random: Random): Json {
  return {
    ...random.maybe(0.6, () => ({ consecutive5xxErrors: random.pick([0, 3, 7]) })),
    ...random.maybe(0.4, () => ({ consecutiveGatewayErrors: random.pick([0, 2]) })),
    ...random.maybe(0.3, () => ({ splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: random.pick([0, 4]) })),
    ...random.maybe(0.5, () => ({ interval: duration(random) })),
    ...random.maybe(0.5, () => ({ baseEjectionTime: duration(random) })),
    ...random.maybe(0.5, () => ({ maxEjectionPercent: random.pick([0, 50, 100]) })),
    ...random.maybe(0.4, () => ({ minHealthPercent: random.pick([0, 30, 50]) })),
  };
}

function tls({ random, wide }: World): Json {
  if (wide && random.chance(0.2)) return credentialTls(random);
  return random.pick<Json>([
    { mode: 'ISTIO_MUTUAL' },
    { mode: 'DISABLE' },
    { mode: 'SIMPLE' },
    { mode: 'SIMPLE', sni: 'api.example.com', caCertificates: '/etc/certs/ca.crt' },
    { mode: 'SIMPLE', subjectAltNames: ['api.example.com'] },
    { mode: 'MUTUAL', clientCertificate: '/etc/certs/tls.crt', privateKey: '/etc/certs/tls.key', caCertificates: '/etc/certs/ca.crt' },
    { mode: 'ISTIO_MUTUAL', subjectAltNames: ['spiffe://cluster.local/ns/web/sa/cart'], sni: 'other.example.com' },
  ]);
}

/** A Secret instead of files; of sidecars only where a rule selects them. */
function credentialTls(random: Random): Json {
  return random.pick<Json>([
    { mode: 'SIMPLE', credentialName: 'client-cert' },
    { mode: 'SIMPLE', credentialName: 'kubernetes://web/client-cert' },
    {
      mode: 'SIMPLE',
      credentialName: random.pick(['configmap://web/roots', 'configmap://shop/roots', 'configmap://roots']),
      sni: 'api.example.com',
    },
    { mode: 'SIMPLE', credentialName: 'client-cert', insecureSkipVerify: true },
    { mode: 'SIMPLE', insecureSkipVerify: true },
    { mode: 'MUTUAL', credentialName: 'client-cert' },
    { mode: 'MUTUAL', credentialName: 'client-cert', subjectAltNames: ['api.example.com'] },
  ]);
}
