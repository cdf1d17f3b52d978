import { locality } from './destination-rules.ts';
import { extensionProviders, LOGGERS, TRACERS } from './providers.ts';
import type { World } from './world.ts';

/** A bare MeshConfig: mostly Istio's defaults, some fields that reach what nodes are sent. */
export function meshConfig(world: World): Record<string, unknown> {
  const { random } = world;
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
    ...random.maybe(0.7, () => ({ extensionProviders: extensionProviders(world) })),
    ...random.maybe(0.3, () => ({
      defaultProviders: {
        ...random.maybe(0.5, () => ({ accessLogging: random.some(LOGGERS, 1, 2) })),
        ...random.maybe(0.5, () => ({ tracing: [random.pick(TRACERS)] })),
        ...random.maybe(0.5, () => ({ metrics: ['prometheus'] })),
      },
    })),
    ...random.maybe(0.1, () => ({ defaultConfig: { gatewayTopology: { numTrustedProxies: 2 } } })),
  };
}
