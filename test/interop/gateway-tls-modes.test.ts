import { createServer } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { createGateway } from '@ripstop/gateway';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { Authority, secret } from './gateway/authority.ts';
import { refusedByUs } from './istiod/compare-mesh.ts';
import { IstiodProcess } from './istiod/istiod-process.ts';
import type { Document } from './istiod/mesh/document.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { workloadIdentity } from './mesh/workload-identity.ts';
import { documents, service, workloadEntry } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy, istiod } = inject('peers');
for (const [name, peer] of Object.entries({ Envoy: envoy, istiod }))
  if ('missing' in peer) console.log(`skipped: TLS modes at gateways: no ${name}: ${peer.missing}`);

const PROTOCOLS = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB', 'HTTPS', 'TLS', 'TCP', 'MONGO'] as const;
const MODES: Readonly<Record<string, object | undefined>> = {
  'no tls': undefined,
  'tls {}': {},
  httpsRedirect: { httpsRedirect: true },
  SIMPLE: { mode: 'SIMPLE', credentialName: 'cert' },
  'SIMPLE without a certificate': { mode: 'SIMPLE' },
  MUTUAL: { mode: 'MUTUAL', credentialName: 'cert' },
  'MUTUAL without a certificate': { mode: 'MUTUAL' },
  OPTIONAL_MUTUAL: { mode: 'OPTIONAL_MUTUAL', credentialName: 'cert' },
  PASSTHROUGH: { mode: 'PASSTHROUGH' },
  AUTO_PASSTHROUGH: { mode: 'AUTO_PASSTHROUGH' },
  ISTIO_MUTUAL: { mode: 'ISTIO_MUTUAL' },
  'ISTIO_MUTUAL with a certificate': { mode: 'ISTIO_MUTUAL', credentialName: 'cert' },
};
const HOST = 'shop.example.com';
const FIRST_PORT = 20_000;

interface Cell {
  readonly name: string;
  readonly port: number;
  readonly gateway: Document;
}

const CELLS: readonly Cell[] = PROTOCOLS.flatMap((protocol) => Object.entries(MODES).map(([mode, tls]) => ({ protocol, mode, tls }))).map(
  ({ protocol, mode, tls }, at) => {
    const port = FIRST_PORT + at;
    const server = { port: { number: port, name: `port-${at}`, protocol }, hosts: [HOST], ...(tls === undefined ? {} : { tls }) };
    const gateway = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Gateway',
      metadata: { name: `edge-${at}`, namespace: 'default' },
      spec: { selector: { istio: 'ingressgateway' }, servers: [server] },
    };
    return { name: `${protocol}, ${mode}`, port, gateway: gateway as unknown as Document };
  },
);

/** Cells that our own validation takes. */
function accepted(): readonly Cell[] {
  const refused = refusedByUs(CELLS.map(({ gateway }) => gateway));
  return CELLS.filter((_cell, at) => !refused.has(at));
}

describe.skipIf('missing' in istiod)('a server of a Gateway', () => {
  const peer = 'path' in istiod ? new IstiodProcess(istiod.path) : undefined;
  afterAll(() => peer?.close());

  it('of each protocol and TLS mode is taken where istiod takes it', { timeout: 60_000 }, async () => {
    const { refused } = await peer!.ask({ documents: CELLS.map(({ gateway }) => JSON.stringify(gateway)), mesh: '', nodes: [] });
    const ours = refusedByUs(CELLS.map(({ gateway }) => gateway));
    const differing = CELLS.flatMap(({ name }, at) =>
      ours.has(at) === (refused[at] !== undefined) ? [] : `${name}: istiod ${refused[at] ?? 'takes it'}`,
    );
    // Nothing is handed through as it is where somebody reads it: a line of docs/reference/differences.md.
    const meant = ['HTTP', 'HTTP2', 'GRPC', 'GRPC-WEB'].flatMap((protocol) => [
      `${protocol}, PASSTHROUGH`,
      `${protocol}, AUTO_PASSTHROUGH`,
    ]);
    expect(differing).toEqual(meant.map((name) => `${name}: istiod takes it`));
  });
});

const outside = new Authority();
const leaf = outside.issue({ dns: [HOST] });
const caller = outside.issue({ uris: ['spiffe://outside/caller'] });

