import { type Document, NETWORKING } from './document.ts';
import type { Random } from './random.ts';
import { duration, fqdn, PORT_NUMBERS, ROOT, type World } from './world.ts';

type Json = Record<string, unknown>;

export const LOGGERS: readonly string[] = ['envoy', 'file-text', 'file-json', 'otel-log', 'http-log', 'tcp-log', 'nobody'];
export const TRACERS: readonly string[] = ['otel', 'zipkin', 'datadog', 'skywalking', 'nobody'];
export const AUTHORIZERS: readonly string[] = ['authz-http', 'authz-grpc'];

/** extensionProviders of MeshConfig: whom policies and Telemetry name. */
export function extensionProviders(world: World): Json[] {
  const { random } = world;
  const collector = (): Json => ({ service: serviceOf(world), port: random.pick(PORT_NUMBERS) });
  return [
    {
      name: 'file-text',
      envoyFileAccessLog: { path: '/dev/stdout', ...random.maybe(0.5, () => ({ logFormat: { text: '%PROTOCOL%\n' } })) },
    },
    {
      name: 'file-json',
      envoyFileAccessLog: {
        path: '/dev/stderr',
        logFormat: { labels: { status: '%RESPONSE_CODE%', fixed: 1 } },
        ...random.maybe(0.3, () => ({ omitEmptyValues: true })),
      },
    },
    {
      name: 'otel-log',
      envoyOtelAls: { ...collector(), ...random.maybe(0.5, () => ({ logName: 'mine', logFormat: otelFormat(random) })) },
    },
    {
      name: 'http-log',
      envoyHttpAls: {
        ...collector(),
        ...random.maybe(0.5, () => ({ additionalRequestHeadersToLog: ['x-a'], filterStateObjectsToLog: ['s'] })),
      },
    },
    { name: 'tcp-log', envoyTcpAls: { ...collector(), ...random.maybe(0.5, () => ({ logName: 'mine' })) } },
    { name: 'otel', opentelemetry: { ...collector(), ...random.maybe(0.3, () => ({ maxTagLength: 99 })) } },
    { name: 'zipkin', zipkin: { ...collector(), ...random.maybe(0.3, () => ({ path: '/spans', enable64bitTraceId: true })) } },
    { name: 'datadog', datadog: { ...collector(), ...random.maybe(0.3, () => ({ maxTagLength: 99 })) } },
    { name: 'skywalking', skywalking: collector() },
    { name: 'authz-http', envoyExtAuthzHttp: { ...collector(), ...common(random), ...httpOnly(random) } },
    { name: 'authz-grpc', envoyExtAuthzGrpc: { ...collector(), ...common(random) } },
  ];
}

const AUTHORIZER = 'authz.example.com';

/** The same of a mesh of HTTP alone: only authorizers, behind {@link authorizerEntry}, which see the header that tells requests apart. */
export function requestProviders(random: Random): Json[] {
  const seen = ['x-probe', ...random.some(['x-user', 'cookie', 'x-t*', '*-id'], 0, 2)];
  const check = (port: number): Json => ({ service: AUTHORIZER, port, ...common(random), timeout: '10s' });
  return [
    { name: 'authz-http', envoyExtAuthzHttp: { ...check(9001), ...httpOnly(random), includeRequestHeadersInCheck: seen } },
    { name: 'authz-grpc', envoyExtAuthzGrpc: check(9002) },
  ];
}

/** Who answers {@link requestProviders}. */
export function authorizerEntry(): Document {
  return {
    apiVersion: NETWORKING,
    kind: 'ServiceEntry',
    metadata: { name: 'authorizer', namespace: ROOT, creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      hosts: [AUTHORIZER],
      ports: [
        { number: 9001, name: 'http', protocol: 'HTTP' },
        { number: 9002, name: 'grpc', protocol: 'GRPC' },
      ],
      resolution: 'STATIC',
      endpoints: [{ address: '10.2.0.77' }],
    },
  };
}

function otelFormat(random: Random): Json {
  return random.pick<Json>([{ text: '%PROTOCOL%' }, { labels: { b: '%PROTOCOL%', a: 'one' } }, { text: 'x', labels: { a: 'one' } }]);
}

/** Of the mesh or of nobody. No service that may be an ExternalName: istiod names clusters of those, and sends none. */
function serviceOf({ random }: World): string {
  const gateway = fqdn({ name: 'istio-ingressgateway', namespace: ROOT });
  return random.pick([gateway, `${ROOT}/${gateway}`, `shop/${gateway}`, 'api.example.com', 'nobody.example.org']);
}

function common(random: Random): Json {
  return {
    ...random.maybe(0.4, () => ({ timeout: duration(random) })),
    ...random.maybe(0.4, () => ({ failOpen: random.chance(0.5) })),
    ...random.maybe(0.3, () => ({ statusOnError: random.pick(['503', '401']) })),
    ...random.maybe(0.3, () => ({
      includeRequestBodyInCheck: { maxRequestBytes: 1024, ...random.maybe(0.5, () => ({ allowPartialMessage: true, packAsBytes: true })) },
    })),
    ...random.maybe(0.2, () => ({ clearRouteCache: random.chance(0.5) })),
  };
}

function httpOnly(random: Random): Json {
  return {
    ...random.maybe(0.4, () => ({ pathPrefix: '/check' })),
    ...random.maybe(0.4, () => ({ includeRequestHeadersInCheck: random.some(['x-token', 'cookie', 'x-*', '*-id'], 1, 2) })),
    ...random.maybe(0.2, () => ({ includeHeadersInCheck: ['x-old'] })),
    ...random.maybe(0.3, () => ({ includeAdditionalHeadersInCheck: { 'x-b': '%REQ(x-b)%', 'x-a': 'one' } })),
    ...random.maybe(0.3, () => ({ headersToUpstreamOnAllow: random.some(['x-user', 'x-*'], 1, 2) })),
    ...random.maybe(0.3, () => ({ headersToDownstreamOnDeny: ['set-cookie', 'x-why*'] })),
    ...random.maybe(0.3, () => ({ headersToDownstreamOnAllow: ['x-seen'] })),
  };
}
