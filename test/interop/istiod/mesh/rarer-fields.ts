import type { Document } from './document.ts';
import { withSecureListeners } from './gateway-tls.ts';
import type { Random } from './random.ts';
import { fqdn, PORT_NUMBERS, VERSIONS, type World } from './world.ts';

type Json = Record<string, unknown>;
type Change = (spec: Json, world: World) => Json;

const SPKI = 'NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=';
const HASH = 'df6ff72fe9116521268f6f2dd4966f51df479883fe7037b39f75916ac3049d1a';
const MANAGER = 'envoy.filters.network.http_connection_manager';

/** What few documents say: some of those that were drawn say it as well. */
export function withRarerFields(world: World, documents: readonly Document[]): Document[] {
  return documents.flatMap((document) => {
    const kind = `${document.apiVersion.split('/')[0]} ${document.kind}`;
    if (kind === 'gateway.networking.k8s.io Gateway') return world.random.chance(0.6) ? withSecureListeners(document, world) : document;
    const change = CHANGES[kind];
    if (change === undefined || !world.random.chance(0.4)) return document;
    return { ...document, spec: change(document.spec as Json, world) };
  });
}

const CHANGES: Readonly<Record<string, Change>> = {
  'networking.istio.io DestinationRule': destinationRule,
  'networking.istio.io Gateway': gateway,
  'networking.istio.io Sidecar': sidecar,
  'networking.istio.io EnvoyFilter': envoyFilter,
  'security.istio.io AuthorizationPolicy': authorizationPolicy,
  'security.istio.io RequestAuthentication': requestAuthentication,
  'telemetry.istio.io Telemetry': telemetry,
  'gateway.networking.k8s.io HTTPRoute': httpRoute,
  'gateway.networking.k8s.io GRPCRoute': grpcRoute,
};

function destinationRule(spec: Json, { random }: World): Json {
  const { loadBalancer, tls, ...policy } = (spec.trafficPolicy ?? {}) as Json;
  const balancer = loadBalancer as Json | undefined;
  return {
    ...spec,
    trafficPolicy: {
      ...policy,
      ...(tls === undefined ? {} : { tls: { ...(tls as Json), ...random.maybe(0.3, () => ({ caCrl: '/etc/certs/ca.crl' })) } }),
      ...(balancer === undefined ? {} : { loadBalancer: balancer }),
      ...random.maybe(0.3, () => ({ proxyProtocol: { version: random.pick(['V1', 'V2']) } })),
      ...random.maybe(0.4, () => ({
        retryBudget: random.pick<Json>([{ percent: 10 }, { percent: 25.5, minRetryConcurrency: 7 }, { minRetryConcurrency: 1 }, {}]),
      })),
    },
  };
}

/** Several certificates, bundles of others, callers by their keys. */
function gateway(spec: Json, { random }: World): Json {
  return {
    ...spec,
    servers: (spec.servers as Json[]).map((server) => ({ ...server, ...ofServer(server.tls as Json | undefined, random) })),
  };
}

function ofServer(tls: Json | undefined, random: Random): Json {
  // Of a redirect alone nothing else may be said here (docs/reference/stricter.md).
  if (tls?.mode === undefined || tls.mode === 'PASSTHROUGH' || tls.mode === 'AUTO_PASSTHROUGH') return {};
  const { credentialName, serverCertificate, privateKey, ...rest } = tls;
  const callers = {
    ...random.maybe(0.2, () => ({ verifyCertificateSpki: [SPKI] })),
    ...random.maybe(0.2, () => ({ verifyCertificateHash: [HASH] })),
  };
  if (credentialName !== undefined) {
    const certificates = random.pick<Json>([
      { credentialName },
      { credentialNames: ['shop-cert', 'other-cert'] },
      { credentialNames: ['shop-cert'] },
    ]);
    return { tls: { ...rest, ...certificates, ...callers, ...random.maybe(0.3, () => ({ caCertCredentialName: 'client-roots' })) } };
  }
  if (serverCertificate === undefined || !random.chance(0.5)) return { tls: { ...tls, ...callers } };
  const files = [
    { serverCertificate: '/etc/rsa/tls.crt', privateKey: '/etc/rsa/tls.key' },
    { serverCertificate: '/etc/ecdsa/tls.crt', privateKey: '/etc/ecdsa/tls.key' },
  ];
  return { tls: { ...rest, ...callers, tlsCertificates: files } };
}

function sidecar(spec: Json, { random, services }: World): Json {
  const host = fqdn(random.pick(services));
  const egressProxy = {
    host,
    port: { number: random.pick(PORT_NUMBERS) },
    ...random.maybe(0.3, () => ({ subset: random.pick(VERSIONS) })),
  };
  return { ...spec, outboundTrafficPolicy: { mode: 'ALLOW_ANY', ...random.maybe(0.7, () => ({ egressProxy })) } };
}

