import { connectionPool, locality, outlierDetection } from './destination-rules.ts';
import { extensionProviders, LOGGERS, requestProviders, TRACERS } from './providers.ts';
import { proxyConfig } from './proxy-config.ts';
import type { Random } from './random.ts';
import { fqdn, ROOT, type World } from './world.ts';

type Json = Record<string, unknown>;

/** A bare MeshConfig: mostly Istio's defaults, some fields that reach what nodes are sent. */
export function meshConfig(world: World): Json {
  const { random, wide } = world;
  const requests = ofRequests(random);
  if (!wide) return { ...requests, extensionProviders: requestProviders(random) };
  return {
    ...requests,
    ...identity(random),
    ...outbound(world),
    ...telemetry(world),
    ...defaults(random),
    ...random.maybe(0.12, () => ({ discoverySelectors: discoverySelectors(random) })),
    ...random.maybe(0.3, () => ({ defaultConfig: proxyConfig(random) })),
  };
}

function ofRequests(random: Random): Json {
  return {
    ...random.maybe(0.15, () => ({ trustDomain: 'corp.example' })),
    ...random.maybe(0.2, () => ({ trustDomainAliases: ['old-td'] })),
    ...random.maybe(0.15, () => ({ enableAutoMtls: false })),
    ...random.maybe(0.3, () => ({ outboundTrafficPolicy: { mode: random.pick(['ALLOW_ANY', 'REGISTRY_ONLY']) } })),
    ...random.maybe(0.2, () => ({ connectTimeout: random.pick(['1s', '5s']) })),
    ...random.maybe(0.2, () => ({ localityLbSetting: locality(random) })),
    ...random.maybe(0.2, () => ({
      defaultHttpRetryPolicy: { attempts: random.pick([0, 1, 3]), ...random.maybe(0.5, () => ({ retryOn: '5xx,503' })) },
    })),
    ...random.maybe(0.2, () => ({
      pathNormalization: { normalization: random.pick(['DEFAULT', 'NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES']) },
    })),
    ...random.maybe(0.1, () => ({ accessLogFile: '/dev/stdout' })),
    ...random.maybe(0.1, () => ({ defaultConfig: { gatewayTopology: { numTrustedProxies: 2 } } })),
  };
}

/** Hosts that nobody owns are looked up. */
function dynamicDns(random: Random): Json {
  const tls = random.pick<Json>([
    { mode: 'DISABLE' },
    { mode: 'SIMPLE' },
    { mode: 'SIMPLE', sni: 'a.example', subjectAltNames: ['b.example'] },
    { mode: 'SIMPLE', insecureSkipVerify: true },
    { mode: 'ISTIO_MUTUAL' },
  ]);
  return { mode: 'ALLOW_ANY_DYNAMIC_DNS', ...random.maybe(0.4, () => ({ tls })) };
}

