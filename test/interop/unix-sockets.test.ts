import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createByteServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '@ripstop/gateway';
import { Client, type Dispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MeshEnvoy } from './envoy/mesh-envoy.ts';
import { byteCall } from './gateway/byte-client.ts';
import { TestMesh } from './mesh/test-mesh.ts';
import { documents } from './mesh/yaml.ts';
import { sdkMember } from './runners/context.ts';
import { until } from './until.ts';

const { envoy } = inject('peers');
if ('missing' in envoy) console.log(`skipped: Unix sockets beside an Envoy: ${envoy.missing}`);

const folder = mkdtempSync(join(tmpdir(), 'ripstop-unix-'));
const path = (name: string): string => join(folder, `${name}.sock`);
const log = join(folder, 'access.log');

/** A host whose one endpoint is a Unix socket. */
function entry(name: string, protocol: string, address = `unix://${path(name)}`): string {
  return `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default }
spec: { hosts: [${name}.local], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 80, name: port, protocol: ${protocol} }], endpoints: [{ address: "${address}" }] }
`;
}

const SELECTED = `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: selected, namespace: default }
spec: { hosts: [selected.local], location: MESH_INTERNAL, resolution: STATIC, ports: [{ number: 80, name: port, protocol: HTTP }], workloadSelector: { labels: { app: selected } } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: selected, namespace: default }
spec: { address: "unix://${path('http1')}", labels: { app: selected } }
`;
/** Of one side: two processes cannot listen at one path. */
const gatewayOf = (side: string): string => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${side}, namespace: default }
spec:
  selector: { istio: ${side} }
  servers:
  - { port: { number: 8080, name: http, protocol: HTTP }, hosts: ["*"] }
  - { port: { number: 9000, name: tcp, protocol: TCP }, hosts: ["*"] }
  - { port: { number: 0, name: socket, protocol: HTTP }, hosts: ["*"], bind: "unix://${path(`edge-${side}`)}" }
`;
const ROUTES = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: edge, namespace: default }
spec:
  hosts: ["*"]
  gateways: [envoy, own]
  http: [{ route: [{ destination: { host: http1.local } }] }]
  tcp: [{ match: [{ port: 9000 }], route: [{ destination: { host: bytes.local } }] }]
`;

