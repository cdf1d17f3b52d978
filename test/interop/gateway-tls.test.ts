import { createHash, X509Certificate } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { createGateway } from '@ripstop/gateway';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { Authority, secret } from './gateway/authority.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: TLS at gateways beside an Envoy: ${envoy.missing}`);

const servers = new Authority();
const callers = new Authority();
const shop = servers.issue({ dns: ['shop.example.com'] });
const wild = servers.issue({ dns: ['*.example.org'], uris: ['spiffe://outside/wild'] });
const operator = callers.issue({ uris: ['spiffe://outside/operator'], dns: ['a.b', 'c.d'] });
const visitor = callers.issue({ uris: ['spiffe://outside/visitor', 'https://outside/two'] });
/** Shows two certificates. */
const deep = callers.issueBetween({ uris: ['spiffe://outside/deep'] });
const stranger = servers.issue({ uris: ['spiffe://outside/operator'] });

function gatewayYaml(): string {
  const { fingerprint256: pin, publicKey } = new X509Certificate(operator.cert);
  const spki = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
  const server = (name: string, hosts: string, tls: string): string =>
    `  - { port: { number: 443, name: ${name}, protocol: HTTPS }, hosts: [${hosts}], tls: { ${tls} } }\n`;
  return `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge, namespace: default }
spec:
  selector: { istio: ingressgateway }
  servers:
${server('shop', 'shop.example.com', 'mode: SIMPLE, credentialName: shop')}${server('wild', '"*.example.org"', 'mode: SIMPLE, credentialName: wild, minProtocolVersion: TLSV1_3')}${server('old', 'old.example.com', 'mode: SIMPLE, credentialName: shop, maxProtocolVersion: TLSV1_2, cipherSuites: [ECDHE-ECDSA-AES128-GCM-SHA256]')}${server('mutual', 'mutual.example.org', 'mode: MUTUAL, credentialName: wild')}${server('named', 'named.example.org', 'mode: MUTUAL, credentialName: wild, subjectAltNames: ["spiffe://outside/operator"]')}${server('pinned', 'pinned.example.org', `mode: MUTUAL, credentialName: wild, verifyCertificateHash: ["${pin}"]`)}${server('spki', 'spki.example.org', `mode: MUTUAL, credentialName: wild, verifyCertificateSpki: ["${spki}"]`)}${server('two', 'two.example.org, two.example.net', 'mode: SIMPLE, credentialNames: [shop, wild]')}${server('ca', 'ca.example.com', 'mode: MUTUAL, credentialName: shop, caCertCredentialName: roots')}${server('optional', 'optional.example.org', 'mode: OPTIONAL_MUTUAL, credentialName: wild')}${server('optnamed', 'optnamed.example.org', 'mode: OPTIONAL_MUTUAL, credentialName: wild, subjectAltNames: ["spiffe://outside/operator"]')}${server('optpinned', 'optpinned.example.org', `mode: OPTIONAL_MUTUAL, credentialName: wild, verifyCertificateHash: ["${pin}"]`)}${server('mesh', 'mesh.example.com', 'mode: ISTIO_MUTUAL')}---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo, namespace: default }
spec:
  hosts: ["*"]
  gateways: [edge]
  http: [{ route: [{ destination: { host: echo.default.svc.cluster.local } }] }]
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: tells-all, namespace: default }
spec:
  workloadSelector: { labels: { istio: ingressgateway } }
  configPatches:
  - applyTo: NETWORK_FILTER
    match: { context: GATEWAY, listener: { filterChain: { filter: { name: envoy.filters.network.http_connection_manager } } } }
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          forward_client_cert_details: SANITIZE_SET
          set_current_client_cert_details: { cert: true, chain: true, subject: true, uri: true, dns: true }
`;
}

/** What a caller sees of one try. */
type Outcome =
  | 'refused'
  | {
      readonly certificate: string;
      readonly version: string | null;
      readonly cipher: string;
      readonly status: number;
      readonly xfcc: string;
      readonly proto: string;
    };