function envoyFilter(spec: Json, world: World): Json {
  const { configPatches, workloadSelector, ...rest } = spec;
  const { random } = world;
  const more = random.pick([ofChains, ofListenerFilters, ofGatewayRoutes])(random);
  return {
    ...rest,
    ...(random.chance(0.3) ? gatewayTarget(random) : workloadSelector === undefined ? {} : { workloadSelector }),
    configPatches: [...(configPatches as Json[]), more],
  };
}

function ofChains(random: Random): Json {
  const filterChain = random.pick<Json>([
    { name: 'virtualInbound-catchall-http' },
    { name: '0.0.0.0_8080' },
    { sni: 'shop.example.com' },
    { transportProtocol: 'tls' },
    { transportProtocol: 'raw_buffer' },
    { applicationProtocols: 'http/1.1,h2c' },
    { destinationPort: random.pick([8080, 9000, 15_006]) },
    { name: 'default', transportProtocol: 'tls' },
  ]);
  const filter = random.maybe(0.5, () => ({ filter: { name: MANAGER } }));
  const context = random.pick(['ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY']);
  return random.pick<Json>([
    {
      applyTo: 'FILTER_CHAIN',
      match: { context, listener: { filterChain } },
      patch: random.pick<Json>([{ operation: 'MERGE', value: { transport_socket_connect_timeout: '4s' } }, { operation: 'REMOVE' }]),
    },
    {
      applyTo: 'NETWORK_FILTER',
      match: { context, listener: { filterChain: { ...filterChain, ...filter } } },
      patch: {
        operation: random.pick(['INSERT_FIRST', 'INSERT_BEFORE', 'ADD']),
        value: {
          name: 'envoy.filters.network.connection_limit',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit',
            stat_prefix: 'x',
            max_connections: 5,
          },
        },
      },
    },
  ]);
}

function ofListenerFilters(random: Random): Json {
  const inspector = (seconds: number): Json => ({
    name: 'envoy.filters.listener.local_ratelimit',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit',
      stat_prefix: 'x',
      token_bucket: { max_tokens: 1, fill_interval: `${seconds}s` },
    },
  });
  const listenerFilter = random.pick(['envoy.filters.listener.tls_inspector', 'envoy.filters.listener.http_inspector', 'nobody']);
  const operation = random.pick(['INSERT_BEFORE', 'INSERT_AFTER', 'INSERT_FIRST', 'ADD', 'REMOVE', 'REPLACE']);
  return {
    applyTo: 'LISTENER_FILTER',
    match: {
      context: random.pick(['ANY', 'SIDECAR_INBOUND', 'SIDECAR_OUTBOUND', 'GATEWAY']),
      listener: { ...random.maybe(0.3, () => ({ name: 'virtualInbound' })), listenerFilter },
    },
    patch: operation === 'REMOVE' ? { operation } : { operation, value: inspector(3) },
  };
}

function ofGatewayRoutes(random: Random): Json {
  return {
    applyTo: random.pick(['ROUTE_CONFIGURATION', 'VIRTUAL_HOST', 'HTTP_ROUTE']),
    match: {
      context: 'GATEWAY',
      routeConfiguration: random.pick<Json>([
        { gateway: 'istio-system/gw' },
        { portName: 'http-0' },
        { gateway: 'istio-system/edge', portName: 'https-a-0' },
        { portNumber: 443, portName: 'https-a-0', gateway: 'istio-system/gw' },
      ]),
    },
    patch: { operation: 'MERGE', value: { response_headers_to_remove: ['x-z'] } },
  };
}

/** Of the Gateway API: the workload that serves it. */
function gatewayTarget(random: Random): Json {
  const ref = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: random.pick(['edge-api', 'edge-api', 'nobody']) };
  return random.chance(0.5) ? { targetRefs: [ref] } : { targetRefs: [ref, { ...ref, name: 'other' }] };
}

function authorizationPolicy(spec: Json, { random }: World): Json {
  const { selector, rules, ...rest } = spec;
  return {
    ...rest,
    ...(random.chance(0.25) ? gatewayTarget(random) : selector === undefined ? {} : { selector }),
    ...(rules === undefined
      ? {}
      : { rules: (rules as Json[]).map((rule) => ({ ...rule, ...moreSources(rule.from as Json[] | undefined, random) })) }),
  };
}

function moreSources(from: readonly Json[] = [], random: Random): Json {
  const not = (name: string): string => (random.chance(0.3) ? `not${name[0]!.toUpperCase()}${name.slice(1)}` : name);
  const source = random.pick<Json>([
    { [not('serviceAccounts')]: random.some(['cart', 'shop/cart', 'web/reviews', 'default'], 1, 2) },
    { [not('trustDomains')]: random.some(['cluster.local', 'old-td', '*.example', 'corp.*', '*'], 1, 2) },
    { serviceAccounts: ['shop/cart'], ipBlocks: ['10.0.0.0/8'] },
    { trustDomains: ['cluster.local'], namespaces: ['shop'] },
  ]);
  return { from: [...from, { source }] };
}