describe.skipIf('missing' in envoy)('endpoints that are Unix sockets', () => {
  const parts = new AsyncDisposableStack();
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const callers = new Map<string, Dispatcher>();
  const gateways = new Map<string, { readonly http: Client; readonly tcp: number; readonly socket: string }>();
  let sidecar: MeshEnvoy;

  async function listen(server: Server, name: string): Promise<void> {
    await new Promise<void>((resolve) => server.listen(path(name), resolve));
    parts.defer(() => void server.close());
  }

  beforeAll(async () => {
    if ('missing' in envoy) return;
    const app: RequestListener = ({ httpVersion, headers }, response) => {
      response.end(`HTTP/${httpVersion} ${headers.host ?? headers[':authority']} from ${headers['x-forwarded-for']}`);
    };
    await listen(createServer(app), 'http1');
    await listen(createHttp2Server(app as never), 'http2');
    await listen(
      createByteServer((socket) => {
        socket.on('error', () => {});
        socket.end('bytes\n');
      }),
      'bytes',
    );
    const meshConfig = JSON.stringify({ accessLogFile: log, accessLogFormat: '%REQ(X-CASE)% %UPSTREAM_HOST% %RESPONSE_FLAGS%' });
    const yaml = documents(
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio, namespace: istio-system }\ndata: { mesh: '${meshConfig}' }\n`,
      entry('http1', 'HTTP'),
      entry('http2', 'HTTP2'),
      entry('nobody', 'HTTP'),
      entry('bytes', 'TCP'),
      SELECTED,
      gatewayOf('envoy'),
      gatewayOf('own'),
      ROUTES,
    );
    const mesh = parts.use(await TestMesh.start(yaml));
    const flags = ['--file-flush-interval-msec', '5'];
    sidecar = parts.use(
      await MeshEnvoy.start(envoy.path, mesh, { role: 'sidecar', variant: 'delta', name: 'sidecar', labels: { app: 'sidecar' }, flags }),
    );
    callers.set('envoy', await sidecar.outboundClient(80));
    callers.set('sdk', (await sdkMember({ mesh, parts }, { service: 'sdk' })).dispatcher);
    const member = (side: string) => ({ serviceAccount: 'ingress', labels: { istio: side } });
    const peer = parts.use(
      await MeshEnvoy.start(envoy.path, mesh, { ...member('envoy'), role: 'router', variant: 'delta', name: 'edge', joins: true, flags }),
    );
    const gateway = createGateway({
      mesh: await sdkMember({ mesh, parts }, { ...member('own'), service: 'ingress', role: 'router' }),
      ports: { 8080: 0, 9000: 0 },
    });
    parts.use(gateway);
    await until('Envoy listens', async () => (await overSocket(path('edge-envoy'))) !== '');
    await gateway.start();
    const portOf = (number: number): number => gateway.addresses().find(({ listenerPort }) => listenerPort === number)!.port;
    gateways.set('envoy', {
      http: new Client(`http://127.0.0.1:${await peer.process.listenerPort('0.0.0.0_8080')}`),
      tcp: await peer.process.listenerPort('0.0.0.0_9000'),
      socket: path('edge-envoy'),
    });
    gateways.set('own', { http: new Client(`http://127.0.0.1:${portOf(8080)}`), tcp: portOf(9000), socket: path('edge-own') });
    expect([...sidecar.relay.refusals, ...peer.relay.refusals, ...mesh.refusals()]).toEqual([]);
  }, 60_000);

  afterAll(async () => {
    await Promise.all([...gateways.values()].map(({ http }) => http.destroy()));
    await parts.disposeAsync();
  });

  const lineOf = (id: string): string | undefined =>
    readFileSync(log, 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${id} `))
      ?.slice(id.length + 1);

  it.each([
    ['http1', 200, 'HTTP/1.1 http1.local', `${path('http1')} -`],
    ['http2', 200, 'HTTP/2.0 http2.local', `${path('http2')} -`],
    ['selected', 200, 'HTTP/1.1 selected.local', `${path('http1')} -`],
    ['nobody', 503, 'upstream connect error', `${path('nobody')} URX,UF`],
  ])('are called as Envoy calls them: %s', async (name, status, answer, line) => {
    for (const [side, dispatcher] of callers) {
      const id = `${side}-${name}`;
      const options = { path: '/', method: 'GET', headers: { host: `${name}.local`, 'x-case': id } } as const;
      const response = await dispatcher.request({ origin: `http://${name}.local`, ...options });
      expect.soft(response.statusCode, side).toBe(status);
      expect.soft(await response.body.text(), side).toContain(answer);
      if (side === 'envoy') await until('a line of Envoy', () => lineOf(id) !== undefined, 3_000);
      if (side === 'envoy') expect.soft(lineOf(id), side).toBe(line);
    }
  });

  it('take requests and bytes of gateways, too', async () => {
    for (const [side, { http, tcp }] of gateways) {
      const response = await http.request({ path: '/', method: 'GET', headers: { host: 'shop', 'x-case': `gate-${side}` } });
      expect.soft(await response.body.text(), side).toMatch(/^HTTP\/1\.1 shop from /);
      expect.soft((await byteCall(tcp, {})).received, side).toBe('bytes\n');
      await until(`a line of ${side}`, () => lineOf(`gate-${side}`) !== undefined, 3_000);
      expect.soft(lineOf(`gate-${side}`), side).toBe(`${path('http1')} -`);
    }
  });

  it('a gateway that listens at a Unix socket says of its callers what Envoy says', async () => {
    const [theirs, own] = [await overSocket(path('edge-envoy')), await overSocket(path('edge-own'))];
    expect(theirs).toBe('HTTP/1.1 shop from undefined');
    expect(own).toBe(theirs);
  });
});

/** '' when nobody answers. */
async function overSocket(socketPath: string): Promise<string> {
  const client = new Client('http://shop', { socketPath });
  try {
    const response = await client.request({ path: '/', method: 'GET' });
    return await response.body.text();
  } catch {
    return '';
  } finally {
    await client.destroy();
  }
}