function identity(random: Random): Json {
  return {
    ...random.maybe(0.1, () => ({ verifyCertificateAtClient: random.chance(0.5) })),
    ...random.maybe(0.1, () => ({
      meshMTLS: {
        minProtocolVersion: random.pick(['TLSV1_2', 'TLSV1_3', 'TLS_AUTO']),
        ...random.maybe(0.3, () => ({ cipherSuites: ['AES128-SHA'] })),
      },
    })),
    ...random.maybe(0.1, () => ({
      tlsDefaults: {
        ...random.maybe(0.5, () => ({ minProtocolVersion: random.pick(['TLSV1_2', 'TLSV1_3']) })),
        ...random.maybe(0.5, () => ({ cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256'] })),
        ...random.maybe(0.3, () => ({ ecdhCurves: ['X25519', 'P-256'] })),
      },
    })),
  };
}

/** Of connections and requests on their way out. */
function outbound({ random, services }: World): Json {
  return {
    ...random.maybe(0.15, () => ({ outboundTrafficPolicy: dynamicDns(random) })),
    ...random.maybe(0.1, () => ({ protocolDetectionTimeout: random.pick(['100ms', '0s', '5s']) })),
    ...random.maybe(0.1, () => ({ tcpKeepalive: random.pick<Json>([{ time: '60s' }, { probes: 3, time: '10s', interval: '5s' }, {}]) })),
    ...random.maybe(0.1, () => ({ h2UpgradePolicy: random.pick(['UPGRADE', 'DO_NOT_UPGRADE']) })),
    ...random.maybe(0.1, () => ({ dnsRefreshRate: random.pick(['5s', '300s']) })),
    ...random.maybe(0.1, () => ({
      serviceSettings: [
        { settings: { clusterLocal: random.chance(0.7) }, hosts: [random.pick([fqdn(random.pick(services)), '*.shop.svc.cluster.local'])] },
      ],
    })),
  };
}

function telemetry(world: World): Json {
  const { random } = world;
  return {
    ...random.maybe(0.1, () => ({ enableTracing: random.chance(0.5) })),
    ...random.maybe(0.15, () => ({
      accessLogFile: '/dev/stdout',
      ...random.maybe(0.5, () => ({ accessLogFormat: random.pick(['%PROTOCOL%', '{"status":"%RESPONSE_CODE%"}']) })),
      ...random.maybe(0.5, () => ({ accessLogEncoding: random.pick(['TEXT', 'JSON']) })),
    })),
    ...random.maybe(0.05, () => ({ disableEnvoyListenerLog: true })),
    ...random.maybe(0.7, () => ({ extensionProviders: extensionProviders(world) })),
    ...random.maybe(0.3, () => ({
      defaultProviders: {
        ...random.maybe(0.5, () => ({ accessLogging: random.some(LOGGERS, 1, 2) })),
        ...random.maybe(0.5, () => ({ tracing: [random.pick(TRACERS)] })),
        ...random.maybe(0.5, () => ({ metrics: ['prometheus'] })),
      },
    })),
  };
}

/** Namespaces that the mesh knows of; mostly the root namespace is one. */
function discoverySelectors(random: Random): Json[] {
  const root = { matchLabels: { 'kubernetes.io/metadata.name': ROOT } };
  const drawn = random.some<Json>(
    [
      { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } },
      { matchLabels: { mesh: 'on' } },
      { matchLabels: { mesh: 'on', 'kubernetes.io/metadata.name': 'web' } },
      { matchExpressions: [{ key: 'mesh', operator: 'Exists' }] },
      { matchExpressions: [{ key: 'mesh', operator: 'DoesNotExist' }] },
      { matchExpressions: [{ key: 'mesh', operator: 'In', values: ['on', 'off'] }] },
      { matchExpressions: [{ key: 'mesh', operator: 'NotIn', values: ['off'] }], matchLabels: { 'kubernetes.io/metadata.name': 'web' } },
    ],
    1,
    2,
  );
  return random.chance(0.85) ? [root, ...drawn] : drawn;
}

/** Of documents that leave something out. */
function defaults(random: Random): Json {
  const names = (): string[] => random.pick([['.'], ['*'], ['shop'], ['.', ROOT], ['web']]);
  return {
    ...random.maybe(0.1, () => ({ defaultServiceExportTo: random.chance(0.1) ? ['~'] : names() })),
    ...random.maybe(0.1, () => ({ defaultVirtualServiceExportTo: names() })),
    ...random.maybe(0.1, () => ({ defaultDestinationRuleExportTo: names() })),
    ...random.maybe(0.1, () => ({
      defaultTrafficPolicy: {
        ...random.maybe(0.7, () => ({ connectionPool: { tcp: { maxConnections: 7 }, ...connectionPool(random) } })),
        ...random.maybe(0.5, () => ({ outlierDetection: { interval: '7s', ...outlierDetection(random) } })),
      },
    })),
  };
}
