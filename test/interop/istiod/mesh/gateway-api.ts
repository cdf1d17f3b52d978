import { rootCertificates } from 'node:tls';
import type { Document } from './document.ts';
import type { Random } from './random.ts';
import { ACCOUNTS, fqdn, metadataOf, NAMESPACES, PORT_NUMBERS, ROOT, type ServiceName, type World } from './world.ts';

type Json = Record<string, unknown>;

const GATEWAY_API = 'gateway.networking.k8s.io/v1';
const GATEWAY = 'edge-api';
const BUNDLE = 'backend-roots';
const HOSTS = ['shop.example.com', 'api.example.com', '*.example.com', 'www.other.example'];
const LISTENERS = ['http', 'alt', 'shop'];

/**
 * A Gateway on the mesh's gateway, routes to it and between workloads, who may refer to whom, and TLS to backends. With every field that
 * an API server fills in: there is none, and istiod relies on it.
 */
export function gatewayApi(world: World): Document[] {
  const { random } = world;
  return [
    gateway(random),
    ...random.several(1, 3, (index) => route(world, index)),
    ...random.several(0, 2, (index) => referenceGrant(world, index)),
    ...random.several(0, 1, (index) => backendTlsPolicy(world, index)).flatMap((policy) => [bundle(policy), policy]),
  ];
}

/** CA certificates beside a policy: somebody's. */
function bundle({ metadata: { namespace = ROOT } }: Document): Document {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: BUNDLE, namespace }, data: { 'ca.crt': rootCertificates[0] } };
}

function gateway(random: Random): Document {
  const hostname = (): Json => random.maybe(0.5, () => ({ hostname: random.pick(HOSTS) }));
  const listeners = random
    .some<Json>(
      [
        { name: 'http', port: 80, ...hostname() },
        { name: 'alt', port: 8081, ...hostname() },
        { name: 'shop', port: 80, hostname: 'shop.example.com' },
      ],
      1,
      3,
    )
    .map((listener) => ({ ...listener, protocol: 'HTTP', ...random.maybe(0.8, () => ({ allowedRoutes: allowedRoutes(random) })) }));
  return {
    apiVersion: GATEWAY_API,
    kind: 'Gateway',
    metadata: metadataOf(random, GATEWAY, ROOT),
    spec: {
      gatewayClassName: 'istio',
      addresses: [{ type: 'Hostname', value: `istio-ingressgateway.${ROOT}.svc.cluster.local` }],
      listeners,
    },
  };
}

function allowedRoutes(random: Random): Json {
  const selector = { matchLabels: { 'kubernetes.io/metadata.name': random.pick(NAMESPACES) } };
  return {
    namespaces: random.pick<Json>([{ from: 'All' }, { from: 'All' }, { from: 'Same' }, { from: 'Selector', selector }]),
    ...random.maybe(0.2, () => ({ kinds: [{ kind: random.pick(['HTTPRoute', 'GRPCRoute']) }] })),
  };
}

function route(world: World, index: number): Document {
  const { random } = world;
  const namespace = random.pick(NAMESPACES);
  const grpc = random.chance(0.25);
  const ofMesh = random.chance(0.45);
  return {
    apiVersion: GATEWAY_API,
    kind: grpc ? 'GRPCRoute' : 'HTTPRoute',
    metadata: metadataOf(random, `api-route-${index}`, namespace),
    spec: {
      parentRefs: ofMesh ? [serviceParent(world)] : [gatewayParent(random), ...(random.chance(0.15) ? [serviceParent(world)] : [])],
      ...random.maybe(0.6, () => ({ hostnames: random.some(HOSTS, 1, 2) })),
      rules: random.several(1, 2, () => (grpc ? grpcRule(world, namespace) : httpRule(world, namespace))),
    },
  };
}

function gatewayParent(random: Random): Json {
  return {
    name: GATEWAY,
    namespace: ROOT,
    ...random.maybe(0.3, () => ({ sectionName: random.pick(LISTENERS) })),
    ...random.maybe(0.15, () => ({ port: random.pick([80, 8081]) })),
  };
}

function serviceParent({ random, services }: World): Json {
  const { name, namespace } = random.pick(services);
  return { group: '', kind: 'Service', name, namespace, ...random.maybe(0.5, () => ({ port: random.pick(PORT_NUMBERS) })) };
}