describe.skipIf('missing' in envoy)('at an Envoy and at our gateway', () => {
  const parts = new AsyncDisposableStack();
  const ports = { envoy: new Map<number, number>(), own: new Map<number, number>() };
  let ofMesh: { readonly cert: string; readonly key: string };

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const app = createServer((incoming, response) => response.end(`app ${incoming.headers['x-forwarded-proto']}`));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    parts.defer(() => void app.close());
    const route = [{ destination: { host: 'echo.default.svc.cluster.local', port: { number: 80 } } }];
    const cells = accepted();
    const gateways = cells.map(({ gateway }) => gateway.metadata.name);
    const routes = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'echo', namespace: 'default' },
      spec: {
        hosts: [HOST],
        gateways,
        http: [{ route }],
        tls: [{ match: [{ sniHosts: [HOST] }], route }],
        tcp: [{ route }],
      },
    };
    const mesh = parts.use(
      await TestMesh.start(
        documents(
          service('echo'),
          workloadEntry({ name: 'echo-1', app: 'echo', version: 'v1', port: (app.address() as AddressInfo).port }),
          secret('cert', { 'tls.crt': leaf.cert, 'tls.key': leaf.key, 'ca.crt': outside.pem }),
          ...cells.map(({ gateway }) => `${JSON.stringify(gateway)}\n`),
          `${JSON.stringify(routes)}\n`,
        ),
      ),
    );
    const identity = await workloadIdentity(mesh, 'caller', 'default');
    const { certificateChainPem: cert, privateKeyPem: key } = identity.current()!;
    ofMesh = { cert, key };
    identity.close();
    const member = { serviceAccount: 'ingress', labels: { istio: 'ingressgateway' } };
    const peer = parts.use(
      await MeshEnvoy.start(envoy.path, mesh, { ...member, role: 'router', variant: 'delta', name: 'edge-envoy', joins: true }),
    );
    const own = createGateway({
      mesh: await sdkMember({ mesh, parts }, { ...member, service: 'ingress', role: 'router' }),
      ports: Object.fromEntries(cells.map(({ port }) => [port, 0])),
    });
    parts.use(own);
    await own.start();
    for (const { listenerPort, port } of own.addresses()) ports.own.set(listenerPort, port);
    for (const port of ports.own.keys()) ports.envoy.set(port, await peer.process.listenerPort(`0.0.0.0_${port}`));
    const simple = cells.find(({ name }) => name === 'HTTPS, SIMPLE')!.port;
    await until('Envoy has its certificates', async () => (await overTls(ports.envoy.get(simple)!)).startsWith('200'));
  }, 60_000);
  afterAll(() => parts.disposeAsync());

  it.each(accepted().map((cell) => [cell.name, cell] as const))('%s: a caller gets the same', async (_name, { port }) => {
    expect(ports.own.has(port)).toBe(ports.envoy.has(port));
    const [own, theirs] = [ports.own.get(port), ports.envoy.get(port)];
    if (own === undefined || theirs === undefined) return;
    const all = async (at: number): Promise<Record<string, string>> => ({
      plaintext: await plaintext(at),
      TLS: await overTls(at),
      'TLS and h2': await negotiated(at),
      'TLS of another host': await overTls(at, { servername: 'other.example.com' }),
      'TLS with a certificate of outside': await overTls(at, caller),
      'TLS with a certificate of the mesh': await overTls(at, ofMesh),
    });
    expect(await all(own)).toEqual(await all(theirs));
  });
});

const SILENCE_MS = 1500;

function plaintext(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTcp({ port, host: '127.0.0.1' });
    let text = '';
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(/^HTTP\/1.1 (\d+)/.exec(text) === null ? 'nothing' : `${text.slice(9, 12)} ${/app \w+|location: \S+/.exec(text)?.[0] ?? ''}`);
    };
    const timer = setTimeout(end, SILENCE_MS);
    socket.on('data', (bytes) => {
      text += bytes;
      if (/app |content-length: 0/.test(text) || text.includes('location')) end();
    });
    socket.on('error', end).on('close', end);
    socket.write(`GET / HTTP/1.1\r\nhost: ${HOST}\r\n\r\n`);
  });
}

function overTls(
  port: number,
  more: { readonly servername?: string; readonly cert?: string; readonly key?: string } = {},
): Promise<string> {
  return new Promise((resolve) => {
    const settings = {
      port,
      host: '127.0.0.1',
      servername: HOST,
      agent: false,
      headers: { host: HOST },
      rejectUnauthorized: false,
      ...more,
    };
    const sent = request(settings, (response) => {
      let text = '';
      response.on('data', (bytes) => (text += bytes));
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    sent.setTimeout(SILENCE_MS, () => sent.destroy(new Error('silence')));
    sent.on('error', () => resolve('nothing'));
    sent.end();
  });
}

/** The protocol that both sides agree on. */
function negotiated(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', servername: HOST, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
    const end = (text: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(() => end('silence'), SILENCE_MS);
    socket.on('secureConnect', () => end(`agreed on ${socket.alpnProtocol}`));
    socket.on('error', () => end('nothing')).on('close', () => end('nothing'));
  });
}
