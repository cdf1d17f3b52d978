import type { Document } from './document.ts';
import type { Random } from './random.ts';
import { customTags } from './telemetries.ts';
import { metadataOf, NAMESPACES, type World } from './world.ts';

type Json = Record<string, unknown>;

/** What a proxy is started with: it says nothing to nodes that ask. */
export function proxyConfigDocument({ random }: World, index: number): Document {
  return {
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'ProxyConfig',
    metadata: metadataOf(random, `pc-${index}`, random.pick(NAMESPACES)),
    spec: {
      ...random.maybe(0.5, () => ({ selector: { matchLabels: { app: 'cart' } } })),
      concurrency: random.pick([0, 2]),
      ...random.maybe(0.5, () => ({ environmentVariables: { POD_NAME: 'one' } })),
      ...random.maybe(0.3, () => ({ image: { imageType: 'distroless' } })),
    },
  };
}

const FORWARDING = ['SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY', 'UNDEFINED'];

/** A ProxyConfig: defaultConfig of MeshConfig, an annotation's, a node's own. */
export function proxyConfig(random: Random): Json {
  return {
    ...random.maybe(0.4, () => ({ gatewayTopology: gatewayTopology(random) })),
    ...random.maybe(0.4, () => ({ tracing: tracing(random) })),
    ...random.maybe(0.5, () => ({ proxyHeaders: proxyHeaders(random) })),
    ...random.maybe(0.4, () => ({ connectionSettings: connectionSettings(random) })),
    ...random.maybe(0.2, () => ({ concurrency: 2, drainDuration: '30s' })),
    ...random.maybe(0.1, () => ({ proxyStatsMatcher: { inclusionPrefixes: ['cluster'] } })),
  };
}

function gatewayTopology(random: Random): Json {
  return {
    ...random.maybe(0.7, () => ({ numTrustedProxies: random.pick([1, 2]) })),
    ...random.maybe(0.5, () => ({ forwardClientCertDetails: random.pick(FORWARDING) })),
  };
}

function connectionSettings(random: Random): Json {
  const all: readonly Json[] = [
    { listenerPerConnectionBufferLimitBytes: 65_536 },
    { httpIdleTimeout: random.pick(['30s', '0s', '1m30s']) },
    { httpMaxConnectionDuration: '10m' },
    { httpMaxStreamDuration: '90s' },
    { httpStreamIdleTimeout: '20s' },
    { httpRequestTimeout: '15s' },
    { httpRequestHeadersTimeout: '5s' },
    { httpDrainTimeout: '3s' },
    { httpMaxConcurrentStreams: random.pick([1, 100]) },
    { http2InitialStreamWindowSize: 131_072 },
    { http2InitialConnectionWindowSize: 1_048_576 },
    {
      httpHeadersWithUnderscoresAction: random.pick([
        'HEADERS_WITH_UNDERSCORES_UNSPECIFIED',
        'HEADERS_WITH_UNDERSCORES_ALLOW',
        'HEADERS_WITH_UNDERSCORES_REJECT_REQUEST',
        'HEADERS_WITH_UNDERSCORES_DROP_HEADER',
      ]),
    },
    { httpMergeSlashes: random.chance(0.5) },
    {
      httpPathWithEscapedSlashesAction: random.pick([
        'PATH_WITH_ESCAPED_SLASHES_UNSPECIFIED',
        'KEEP_UNCHANGED',
        'REJECT_REQUEST',
        'UNESCAPE_AND_REDIRECT',
        'UNESCAPE_AND_FORWARD',
      ]),
    },
  ];
  return Object.assign(
    {},
    random.maybe(0.6, () => ({ profile: random.pick(['EDGE', 'EDGE', 'SIDECAR']) })),
    ...random.some(all, 0, 4),
  );
}

function tracing(random: Random): Json {
  return {
    ...random.maybe(0.6, () => ({ sampling: random.pick([0, 0.5, 50, 100]) })),
    ...random.maybe(0.4, () => ({ customTags: customTags(random) })),
    ...random.maybe(0.3, () => ({ maxPathTagLength: 128 })),
    ...random.maybe(0.3, () => ({ enableIstioTags: random.chance(0.3) })),
  };
}

function proxyHeaders(random: Random): Json {
  const off = (): Json => ({ disabled: random.chance(0.7) });
  return {
    ...random.maybe(0.3, () => ({ forwardedClientCert: random.pick(FORWARDING) })),
    ...random.maybe(0.3, () => ({
      setCurrentClientCertDetails: Object.fromEntries(
        random.some(['subject', 'cert', 'chain', 'dns', 'uri'], 1, 3).map((name) => [name, random.chance(0.7)]),
      ),
    })),
    ...random.maybe(0.3, () => ({ requestId: off() })),
    ...random.maybe(0.3, () => ({
      server: random.pick<Json>([{ disabled: true }, { value: 'mine' }, { disabled: false, value: 'mine' }]),
    })),
    ...random.maybe(0.3, () => ({ attemptCount: off() })),
    ...random.maybe(0.3, () => ({ envoyDebugHeaders: off() })),
  };
}