function httpRule(world: World, namespace: string): Json {
  const { random } = world;
  const redirects = random.chance(0.12);
  const matches = random.several(1, 2, () => httpMatch(random));
  // Of one match by prefix alone, so the rules of the kind.
  const prefix = matches.length === 1 && (matches[0]?.path as { readonly type: string } | undefined)?.type === 'PathPrefix';
  return {
    matches,
    ...(redirects
      ? { filters: [{ type: 'RequestRedirect', requestRedirect: redirect(random, prefix) }] }
      : filtersOf(world, namespace, prefix)),
    ...(redirects ? {} : random.maybe(0.9, () => ({ backendRefs: backendRefs(world, namespace) }))),
    ...random.maybe(0.2, () => ({
      timeouts: random.pick<Json>([{ request: '3s' }, { request: '3s', backendRequest: '1s' }, { request: '0s' }]),
    })),
    ...random.maybe(0.1, () => ({
      sessionPersistence: random.pick<Json>([
        { type: 'Cookie', sessionName: 'session' },
        { type: 'Header', sessionName: 'x-session', absoluteTimeout: '1h' },
      ]),
    })),
  };
}

function httpMatch(random: Random): Json {
  return {
    path: random.pick<Json>([
      { type: 'PathPrefix', value: '/' },
      { type: 'PathPrefix', value: '/' },
      { type: 'PathPrefix', value: '/api' },
      { type: 'Exact', value: '/login' },
      { type: 'RegularExpression', value: '/items/[0-9]+' },
    ]),
    ...random.maybe(0.3, () => ({ headers: headerMatches(random) })),
    ...random.maybe(0.2, () => ({
      queryParams: [
        random.pick<Json>([
          { type: 'Exact', name: 'q', value: '1' },
          { type: 'RegularExpression', name: 'q', value: '[0-9]+' },
        ]),
      ],
    })),
    ...random.maybe(0.2, () => ({ method: random.pick(['GET', 'POST']) })),
  };
}

function headerMatches(random: Random): Json[] {
  return random.some(['x-tenant', 'X-Upper', 'version'], 1, 2).map((name) => ({
    name,
    ...random.pick<Json>([
      { type: 'Exact', value: 'a' },
      { type: 'Exact', value: 'b' },
      { type: 'RegularExpression', value: 'c.*' },
    ]),
  }));
}

