import { connectionPool } from './destination-rules.ts';
import { type Document, NETWORKING } from './document.ts';
import type { Random } from './random.ts';
import { anyPattern, fqdn, metadataOf, NAMESPACES, PORT_NUMBERS, ROOT, type World } from './world.ts';

type Json = Record<string, unknown>;

/** Scopes of namespaces and of workloads; some say what is served. */
export function sidecars(world: World): Document[] {
  const { random } = world;
  return random.several(0, 2, (index) => {
    const namespace = random.pick(NAMESPACES);
    const metadata = metadataOf(random, `sc-${index}`, namespace);
    const selector =
      namespace === ROOT ? {} : random.maybe(0.5, () => ({ workloadSelector: { labels: { app: random.pick(['cart', 'reviews']) } } }));
    return {
      apiVersion: NETWORKING,
      kind: 'Sidecar',
      metadata,
      spec: {
        ...selector,
        egress: random
          .several(1, 2, (position) => ({
            ...(position === 0 ? {} : { port: egressPort(world) }),
            hosts: random.several(1, 3, () => egressHost(world)),
            ...(world.wide ? egressBinding(random) : {}),
          }))
          .reverse(),
        ...(world.wide ? inbound(random, Object.keys(selector).length > 0) : {}),
        ...random.maybe(0.4, () => ({ outboundTrafficPolicy: { mode: random.pick(['REGISTRY_ONLY', 'ALLOW_ANY']) } })),
      },
    };
  });
}

/** Some Sidecars have an egress listener that callers take for a proxy. */
export function withProxies(world: World, documents: readonly Document[]): Document[] {
  const { random } = world;
  return documents.map((document) => {
    if (!random.chance(0.3)) return document;
    const spec = document.spec as { readonly egress?: readonly Json[] };
    const proxies = random.some([httpProxy(random), unixSocket(random)], 1, 2);
    const egress = proxies.map((proxy) => ({ ...proxy, hosts: random.several(1, 2, () => egressHost(world)) }));
    return { ...document, spec: { ...spec, egress: [...egress, ...(spec.egress ?? [])] } };
  });
}

function httpProxy(random: Random): Json {
  return {
    port: { number: 3128, name: 'proxy', protocol: 'HTTP_PROXY' },
    ...random.maybe(0.5, () => ({ bind: '127.0.0.1' })),
    ...random.maybe(0.5, () => ({ captureMode: 'NONE' })),
  };
}

function unixSocket(random: Random): Json {
  return {
    port: { name: 'socket', protocol: random.pick(['HTTP', 'HTTP', 'HTTP2', 'GRPC', 'TCP']) },
    bind: 'unix:///var/run/proxy.sock',
    ...random.maybe(0.3, () => ({ captureMode: random.pick(['NONE', 'DEFAULT']) })),
  };
}

function egressPort({ random, wide }: World): Json {
  return {
    number: random.pick(PORT_NUMBERS),
    name: 'http',
    protocol: wide ? random.pick(['HTTP', 'HTTP', 'TCP', 'GRPC', 'HTTPS']) : 'HTTP',
  };
}

/** Where an Envoy listens for what its app sends. */
function egressBinding(random: Random): Json {
  return {
    ...random.maybe(0.2, () => ({ bind: random.pick(['127.0.0.1', '0.0.0.0', '10.0.0.99', '::1']) })),
    ...random.maybe(0.2, () => ({ captureMode: random.pick(['NONE', 'NONE', 'IPTABLES', 'DEFAULT']) })),
  };
}

/** Only a Sidecar that selects may say what is served. */
function inbound(random: Random, selects: boolean): Json {
  return {
    ...(selects ? random.maybe(0.7, () => ({ ingress: ingress(random) })) : {}),
    ...random.maybe(0.15, () => ({ inboundConnectionPool: connectionPool(random) })),
  };
}

function egressHost(world: World): string {
  const { random } = world;
  const dns = random.pick(['*', '*', fqdn(random.pick(world.services)), anyPattern(world, 'shop')]);
  return `${random.pick(['.', '*', 'shop', 'web', ROOT, '~'])}/${dns.includes('.') || dns === '*' ? dns : '*'}`;
}

/** Ports that Services lead to and others, in front of every kind of endpoint. */
function ingress(random: Random): Json[] {
  return random.some([8080, 9000, 6000, 9090, 8443, 12_345], 1, 3).map((number, index) => ({
    port: { number, name: `in-${index}`, protocol: random.pick(['HTTP', 'HTTP', 'HTTP2', 'GRPC', 'TCP', 'HTTPS', 'TLS', 'MONGO']) },
    ...random.maybe(0.2, () => ({ bind: random.pick(['0.0.0.0', '127.0.0.1', '10.0.0.99']) })),
    ...random.maybe(0.25, () => ({ captureMode: random.pick(['NONE', 'NONE', 'IPTABLES', 'DEFAULT']) })),
    ...random.maybe(0.7, () => ({
      defaultEndpoint: random.pick(['127.0.0.1:8080', '0.0.0.0:8081', 'unix:///var/run/app.sock', '[::1]:9000', '[::]:9001']),
    })),
    ...random.maybe(0.1, () => ({ tls: { mode: 'SIMPLE', serverCertificate: '/etc/certs/tls.crt', privateKey: '/etc/certs/tls.key' } })),
    ...random.maybe(0.2, () => ({ connectionPool: connectionPool(random) })),
  }));
}