function attempt(port: number, host: string, options: ConnectionOptions): Promise<Outcome> {
  return new Promise((resolve) => {
    const settings = {
      host: '127.0.0.1',
      port,
      servername: host,
      agent: false,
      headers: { host },
      rejectUnauthorized: false,
      ...options,
    } as const;
    const sent = request(settings, (response) => {
      const socket = response.socket as TLSSocket;
      const { fingerprint256 = '' } = socket.getPeerX509Certificate() ?? {};
      const facts = { certificate: fingerprint256, version: socket.getProtocol(), cipher: socket.getCipher().name };
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const seen = text.startsWith('{') ? (JSON.parse(text) as Record<string, string>) : {};
        resolve({
          ...facts,
          status: response.statusCode ?? 0,
          xfcc: seen['x-forwarded-client-cert'] ?? '',
          proto: seen['x-forwarded-proto'] ?? '',
        });
      });
    });
    sent.on('error', () => resolve('refused'));
    sent.end();
  });
}

/** Node 24 tells a server none of the certificates behind the caller's own: then there is no Chain. */
function withoutChain(outcome: Outcome, options: ConnectionOptions): Outcome {
  return outcome === 'refused' || options.cert !== deep.cert ? outcome : { ...outcome, xfcc: outcome.xfcc.replace(/;Chain="[^"]*"/, '') };
}

const ROWS: readonly (readonly [string, string, ConnectionOptions, 'served' | 'refused'])[] = [
  ['a host', 'shop.example.com', {}, 'served'],
  ['a host in capitals', 'SHOP.example.com', {}, 'served'],
  ['a host under a wildcard', 'a.example.org', {}, 'served'],
  ['two labels under a wildcard', 'a.b.example.org', {}, 'served'],
  ['the wildcard itself', 'example.org', {}, 'refused'],
  ['a host that is nobody', 'other.example.com', {}, 'refused'],
  ['TLS 1.2', 'shop.example.com', { maxVersion: 'TLSv1.2' }, 'served'],
  ['TLS 1.2 where 1.3 is demanded', 'a.example.org', { maxVersion: 'TLSv1.2' }, 'refused'],
  ['a host of TLS 1.2 with one suite', 'old.example.com', {}, 'served'],
  ['TLS 1.3 only, at that host', 'old.example.com', { minVersion: 'TLSv1.3' }, 'refused'],
  ['ALPN of nobody', 'shop.example.com', { ALPNProtocols: ['spdy/3'] }, 'served'],
  ['no certificate at a SIMPLE host', 'shop.example.com', { ...operator }, 'served'],
  ['MUTUAL without a certificate', 'mutual.example.org', {}, 'refused'],
  ['MUTUAL with one', 'mutual.example.org', { ...operator }, 'served'],
  ['MUTUAL with one that has two URIs', 'mutual.example.org', { ...visitor }, 'served'],
  ['MUTUAL with one of a CA in between', 'mutual.example.org', { ...deep }, 'served'],
  ['MUTUAL with one of another CA', 'mutual.example.org', { ...stranger }, 'refused'],
  ['a listed name', 'named.example.org', { ...operator }, 'served'],
  ['a name that is not listed', 'named.example.org', { ...visitor }, 'refused'],
  ['a pinned certificate', 'pinned.example.org', { ...operator }, 'served'],
  ['one that is not pinned', 'pinned.example.org', { ...visitor }, 'refused'],
  ['a pinned key', 'spki.example.org', { ...operator }, 'served'],
  ['one that is not pinned', 'spki.example.org', { ...visitor }, 'refused'],
  ['two certificates, by name', 'two.example.org', {}, 'served'],
  ['two certificates, neither by name', 'two.example.net', {}, 'served'],
  ['a bundle of its own', 'ca.example.com', { ...operator }, 'served'],
  ['a bundle of its own, another CA', 'ca.example.com', { ...stranger }, 'refused'],
  ['OPTIONAL_MUTUAL without a certificate', 'optional.example.org', {}, 'served'],
  ['OPTIONAL_MUTUAL with one', 'optional.example.org', { ...operator }, 'served'],
  ['OPTIONAL_MUTUAL with one of another CA', 'optional.example.org', { ...stranger }, 'refused'],
  ['OPTIONAL_MUTUAL with a listed name', 'optnamed.example.org', { ...operator }, 'served'],
  ['OPTIONAL_MUTUAL with a name that is not listed', 'optnamed.example.org', { ...visitor }, 'refused'],
  ['OPTIONAL_MUTUAL with listed names and no certificate', 'optnamed.example.org', {}, 'refused'],
  ['OPTIONAL_MUTUAL with a pin and no certificate', 'optpinned.example.org', {}, 'refused'],
  ['OPTIONAL_MUTUAL with listed names and no certificate, TLS 1.2', 'optnamed.example.org', { maxVersion: 'TLSv1.2' }, 'refused'],
  ['ISTIO_MUTUAL without a certificate', 'mesh.example.com', {}, 'refused'],
  ['ISTIO_MUTUAL with one from outside', 'mesh.example.com', { ...operator }, 'refused'],
];

describe.skipIf('missing' in envoy)('TLS at our gateway and at an Envoy that our control plane feeds', () => {
  const parts = new AsyncDisposableStack();
  const ports = { envoy: 0, own: 0 };
  let app: Server;
  let mesh: TestMesh;
  let yaml: string;

  beforeAll(async () => {
    app = createServer((incoming, response) => response.end(JSON.stringify(incoming.headers)));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    parts.defer(() => void app.close());
    yaml = documents(
      service('echo'),
      workloadEntry({ name: 'echo-1', app: 'echo', version: 'v1', port: (app.address() as AddressInfo).port }),
      secret('shop', { 'tls.crt': shop.cert, 'tls.key': shop.key }),
      secret('roots-cacert', { cacert: callers.pem }),
      secret('wild', { cert: wild.cert, key: wild.key, cacert: callers.pem }),
      gatewayYaml(),
    );
    mesh = parts.use(await TestMesh.start(yaml));
    const member = { serviceAccount: 'ingress', labels: { istio: 'ingressgateway' } };
    const peer = parts.use(
      await MeshEnvoy.start((envoy as { readonly path: string }).path, mesh, {
        ...member,
        role: 'router',
        variant: 'delta',
        name: 'edge-envoy',
        joins: true,
      }),
    );
    const own = createGateway({
      mesh: await sdkMember({ mesh, parts }, { ...member, service: 'ingress', role: 'router' }),
      ports: { 443: 0 },
    });
    parts.use(own);
    await own.start();
    ports.own = own.addresses()[0]!.port;
    ports.envoy = await peer.process.listenerPort('0.0.0.0_443');
    expect(peer.relay.refusals).toEqual([]);
    await until('Envoy has its certificates', async () => (await attempt(ports.envoy, 'shop.example.com', {})) !== 'refused');
  }, 60_000);

  afterAll(() => parts.disposeAsync());

  it.each(ROWS)('%s: the same', async (_what, host, options, expected) => {
    const [own, theirs] = await Promise.all([attempt(ports.own, host, options), attempt(ports.envoy, host, options)]);
    expect(own).toEqual(own === 'refused' || own.xfcc.includes(';Chain=') ? theirs : withoutChain(theirs, options));
    expect(own === 'refused' ? 'refused' : 'served').toBe(expected);
  });

  it('a renewed Secret is shown at both', async () => {
    const renewed = servers.issue({ dns: ['shop.example.com'] });
    const { fingerprint256 } = new X509Certificate(renewed.cert);
    await mesh.apply(
      yaml.replace(
        secret('shop', { 'tls.crt': shop.cert, 'tls.key': shop.key }),
        secret('shop', { 'tls.crt': renewed.cert, 'tls.key': renewed.key }),
      ),
    );
    for (const port of [ports.own, ports.envoy]) {
      await until('the renewed certificate is shown', async () => {
        const outcome = await attempt(port, 'shop.example.com', {});
        return outcome !== 'refused' && outcome.certificate === fingerprint256;
      });
    }
  });
});