function requestAuthentication(spec: Json, { random }: World): Json {
  const { selector, jwtRules, ...rest } = spec;
  return {
    ...rest,
    ...(random.chance(0.25) ? gatewayTarget(random) : selector === undefined ? {} : { selector }),
    jwtRules: (jwtRules as Json[]).map((rule) => ({
      ...rule,
      ...random.maybe(0.4, () => ({ spaceDelimitedClaims: random.pick([['scope2'], ['groups', 'roles'], ['scope']]) })),
      ...random.maybe(0.3, () => ({ timeout: '7s' })),
    })),
  };
}

function telemetry(spec: Json, { random }: World): Json {
  const { selector, ...rest } = spec;
  return {
    ...rest,
    ...(random.chance(0.25) ? gatewayTarget(random) : selector === undefined ? {} : { selector }),
    ...random.maybe(0.5, () => ({
      metrics: [
        {
          providers: [{ name: 'prometheus' }],
          overrides: [
            {
              match: { customMetric: random.pick(['own_total', 'istio_requests_total']), ...random.maybe(0.5, () => ({ mode: 'SERVER' })) },
              tagOverrides: { where: { operation: 'UPSERT', value: 'destination.port' } },
            },
          ],
        },
      ],
    })),
  };
}

function httpRoute(spec: Json, world: World): Json {
  const { random } = world;
  const rules = (spec.rules as Json[]).map((rule, index) => {
    const { filters = [] } = rule as { readonly filters?: readonly Json[] };
    const redirects = filters.some(({ type }) => type === 'RequestRedirect');
    return {
      ...rule,
      ...random.maybe(0.3, () => ({ name: `rule-${index}` })),
      ...(filters.length > 0 || random.chance(0.3)
        ? { filters: [...filters.map((filter) => partial(filter, random)), ...(random.chance(0.4) ? [cors(random)] : [])] }
        : {}),
      ...(redirects
        ? {}
        : random.maybe(0.4, () => ({
            retry: random.pick<Json>([
              { attempts: 3 },
              { codes: [500, 503], attempts: 2, backoff: '100ms' },
              { codes: [418] },
              { backoff: '1s' },
            ]),
          }))),
      ...withAnswers(rule, random),
    };
  });
  return { ...spec, rules };
}

/** A mirror of some requests. */
function partial(filter: Json, random: Random): Json {
  if (filter.type !== 'RequestMirror') return filter;
  const share = random.pick<Json>([
    { percent: 42 },
    { fraction: { numerator: 1, denominator: 8 } },
    { fraction: { numerator: 3 } },
    { percent: 0 },
  ]);
  return { ...filter, requestMirror: { ...(filter.requestMirror as Json), ...share } };
}

function cors(random: Random): Json {
  return {
    type: 'CORS',
    cors: {
      allowOrigins: random.pick([['https://a.example'], ['*'], ['https://*.example.com', 'http://b.example:8080']]),
      ...random.maybe(0.5, () => ({ allowCredentials: random.chance(0.5) })),
      ...random.maybe(0.5, () => ({ allowMethods: random.pick([['GET', 'POST'], ['*']]) })),
      ...random.maybe(0.5, () => ({ allowHeaders: random.pick([['x-a', 'x-b'], ['*']]) })),
      ...random.maybe(0.3, () => ({ exposeHeaders: ['x-c'] })),
      maxAge: random.pick([5, 3600]),
    },
  };
}

/** Backends that change what they answer. */
function withAnswers(rule: Json, random: Random): Json {
  const { backendRefs } = rule as { readonly backendRefs?: readonly Json[] };
  if (backendRefs === undefined || !random.chance(0.3)) return {};
  const filter = {
    type: 'ResponseHeaderModifier',
    responseHeaderModifier: { set: [{ name: 'x-from', value: 'backend' }], remove: ['x-d'] },
  };
  return {
    backendRefs: backendRefs.map((ref, index) => (index > 0 ? ref : { ...ref, filters: [...((ref.filters ?? []) as Json[]), filter] })),
  };
}

function grpcRoute(spec: Json, world: World): Json {
  const { random } = world;
  const rules = (spec.rules as Json[]).map((rule, index) => {
    const { filters = [], backendRefs = [] } = rule as { readonly filters?: readonly Json[]; readonly backendRefs?: readonly Json[] };
    const { name, namespace, port } = (backendRefs[0] ?? {}) as Json;
    const mirror = {
      type: 'RequestMirror',
      requestMirror: { backendRef: { name, ...(namespace === undefined ? {} : { namespace }), port } },
    };
    return {
      ...rule,
      ...random.maybe(0.3, () => ({ name: `rule-${index}` })),
      ...(random.chance(0.4) && backendRefs[0]?.kind === undefined ? { filters: [...filters, partial(mirror, random)] } : {}),
      ...withAnswers(rule, random),
    };
  });
  return { ...spec, rules };
}