function redirect(random: Random, prefix: boolean): Json {
  return {
    ...random.maybe(0.4, () => ({ scheme: random.pick(['https', 'http']) })),
    ...random.maybe(0.4, () => ({ hostname: 'new.example.com' })),
    ...random.maybe(0.4, () => ({
      path: random.pick<Json>([
        { type: 'ReplaceFullPath', replaceFullPath: '/new' },
        ...(prefix ? [{ type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' }] : []),
      ]),
    })),
    ...random.maybe(0.3, () => ({ port: 8443 })),
    statusCode: random.pick([301, 302]),
  };
}

function filtersOf(world: World, namespace: string, prefix: boolean): Json {
  const { random } = world;
  const rewrite = (): Json => ({
    type: 'URLRewrite',
    urlRewrite: random.pick<Json>([
      { hostname: 'inner.example.com' },
      ...(prefix ? ['/', '/v2'] : []).map((path) => ({ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: path } })),
      { path: { type: 'ReplaceFullPath', replaceFullPath: '/all' } },
    ]),
  });
  const mirror = (): Json => ({ type: 'RequestMirror', requestMirror: { backendRef: backendRef(world, namespace) } });
  return random.maybe(0.45, () => ({
    filters: random.some(
      [headerFilter('RequestHeaderModifier', random), headerFilter('ResponseHeaderModifier', random), rewrite(), mirror()],
      1,
      2,
    ),
  }));
}

function headerFilter(type: 'RequestHeaderModifier' | 'ResponseHeaderModifier', random: Random): Json {
  const change = {
    ...random.maybe(0.5, () => ({ set: [{ name: 'X-A', value: 'one' }] })),
    ...random.maybe(0.5, () => ({ add: [{ name: 'x-b', value: 'two' }] })),
    ...random.maybe(0.5, () => ({ remove: ['x-c'] })),
  };
  return { type, [`${type[0]?.toLowerCase()}${type.slice(1)}`]: change };
}

function grpcRule(world: World, namespace: string): Json {
  const { random } = world;
  return {
    ...random.maybe(0.7, () => ({
      matches: random.several(1, 2, () => ({
        ...random.maybe(0.7, () => ({
          method: random.pick<Json>([
            { type: 'Exact', service: 'shop.Cart', method: 'Get' },
            { type: 'Exact', service: 'shop.Cart' },
            { type: 'Exact', method: 'Get' },
            { type: 'RegularExpression', service: 'shop\\..*' },
          ]),
        })),
        ...random.maybe(0.3, () => ({ headers: headerMatches(random) })),
      })),
    })),
    ...random.maybe(0.3, () => ({ filters: [headerFilter(random.pick(['RequestHeaderModifier', 'ResponseHeaderModifier']), random)] })),
    backendRefs: backendRefs(world, namespace),
  };
}

function backendRefs(world: World, namespace: string): Json[] {
  const { random } = world;
  return random.several(1, 2, () => ({
    ...backendRef(world, namespace),
    ...random.maybe(0.5, () => ({ weight: random.pick([0, 1, 9]) })),
    ...random.maybe(0.1, () => ({ filters: [headerFilter('RequestHeaderModifier', random)] })),
  }));
}

/** Of the own namespace mostly; another one has to grant it. Some name a host of a ServiceEntry. */
function backendRef({ random, services }: World, namespace: string): Json {
  if (random.chance(0.1)) return { group: 'networking.istio.io', kind: 'Hostname', name: 'api.example.com', port: random.pick([80, 443]) };
  const near = services.filter((service) => service.namespace === namespace);
  const { name, namespace: of }: ServiceName = near.length > 0 && random.chance(0.6) ? random.pick(near) : random.pick(services);
  return { name, ...(of === namespace && random.chance(0.5) ? {} : { namespace: of }), port: random.pick(PORT_NUMBERS) };
}

function referenceGrant(world: World, index: number): Document {
  const { random } = world;
  const { name, namespace } = random.pick(world.services);
  return {
    apiVersion: 'gateway.networking.k8s.io/v1beta1',
    kind: 'ReferenceGrant',
    metadata: metadataOf(random, `grant-${index}`, namespace),
    spec: {
      from: random
        .some(NAMESPACES, 1, 2)
        .map((from) => ({ group: 'gateway.networking.k8s.io', kind: random.pick(['HTTPRoute', 'GRPCRoute']), namespace: from })),
      to: [{ group: '', kind: 'Service', ...random.maybe(0.4, () => ({ name })) }],
    },
  };
}

function backendTlsPolicy(world: World, index: number): Document {
  const { random } = world;
  const service = random.pick(world.services);
  return {
    apiVersion: GATEWAY_API,
    kind: 'BackendTLSPolicy',
    metadata: metadataOf(random, `backend-tls-${index}`, service.namespace),
    spec: {
      targetRefs: [
        {
          group: '',
          kind: 'Service',
          name: service.name,
          ...random.maybe(0.3, () => ({ sectionName: random.pick(['http', 'api', 'tcp']) })),
        },
      ],
      validation: {
        hostname: fqdn(service),
        ...random.pick<Json>([
          { wellKnownCACertificates: 'System' },
          { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'nobody' }] },
          ...(world.wide ? [] : [BUNDLE_REF, BUNDLE_REF]),
          BUNDLE_REF,
        ]),
        ...(world.wide ? random.maybe(0.3, () => ({ subjectAltNames: SOME_NAMES })) : { subjectAltNames: accountNames(service) }),
      },
    },
  };
}

const BUNDLE_REF: Json = { caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: BUNDLE }] };
const SOME_NAMES: readonly Json[] = [
  { type: 'URI', uri: 'spiffe://cluster.local/ns/web/sa/cart' },
  { type: 'Hostname', hostname: 'api.example.com' },
];

/** Of every account of the service's namespace: certificates of a mesh have no host names. */
function accountNames({ namespace }: ServiceName): Json[] {
  return ACCOUNTS.map((account) => ({ type: 'URI', uri: `spiffe://cluster.local/ns/${namespace}/sa/${account}` }));
}
