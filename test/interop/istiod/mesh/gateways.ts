import { type Document, NETWORKING } from './document.ts';
import type { Random } from './random.ts';
import { anyHost, metadataOf, ROOT, type World } from './world.ts';

type Json = Record<string, unknown>;

const GATEWAYS: readonly { readonly name: string; readonly namespace: string }[] = [
  { name: 'gw', namespace: ROOT },
  { name: 'edge', namespace: ROOT },
  { name: 'gw', namespace: 'shop' },
];

export const GATEWAY_NAMES: readonly string[] = GATEWAYS.map(({ name, namespace }) => `${namespace}/${name}`);

/** Gateways on one workload, whose servers share ports and hosts. */
export function gateways(world: World): Document[] {
  const { random } = world;
  return random.some(GATEWAYS, 1, 3).map(({ name, namespace }) => ({
    apiVersion: NETWORKING,
    kind: 'Gateway',
    metadata: metadataOf(random, name, namespace),
    spec: {
      selector: random.chance(0.9) ? { istio: 'ingressgateway' } : { istio: 'other' },
      servers: random.several(1, 3, (index) => server(world, namespace, index)),
    },
  }));
}

function server(world: World, namespace: string, index: number): Json {
  const { random } = world;
  const hosts = random.several(1, 2, () => hostOf(world, namespace));
  const drawn = portServer(world, hosts, index);
  if (!world.wide) return drawn;
  if (random.chance(0.03)) return { ...drawn, port: { ...(drawn.port as Json), number: 0 }, bind: 'unix:///run/gateway.sock' };
  return { ...drawn, ...random.maybe(0.2, () => ({ bind: random.pick(['10.9.9.1', '10.9.9.2', '::']) })) };
}

function portServer(world: World, hosts: readonly string[], index: number): Json {
  const { random } = world;
  if (world.wide && random.chance(0.25)) return { ...streamServer(random, index), hosts };
  if (random.chance(0.65)) {
    return {
      port: { number: random.pick([80, 80, 8081]), name: `http-${index}`, protocol: random.pick(['HTTP', 'HTTP', 'HTTP2', 'GRPC']) },
      hosts,
      ...random.maybe(0.15, () => ({ tls: { httpsRedirect: true } })),
      ...random.maybe(0.2, () => ({ name: `server-${index}` })),
    };
  }
  return { port: { number: 443, name: `https-${random.pick(['a', 'b'])}-${index}`, protocol: 'HTTPS' }, hosts, tls: tls(world) };
}

/** Of connections and of handshakes; numbers that others use for HTTP among them. */
function streamServer(random: Random, index: number): Json {
  if (random.chance(0.4))
    return {
      port: {
        number: random.pick([6000, 9090, 80]),
        name: `tcp-${index}`,
        protocol: random.pick(['TCP', 'TCP', 'MONGO', 'MYSQL', 'REDIS']),
      },
    };
  return {
    port: { number: random.pick([443, 443, 8443]), name: `tls-${index}`, protocol: random.pick(['TLS', 'TLS', 'HTTPS']) },
    tls: random.pick<Json>([
      { mode: 'PASSTHROUGH' },
      { mode: 'PASSTHROUGH' },
      { mode: 'AUTO_PASSTHROUGH' },
      { mode: 'AUTO_PASSTHROUGH' },
      { mode: 'SIMPLE', credentialName: 'shop-cert' },
      { mode: 'MUTUAL', credentialName: 'shop-cert' },
      { mode: 'ISTIO_MUTUAL' },
    ]),
  };
}

function hostOf(world: World, namespace: string): string {
  const { random } = world;
  const host = random.chance(0.5) ? random.pick(['*', 'shop.example.com', '*.example.com', 'api.example.com']) : anyHost(world, namespace);
  // A Gateway's hosts are whole names.
  const whole = host === '*' || host.includes('.') ? host : '*.shop.svc.cluster.local';
  return random.chance(0.25) ? `${random.pick(['shop', 'web', '.', '*'])}/${whole}` : whole;
}

function tls({ random }: World): Json {
  return {
    ...random.pick<Json>([
      { mode: 'SIMPLE', credentialName: 'shop-cert' },
      { mode: 'MUTUAL', credentialName: 'shop-cert' },
      { mode: 'OPTIONAL_MUTUAL', credentialName: 'shop-cert' },
      { mode: 'SIMPLE', serverCertificate: '/etc/certs/tls.crt', privateKey: '/etc/certs/tls.key' },
      { mode: 'MUTUAL', serverCertificate: '/etc/certs/tls.crt', privateKey: '/etc/certs/tls.key', caCertificates: '/etc/certs/ca.crt' },
      { mode: 'ISTIO_MUTUAL' },
    ]),
    ...random.maybe(0.2, () => ({ minProtocolVersion: random.pick(['TLSV1_2', 'TLSV1_3', 'TLS_AUTO']) })),
    ...random.maybe(0.1, () => ({ maxProtocolVersion: 'TLSV1_3' })),
    ...random.maybe(0.1, () => ({ cipherSuites: ['ECDHE-RSA-AES256-GCM-SHA384'] })),
    ...random.maybe(0.15, () => ({ subjectAltNames: ['spiffe://cluster.local/ns/web/sa/cart'] })),
  };
}
